"""Layers whose weights are kept in INT8 or NF4, in plain tensors.

bitsandbytes' own layers keep their scales in attributes of tensor subclasses that change while they
are moved; plain tensors can be moved, streamed, counted and saved like any others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from glm4v_tui.inference import kernels
from glm4v_tui.inference.kernels import Int8
from glm4v_tui.inference.quantized.kernels import (
    WEIGHTS_AT_ONCE,
    CpuNf4,
    Nf4,
    int8_product,
    int8_rows,
    nf4_for_cpu,
    nf4_pack,
    nf4_product,
    nf4_product_in_pieces,
    nf4_product_on_cpu,
    nf4_unpack,
)
from glm4v_tui.precision import NF4_BLOCK, NF4_SCALES_BLOCK, Format, bytes_of_linear

if TYPE_CHECKING:
    from glm4v_tui.inference.quantized.kernels import Bring

ROWS_AT_ONCE = 1024
"""Tokens that INT8 multiplies at once: its products are int32, twice as large as the results."""
FUSED_ROWS = 16
"""Up to so many tokens NF4 multiplies without unpacking, where the GPU has a kernel for it."""


def by_kernels(
    inputs: torch.Tensor, weight: Int8 | Nf4, bias: torch.Tensor | None
) -> torch.Tensor | None:
    """(..., columns) to (..., rows) by this program's kernels; None where they do not run."""
    flat = inputs.reshape(-1, inputs.shape[-1])
    if not kernels.takes(flat, weight):
        return None
    return kernels.linear(flat, weight, bias).view(*inputs.shape[:-1], -1)


def _here(piece: torch.Tensor) -> torch.Tensor:
    return piece


