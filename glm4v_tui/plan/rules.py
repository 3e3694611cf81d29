"""Which part of a model is kept in which format: a precision is a table of parts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from glm4v_tui.plan.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    embedding: Format
    head: Format
    vision: Format
    adapter: Format
    embedding_in_host: bool = False
    may_park_vision: bool = False
    """The vision tower may wait in host memory, or come from there layer by layer."""
    in_pieces: bool = True
    """Products with quantized matrices are made in pieces; bitsandbytes' own layers do not."""

    def of(self, part: Part) -> Format:
        """The format of a part's matrices."""
        form: Format = getattr(self, part.value)
        return form


class RuleLike(Protocol):
    """A rule of a precision, as far as a plan looks at it; the first that fits a part counts."""

    @property
    def part(self) -> str: ...
    @property
    def pattern(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def place(self) -> str: ...


_WHOLE = (Format.FP32, Format.BF16, Format.FP16)


def precision_from(name: str, rules: Sequence[RuleLike]) -> Precision:
    """A precision by its rules. Rules for single modules are passed over: they name too little
    to weigh in a forecast."""
    by_part = {part: _rule_of(rules, part) for part in Part}
    everywhere = next((rule for rule in rules if (rule.part, rule.pattern) == ("*", "*")), None)
    compute = Format(everywhere.format) if everywhere is not None else Format.BF16
    compute = compute if compute in _WHOLE else Format.BF16
    places = {part: rule.place for part, rule in by_part.items() if rule is not None}

    def form_of(part: Part) -> Format:
        rule = by_part[part]
        return compute if rule is None else Format(rule.format)

    return Precision(
        name,
        compute,
        language=form_of(Part.LANGUAGE),
        embedding=form_of(Part.EMBEDDING),
        head=form_of(Part.HEAD),
        vision=form_of(Part.VISION),
        adapter=form_of(Part.ADAPTER),
        embedding_in_host=places.get(Part.EMBEDDING) == "host",
        may_park_vision=places.get(Part.VISION) == "parked",
    )


def _rule_of(rules: Sequence[RuleLike], part: Part) -> RuleLike | None:
    fitting = (rule for rule in rules if rule.part in ("*", part) and rule.pattern == "*")
    return next(fitting, None)


def _plain(form: Format) -> Precision:
    return Precision(form.value, form, form, form, form, form, form)


_BF16, _INT8, _NF4 = Format.BF16, Format.INT8, Format.NF4

PRECISIONS = {
    precision.name: precision
    for precision in (
        _plain(Format.FP32),
        _plain(Format.BF16),
        _plain(Format.FP16),
        Precision("int8", _BF16, _INT8, _INT8, _BF16, _INT8, _INT8),
        Precision("mixed", _BF16, _NF4, _INT8, _BF16, _INT8, _INT8),
        Precision("int4", _BF16, _NF4, _INT8, _BF16, _NF4, _NF4),
        Precision("int4-compact", _BF16, _NF4, _BF16, _NF4, _NF4, _NF4, True, True),
    )
}
"""By name, the most exact first. An embedding in INT8 only loses the rounding of its rows."""
