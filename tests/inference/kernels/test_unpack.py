"""Products of many tokens with packed weights, some rows at a time made whole."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import Int8, Nf4, add_linear_, linear
from glm4v_tui.inference.kernels import unpack as unpacking
from tests.inference.kernels.conftest import DEVICE, DTYPES
from tests.inference.kernels.references import LARGEST, error, packed, random

SHAPES = [(48, 320), (33, 192)] if DEVICE == "cpu" else [(4096, 13696), (27392, 4096), (33, 192)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_rows_are_those_that_were_packed(rows: int, columns: int, dtype: torch.dtype) -> None:
    weight, exact = packed("nf4", rows, columns, dtype)
    assert isinstance(weight, Nf4)
    first = rows // 3
    out = torch.full((rows - first, columns), float("nan"), dtype=dtype, device=DEVICE)
    unpacking.unpack_nf4(weight, first, out)
    assert error(out, exact[first:]) < LARGEST[dtype]


def test_int8_rows_are_those_that_were_packed() -> None:
    rows, columns = SHAPES[0]
    weight, exact = packed("int8", rows, columns, torch.float16)
    assert isinstance(weight, Int8)
    first = rows // 3
    out = torch.full((rows - first, columns), float("nan"), dtype=torch.float16, device=DEVICE)
    unpacking.unpack_int8(weight, first, out)
    assert error(out, exact[first:]) < LARGEST[torch.float16]


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_pieces_add_up_to_the_product(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = SHAPES[0]
    dtype = torch.float16
    monkeypatch.setattr(unpacking, "WEIGHTS_AT_ONCE", 40 * columns)
    monkeypatch.setattr(unpacking, "_ALIGNED", 16)
    weight, exact = packed(kind, rows, columns, dtype)
    x, bias = random(40, columns, dtype=dtype), random(rows, dtype=dtype)
    assert error(linear(x, weight, bias), x.double() @ exact.T + bias.double()) < 2e-2
    assert error(linear(x, weight), x.double() @ exact.T) < 2e-2
    total = random(40, rows, dtype=dtype, seed=9)
    expected = total.double() + x.double() @ exact.T
    add_linear_(total, x, weight)
    assert error(total, expected) < 2e-2


@pytest.mark.parametrize("tokens", [3, 40])
@pytest.mark.parametrize("kind", ["16 bits", "int8", "nf4"])
def test_a_product_is_added_to_what_is_there(kind: str, tokens: int) -> None:
    """Few tokens and many go different ways."""
    rows, columns = SHAPES[0]
    weight, exact = packed(kind, rows, columns, torch.float16)
    x = random(tokens, columns, dtype=torch.float16)
    total = random(tokens, rows, dtype=torch.float16, seed=9)
    expected = total.double() + x.double() @ exact.T
    add_linear_(total, x, weight)
    assert error(total, expected) < 2e-3
