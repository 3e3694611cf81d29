"""What the parts of a checkpoint take in a precision, and where they wait."""

from __future__ import annotations

from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.formats import itemsize, matrix_bytes, packing_bytes, rounded
from glm4v_tui.precision import Part

if TYPE_CHECKING:
    from glm4v_tui.plan.rules import Precision
    from glm4v_tui.plan.shape import Shape, Weight


class Tower(StrEnum):
    """Where the vision tower is while it is not needed."""

    RESIDENT = "resident"
    """On the GPU, always."""
    PARKED = "parked"
    """In host memory; the whole of it is fetched for images."""
    STREAMED = "streamed"
    """In host memory; its layers are fetched one by one."""


class PartBytes(msgspec.Struct, frozen=True):
    """Bytes by part of the model."""

    language: int = 0
    embedding: int = 0
    head: int = 0
    vision: int = 0
    adapter: int = 0

    @property
    def total(self) -> int:
        return self.language + self.embedding + self.head + self.vision + self.adapter


def weight_bytes(weight: Weight, precision: Precision, shape: Shape) -> int:
    """One tensor (all of its count) in a precision."""
    if shape.is_stored_quantized and weight.stored:
        return weight.count * rounded(weight.stored)
    # A tied embedding is the head's matrix as well, and is left whole.
    is_table = weight.part is Part.EMBEDDING and len(weight.shape) == 2 and not shape.is_tied
    if weight.is_matrix or is_table:
        rows, columns = weight.shape
        return weight.count * matrix_bytes(rows, columns, precision.of(weight.part))
    return weight.count * rounded(prod(weight.shape) * itemsize(precision.compute))


def part_bytes(shape: Shape, precision: Precision) -> PartBytes:
    """All parts of a checkpoint in a precision."""
    sizes = dict.fromkeys(Part, 0)
    for weight in shape.weights:
        sizes[weight.part] += weight_bytes(weight, precision, shape)
    return PartBytes(*(sizes[part] for part in Part))


def tower_layers_bytes(shape: Shape, precision: Precision) -> int:
    """Of the vision tower what is in its layers: tensors that are there once a layer."""
    layers = shape.vision.layers if shape.vision else 0
    return sum(
        weight_bytes(weight, precision, shape)
        for weight in shape.weights
        if weight.part is Part.VISION and layers and weight.count % layers == 0
    )


def most_packing(shape: Shape, precision: Precision) -> int:
    """The most that quantizing one matrix takes while a checkpoint is loaded. Of one that does not
    stay on the GPU, the result as well; embedding and head do, or are not brought there."""
    if shape.is_stored_quantized:
        return 0
    return max((_packing(weight, precision) for weight in shape.weights), default=0)


def _packing(weight: Weight, precision: Precision) -> int:
    form = precision.of(weight.part)
    is_table = weight.part in (Part.EMBEDDING, Part.HEAD) and len(weight.shape) == 2
    if form == precision.compute or not (weight.is_matrix or is_table):
        return 0
    rows, columns = weight.shape
    work = packing_bytes(rows, columns, form)
    return work if is_table else work + matrix_bytes(rows, columns, form)
