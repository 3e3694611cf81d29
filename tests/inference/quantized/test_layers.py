from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from glm4v_tui.inference.quantized import kernels
from glm4v_tui.inference.quantized import layers as quantized_layers
from glm4v_tui.inference.quantized.layers import (
    Int8Embedding,
    Int8Linear,
    Nf4Linear,
    QuantizedLayer,
    QuantizedLinear,
)
from glm4v_tui.plan.formats import matrix_bytes, packing_bytes
from tests.plan.allocations import Allocations

kernels.require_kernels()

KINDS = [Int8Linear, Nf4Linear]


def linear(columns: int = 128, rows: int = 96, *, bias: bool = True) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(columns, rows, bias=bias).to(torch.bfloat16).requires_grad_(False)


def packed(kind: type[QuantizedLinear], one: nn.Linear) -> QuantizedLinear:
    layer = kind(one)
    layer.take(layer.pack(one.weight.detach()))
    return layer


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.float() - other.float()).norm() / other.float().norm())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "limit"), [(Int8Linear, 0.02), (Nf4Linear, 0.12)])
def test_products_are_near_the_exact_ones(
    kind: type[QuantizedLinear], limit: float, bias: bool
) -> None:
    one = linear(bias=bias)
    inputs = torch.randn(2, 5, 128, dtype=torch.bfloat16)
    result = packed(kind, one)(inputs)
    assert result.shape == (2, 5, 96)
    assert 0 < distance(result, one(inputs)) < limit


def test_nf4_has_the_very_bits_of_bitsandbytes() -> None:
    from bitsandbytes.nn import Linear4bit

    one = linear()
    theirs = Linear4bit(128, 96, compute_dtype=torch.bfloat16, quant_type="nf4")
    theirs.load_state_dict(one.state_dict())
    theirs.to("cpu")
    ours = packed(Nf4Linear, one)
    state = theirs.weight.quant_state
    assert torch.equal(ours.weight, theirs.weight.view(-1))
    assert torch.equal(ours.scales, state.absmax)
    assert torch.equal(ours.scales_scale, state.state2.absmax)


