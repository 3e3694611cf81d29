"""RMSNorm, alone and after the residual."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import add_rms_norm, layer_norm_add_, plain, rms_norm
from tests.inference.kernels.conftest import DTYPE, DTYPES
from tests.inference.kernels.references import LARGEST, error, norm, random


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [320, 4096])
@pytest.mark.parametrize("tokens", [1, 3])
def test_norm(tokens: int, hidden: int, dtype: torch.dtype) -> None:
    x, weight = random(tokens, hidden, dtype=dtype), random(hidden, dtype=dtype, seed=1)
    found = rms_norm(x, weight, 1e-5)
    assert error(found, norm(x, weight, 1e-5)) < LARGEST[dtype]


@pytest.mark.parametrize("has_post", [False, True])
@pytest.mark.parametrize("hidden", [320, 4096])
def test_norm_after_the_residual(hidden: int, has_post: bool) -> None:
    residual, y = random(2, hidden, seed=1), random(2, hidden, seed=2)
    weight, post = random(hidden, seed=3), random(hidden, seed=4) if has_post else None
    added, out = add_rms_norm(residual, y, post, weight, 1e-5)
    summed = residual.double() + (y.double() if post is None else norm(y, post, 1e-5))
    assert error(added, summed) < 2 * LARGEST[DTYPE]
    assert error(out, norm(summed, weight, 1e-5)) < 2 * LARGEST[DTYPE]


def test_rounding_is_that_of_the_model() -> None:
    """The values of transformers' order of operations, but for the sum's own order."""
    residual, y, weight = random(1, 320), random(1, 320, seed=5), random(320, seed=6)
    found = add_rms_norm(residual, y, weight, weight, 1e-5)
    for one, other in zip(
        found, plain.add_rms_norm(residual, y, weight, weight, 1e-5), strict=True
    ):
        assert (one != other).float().mean() < 0.02


@pytest.mark.parametrize("place", [0, 1])
def test_what_was_added_may_be_overwritten(place: int) -> None:
    both, weight = [random(3, 320), random(3, 320, seed=5)], random(320, seed=6)
    expected = add_rms_norm(*both, None, weight, 1e-5)
    kept = both[1 - place].clone()
    found = add_rms_norm(*both, None, weight, 1e-5, added=both[place])
    assert found[0] is both[place]
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    assert torch.equal(both[1 - place], kept)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [112, 1792])
def test_the_residual_after_a_layer_norm(hidden: int, dtype: torch.dtype) -> None:
    """Of vectors whose mean is far from zero."""
    residual, y = random(3, hidden, dtype=dtype), random(3, hidden, dtype=dtype, seed=1) + 3
    weight, bias = (random(hidden, dtype=dtype, seed=seed) for seed in (2, 3))
    wide = [tensor.double() for tensor in (y, weight, bias)]
    exact = residual.double() + torch.nn.functional.layer_norm(wide[0], (hidden,), *wide[1:], 1e-6)
    kept = residual.clone()
    assert layer_norm_add_(residual, y, weight, bias, 1e-6) is y
    assert error(y, exact) < 2 * LARGEST[dtype]
    assert torch.equal(residual, kept)
