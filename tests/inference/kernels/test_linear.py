"""Products of one token and of several, in every format."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.inference.kernels import linear, linear_swiglu
from tests.inference.kernels.conftest import DEVICE, DTYPES
from tests.inference.kernels.references import LARGEST, error, packed, random

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


def test_more_tokens_than_a_tile_go_another_way() -> None:
    check("int8", 17, 16, 128, torch.float16)


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