@pytest.mark.parametrize("shape", [(96, 128), (7, 130), (301, 63)])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_in_pieces_is_the_same(
    kind: type[QuantizedLinear], shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = linear(shape[1], shape[0], bias=False)
    whole = kind(one).pack(one.weight.detach())
    monkeypatch.setattr(kernels, "WEIGHTS_AT_ONCE", 400)  # NF4: 384, which no row is a part of
    pieces: list[int] = []

    def bring(piece: torch.Tensor) -> torch.Tensor:
        pieces.append(piece.numel())
        return piece.clone()

    found = kind(one).pack(one.weight.detach(), bring)
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
    assert max(pieces) <= 400
    assert sum(pieces) == one.weight.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_packing_needs_little_beside_the_result(
    kind: type[QuantizedLinear], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest matrix of a model would else be the peak of its loading."""
    one = linear(512, 4096, bias=False)
    monkeypatch.setattr(kernels, "WEIGHTS_AT_ONCE", 1 << 14)
    with Allocations() as counted:
        kept = kind(one).pack(one.weight.detach(), torch.clone)
    beside = counted.peak - one.weight.nbytes - sum(tensor.nbytes for tensor in kept.values())
    assert beside <= packing_bytes(4096, 512, kind.format, at_once=1 << 14)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_a_large_matrix_is_packed_on_the_gpu_with_little_beside_the_result(
    kind: type[QuantizedLinear],
) -> None:
    """And NF4's bytes are those that bitsandbytes makes of the whole."""
    from bitsandbytes.functional import quantize_4bit

    rows, columns = 40_000, 4096
    weight = torch.randn(4000, columns).to(torch.bfloat16).repeat(10, 1)
    layer = kind(nn.Linear(columns, rows, bias=False, device="meta"))
    layer.pack(weight[:64], lambda piece: piece.cuda())  # makes what is made once
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = layer.pack(weight, lambda piece: piece.cuda())
    peak = torch.cuda.max_memory_allocated() - before
    limit = matrix_bytes(rows, columns, kind.format) + packing_bytes(rows, columns, kind.format)
    assert peak <= limit + (4 << 20)
    if kind is Nf4Linear:
        whole, state = quantize_4bit(
            weight.cuda(), blocksize=64, compress_statistics=True, quant_type="nf4"
        )
        assert torch.equal(kept["weight"], whole.view(-1))
        assert torch.equal(kept["scales"], state.absmax)
        assert torch.equal(kept["scales_scale"], state.state2.absmax)


def test_importing_the_kernels_does_not_load_a_compiler() -> None:
    """It takes as long as all else of a start."""
    program = (
        "import sys; from glm4v_tui.inference.quantized.kernels import require_kernels;"
        "require_kernels(); import torch;"
        "print('torch._inductor' in sys.modules, torch.compile.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "torch"]


def test_nf4_unpacked_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    one = linear()
    layer = packed(Nf4Linear, one)
    inputs = torch.randn(40, 128, dtype=torch.bfloat16)
    whole = layer(inputs)
    for module in (kernels, quantized_layers):
        monkeypatch.setattr(module, "WEIGHTS_AT_ONCE", 20 * 128)  # 96 rows: 20, 20, 20, 20, 16
    assert distance(layer(inputs), whole) < 0.003


def test_int8_of_many_tokens_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = packed(Int8Linear, linear())
    inputs = torch.randn(40, 128, dtype=torch.bfloat16)
    whole = layer(inputs)
    monkeypatch.setattr(quantized_layers, "ROWS_AT_ONCE", 16)
    assert torch.equal(layer(inputs), whole)


def test_columns_of_outliers_are_computed_exactly() -> None:
    one = linear(bias=False)
    inputs = torch.randn(4, 128, dtype=torch.bfloat16)
    inputs[:, 7] = 300.0  # takes the whole range of eight bits from the others
    rough = packed(Int8Linear, one)
    fine = packed(Int8Linear, one)
    fine.outliers = 6.0
    exact = one(inputs)
    assert distance(fine(inputs), exact) < 0.5 * distance(rough(inputs), exact)


def test_the_cpus_layout_computes_the_same() -> None:
    import bitsandbytes.functional as functional

    layer = packed(Nf4Linear, linear())
    inputs = torch.randn(3, 128, dtype=torch.bfloat16)
    before = layer(inputs)
    assert isinstance(layer, Nf4Linear)
    layer.lay_out_for_cpu()
    assert (layer._for_cpu is not None) is bool(functional.has_avx512bf16())
    assert distance(layer(inputs), before) < 0.01


def test_rows_of_an_embedding() -> None:
    torch.manual_seed(4)
    one = nn.Embedding(50, 64, dtype=torch.bfloat16).requires_grad_(False)
    layer = Int8Embedding(one)
    layer.take(layer.pack(one.weight.detach()))
    ids = torch.tensor([[3, 49, 3]])
    rows = layer(ids)
    assert rows.dtype == torch.bfloat16
    assert 0 < distance(rows, one(ids)) < 0.012


@pytest.mark.parametrize("shape", [(96, 128), (7, 130), (300, 64)])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_promised_is_what_is_kept(
    kind: type[QuantizedLinear], shape: tuple[int, int]
) -> None:
    """Plans count with ``packed_bytes``, and saved weights are loaded into declared shapes."""
    rows, columns = shape
    one = linear(columns, rows, bias=False)
    layer, declared = kind(one), kind(one)
    kept = layer.pack(one.weight.detach())
    declared.expect_packed()
    assert sum(tensor.nbytes for tensor in kept.values()) == layer.packed_bytes
    _require_same_shapes(declared, kept)


def _require_same_shapes(declared: QuantizedLayer, kept: dict[str, torch.Tensor]) -> None:
    state = declared.state_dict()
    assert {name: (t.shape, t.dtype) for name, t in state.items()} == {
        name: (t.shape, t.dtype) for name, t in kept.items()
    }
