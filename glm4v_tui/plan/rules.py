"""Which part of a model is kept in which format: a precision is a table of parts."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from glm4v_tui.plan.formats import Format


class Part(StrEnum):
    """A part of a vision-language model."""

    LANGUAGE = "language"
    """The layers of the language model, and its last norm."""
    EMBEDDING = "embedding"
    """The table of token vectors."""
    HEAD = "head"
    """From the last vector to a score for every token."""
    VISION = "vision"
    """The vision tower."""
    ADAPTER = "adapter"
    """From the tower's vectors to the language model's."""


class Precision(msgspec.Struct, frozen=True):
    """How the matrices of every part are kept; all else is in the format that is computed in."""

    name: str
    compute: Format
    language: Format
    vision: Format
    adapter: Format
    head: Format
    embedding_in_host: bool = False
    may_park_vision: bool = False
    """The vision tower may wait in host memory, or come from there layer by layer."""

    def of(self, part: Part) -> Format:
        """The format of a part's matrices."""
        match part:
            case Part.LANGUAGE:
                return self.language
            case Part.VISION:
                return self.vision
            case Part.ADAPTER:
                return self.adapter
            case Part.HEAD:
                return self.head
            case Part.EMBEDDING:
                return self.compute

    @property
    def is_quantized(self) -> bool:
        return self.language is not self.compute


def _plain(form: Format) -> Precision:
    return Precision(form.value, form, form, form, form, form)


_BF16, _INT8, _NF4 = Format.BF16, Format.INT8, Format.NF4

PRECISIONS = {
    precision.name: precision
    for precision in (
        _plain(Format.FP32),
        _plain(Format.BF16),
        _plain(Format.FP16),
        Precision("int8", _BF16, _INT8, _INT8, _INT8, _BF16),
        Precision("mixed", _BF16, _NF4, _INT8, _INT8, _BF16),
        Precision("int4", _BF16, _NF4, _NF4, _NF4, _BF16),
        Precision("int4-compact", _BF16, _NF4, _NF4, _NF4, _NF4, True, True),
    )
}
"""By name, the most exact first."""
