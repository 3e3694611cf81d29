"""Products of one token and of several, in every format."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import Nf4, linear, linear_swiglu
from glm4v_tui.inference.kernels.launches import Launch
from glm4v_tui.inference.kernels.products import multiply
from glm4v_tui.inference.kernels.trial import unpacks
from tests.inference.kernels.conftest import DEVICE, DTYPE, DTYPES
from tests.inference.kernels.references import LARGEST, error, packed, random, unpacked

KINDS = ["16 bits", "int8", "nf4"]
SMALL = [(48, 320), (33, 192), (40, 768)]
TRUE = [(4608, 4096), (4096, 4096), (4096, 13696), (151552, 4096)]
"""Rows and columns of GLM-4.1V's language model."""
on_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="too large for the interpreter")


def check(kind: str, tokens: int, rows: int, columns: int, dtype: torch.dtype) -> None:
    weight, exact = packed(kind, rows, columns, dtype)
    x, bias = random(tokens, columns, dtype=dtype), random(rows, dtype=dtype)
    out = torch.full((tokens, rows), float("nan"), dtype=dtype, device=DEVICE)
    assert linear(x, weight, bias, out) is out
    assert error(out, x.double() @ exact.T + bias.double()) < LARGEST[dtype]
    plain = linear(x, weight)
    assert error(plain, x.double() @ exact.T) < LARGEST[dtype]


def check_swiglu(kind: str, tokens: int, rows: int, columns: int, dtype: torch.dtype) -> None:
    weight, exact = packed(kind, rows, columns, dtype)
    x = random(tokens, columns, dtype=dtype)
    gate, up = (x.double() @ exact.T).chunk(2, 1)
    out = torch.full((tokens, rows // 2), float("nan"), dtype=dtype, device=DEVICE)
    linear_swiglu(x, weight, out)
    assert error(out, torch.nn.functional.silu(gate) * up) < 2 * LARGEST[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "columns"), SMALL)
@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_product(kind: str, tokens: int, rows: int, columns: int, dtype: torch.dtype) -> None:
    check(kind, tokens, rows, columns, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_swiglu(kind: str, tokens: int, dtype: torch.dtype) -> None:
    check_swiglu(kind, tokens, 54, 320, dtype)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_columns_need_not_be_even(kind: str) -> None:
    check(kind, 1, 7, 101, torch.float16)


@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("columns", [256, 320])
def test_nf4_by_programs_that_stay(columns: int, is_fused: bool) -> None:
    """Fewer programs than blocks of rows, and rows that are no multiple of a block."""
    launch = Launch(2, 512 if columns == 320 else 256, 1, programs=3)
    weight, exact = packed("nf4", 34, columns, DTYPE)
    x = random(1, columns)
    out = torch.full((1, 17 if is_fused else 34), float("nan"), dtype=DTYPE, device=DEVICE)
    multiply(x, weight, None, out, swiglu=is_fused, launch=launch)
    reference = x.double() @ exact.T
    if is_fused:
        gate, up = reference.chunk(2, 1)
        reference = torch.nn.functional.silu(gate) * up
    assert error(out, reference) < 2 * LARGEST[DTYPE]


def test_more_tokens_than_a_tile_go_another_way() -> None:
    check("int8", 17, 16, 128, torch.float16)


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("shifted", [0, 4])
def test_words_are_unpacked_by_every_unit(shifted: int) -> None:
    """The interpreter knows no assembly."""
    assert unpacks(torch.device("cuda:0"), shifted)


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize(("rows", "columns"), TRUE)
@pytest.mark.parametrize("tokens", [1, 2, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_true_shapes(kind: str, tokens: int, rows: int, columns: int) -> None:
    check(kind, tokens, rows, columns, torch.bfloat16)


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("tokens", [1, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_true_swiglu(kind: str, tokens: int) -> None:
    check_swiglu(kind, tokens, 27392, 4096, torch.bfloat16)


@pytest.mark.parametrize("tokens", [1, 3, 40])
def test_several_nf4_matrices_in_one_have_their_own_means(tokens: int) -> None:
    columns, dtype = 512, torch.float16
    parts, exact = [], []
    for rows, size in ((64, 1.0), (32, 5.0)):
        weight, _ = packed("nf4", rows, columns, dtype)
        assert isinstance(weight, Nf4)
        parts.append(weight._replace(scales_mean=weight.scales_mean * size))
        exact.append(unpacked(parts[-1]).view(rows, columns))
    means = [part.scales_mean.expand(rows) for part, rows in zip(parts, (64, 32), strict=True)]
    one = Nf4(*(torch.cat([part[at] for part in parts]) for at in range(3)), torch.cat(means))
    x = random(tokens, columns, dtype=dtype)
    assert error(linear(x, one), x.double() @ torch.cat(exact).T) < LARGEST[dtype]
