"""Which part of a model is kept in which format: a precision is a table of parts."""

from __future__ import annotations

import msgspec

from glm4v_tui.precision import PRECISIONS as RULES
from glm4v_tui.precision import Format, Part, Place, Rule, computes_in, format_of


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


def precision_from(name: str, rules: tuple[Rule, ...]) -> Precision:
    """A precision by its rules. Rules for single modules are passed over: they name too little
    to weigh in a forecast."""
    by_part = {part: _rule_of(rules, part) for part in Part}
    compute = computes_in(rules)
    places = {part: rule.place for part, rule in by_part.items() if rule is not None}

    def form_of(part: Part) -> Format:
        rule = by_part[part]
        return compute if rule is None else rule.format

    return Precision(
        name,
        compute,
        language=form_of(Part.LANGUAGE),
        embedding=form_of(Part.EMBEDDING),
        head=form_of(Part.HEAD),
        vision=form_of(Part.VISION),
        adapter=form_of(Part.ADAPTER),
        embedding_in_host=places.get(Part.EMBEDDING) is Place.HOST,
        may_park_vision=places.get(Part.VISION) is Place.PARKED,
    )


def _rule_of(rules: tuple[Rule, ...], part: Part) -> Rule | None:
    return format_of(tuple(rule for rule in rules if rule.pattern == "*"), part, "")


PRECISIONS = {name: precision_from(name, rules) for name, rules in RULES.items()}
"""The named precisions as a plan sees them, the most exact first."""