class QuantizedLayer(nn.Module):
    """A layer that takes its weights as they are and keeps them smaller.

    Before loading ``weight`` has the checkpoint's shape and a floating dtype, as transformers
    expects of what it fills; :meth:`take` replaces it.
    """

    format: ClassVar[Format]
    rows: int
    columns: int

    def pack(self, weight: torch.Tensor, bring: Bring = _here) -> dict[str, torch.Tensor]:
        """Name -> tensor of what is kept of a (rows, columns) weight.

        Args:
            bring: Brings a piece of the weight to where it is packed; what is kept stays there.
        """
        raise NotImplementedError

    def expect_packed(self) -> None:
        """Give the tensors the shapes that :meth:`pack` makes, to load what it made."""
        raise NotImplementedError

    @property
    def packed_bytes(self) -> int:
        return bytes_of_linear(self.rows, self.columns, self.format)

    def take(self, packed: dict[str, torch.Tensor]) -> None:
        for name, tensor in packed.items():
            if name == "weight":
                self.weight = nn.Parameter(tensor, requires_grad=False)
            else:  # no parameters: the first floating one of a model tells its dtype
                self.register_buffer(name, tensor)

    def _declare(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self.take({name: torch.empty(shape, dtype=dtype, device="meta")})

    def extra_repr(self) -> str:
        return f"{self.rows}, {self.columns}, {self.format}"


class QuantizedLinear(QuantizedLayer):
    """In place of ``nn.Linear``; ``in_features`` and ``out_features`` are as there."""

    def __init__(self, linear: nn.Linear, outliers: float = 0.0) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.rows, self.columns = linear.out_features, linear.in_features
        self.outliers = outliers
        self.weight = nn.Parameter(linear.weight.detach(), requires_grad=False)
        self.bias = linear.bias


class Int8Linear(QuantizedLinear):
    """LLM.int8: rows of weights and of inputs in 8 bits, each with its largest value as scale."""

    format = Format.INT8
    scale: torch.Tensor

    def pack(self, weight: torch.Tensor, bring: Bring = _here) -> dict[str, torch.Tensor]:
        packed, scale = int8_rows(weight, bring)
        return {"weight": packed, "scale": scale}

    def expect_packed(self) -> None:
        self._declare("weight", (self.rows, self.columns), torch.int8)
        self._declare("scale", (self.rows,), torch.float32)

    @property
    def kept(self) -> Int8:
        return Int8(self.weight, self.scale)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = by_kernels(inputs, self.kept, self.bias)
        if found is not None:
            return found
        flat = inputs.reshape(-1, self.columns)
        if len(flat) <= ROWS_AT_ONCE:
            result = self._product(flat)
        else:
            result = flat.new_empty(len(flat), self.rows)
            for start in range(0, len(flat), ROWS_AT_ONCE):
                some = slice(start, start + ROWS_AT_ONCE)
                result[some] = self._product(flat[some])
        return result.view(*inputs.shape[:-1], self.rows)

    def _product(self, flat: torch.Tensor) -> torch.Tensor:
        return int8_product(flat, self.weight, self.scale, self.bias, self.outliers)


class Nf4Linear(QuantizedLinear):
    """NF4 with double quantization, see :class:`Nf4`."""

    format = Format.NF4
    scales: torch.Tensor
    scales_scale: torch.Tensor
    scales_mean: torch.Tensor

    def __init__(self, linear: nn.Linear, outliers: float = 0.0) -> None:
        super().__init__(linear, outliers)
        self._for_cpu: CpuNf4 | None = None

    @property
    def kept(self) -> Nf4:
        return Nf4(self.weight, self.scales, self.scales_scale, self.scales_mean)

    def pack(self, weight: torch.Tensor, bring: Bring = _here) -> dict[str, torch.Tensor]:
        return nf4_pack(weight, bring)._asdict()

    def expect_packed(self) -> None:
        count = self.rows * self.columns
        blocks = -(-count // NF4_BLOCK)
        self._declare("weight", (-(-count // 2),), torch.uint8)
        self._declare("scales", (blocks,), torch.uint8)
        self._declare("scales_scale", (-(-blocks // NF4_SCALES_BLOCK),), torch.float32)
        self._declare("scales_mean", (), torch.float32)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        shape = (self.rows, self.columns)
        if self._for_cpu is not None:
            return nf4_product_on_cpu(inputs, self._for_cpu, shape, self.bias)
        found = by_kernels(inputs, self.kept, self.bias)
        if found is not None:
            return found
        tokens = inputs.numel() // self.columns
        is_large = self.rows * self.columns > WEIGHTS_AT_ONCE and self.columns % NF4_BLOCK == 0
        if tokens > FUSED_ROWS and is_large:
            return nf4_product_in_pieces(inputs, self.kept, shape, self.bias)
        return nf4_product(inputs, self.kept, shape, self.bias)

    def unpack(self, dtype: torch.dtype) -> torch.Tensor:
        """The weights as they are computed with, (rows, columns)."""
        return nf4_unpack(self.kept, (self.rows, self.columns), dtype)

    def lay_out_for_cpu(self) -> None:
        """Keep the weights as the CPU's kernel reads them; there is no way back."""
        self._for_cpu = nf4_for_cpu(self.kept, (self.rows, self.columns))
        if self._for_cpu is not None:
            self.weight = nn.Parameter(self._for_cpu.weight, requires_grad=False)


class Int8Embedding(QuantizedLayer):
    """Rows in 8 bits. Nothing is multiplied, so only the rows themselves are rounded."""

    format = Format.INT8
    scale: torch.Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.rows, self.columns = embedding.num_embeddings, embedding.embedding_dim
        self.num_embeddings, self.embedding_dim = self.rows, self.columns
        self.padding_idx = embedding.padding_idx
        self.dtype = embedding.weight.dtype
        self.weight = nn.Parameter(embedding.weight.detach(), requires_grad=False)

    def pack(self, weight: torch.Tensor, bring: Bring = _here) -> dict[str, torch.Tensor]:
        packed, scale = int8_rows(weight, bring)
        return {"weight": packed, "scale": scale}

    def expect_packed(self) -> None:
        self._declare("weight", (self.rows, self.columns), torch.int8)
        self._declare("scale", (self.rows,), torch.float32)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows = nn.functional.embedding(ids, self.weight)
        scale = nn.functional.embedding(ids, self.scale[:, None])
        return (rows * (scale / 127)).to(self.dtype)
