"""Contradictions inside of an inspection. Each holds whatever the picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from glm4v_tui_defect.inspection import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui_defect.inspection import Defect, DefectOptions, Inspection

PLACES: tuple[str, ...] = get_args(Place)
_GRID = 1000
_NEARLY_ALL = 0.95
"""A box of this share of the picture points at nothing."""


def contradictions(result: Inspection, options: DefectOptions) -> Iterator[str]:
    """What cannot be right, in words; defects by their number, as the panel counts them."""
    yield from _of_grade(result, options.passing_grade)
    for number, defect in enumerate(result.defects, 1):
        for problem in (*_of_box(defect), *_of_type(defect, options.classes)):
            yield f"Defect {number} ({defect.type}): {problem}"
    yield from _twice(result.defects)


def _of_grade(result: Inspection, passing: int) -> Iterator[str]:
    grade, defects = result.grade, result.defects
    if not defects and grade < passing:
        yield f"The grade is {grade}, yet no defect is listed."
    elif defects and grade == 10:
        yield f"The grade is 10, that of a part without defects; {len(defects)} listed."
    elif grade >= passing and any(one.severity == "severe" for one in defects):
        yield f"The grade of {grade} passes, yet a severe defect is listed."


def _of_box(defect: Defect) -> Iterator[str]:
    left, top, right, bottom = defect.box
    if right < left or bottom < top:
        yield "the corners of its box are in the wrong order."
    elif (left, top) == (right, bottom):
        yield "its box is a single point."
    elif (right + 1 - left) * (bottom + 1 - top) >= _NEARLY_ALL * _GRID**2:
        yield "its box is the whole picture."
    elif not _meets(defect):
        yield f"its box does not touch the {defect.place} of the picture."


def _meets(defect: Defect) -> bool:
    """Whether the box reaches into the field that the place names.

    Boxes are drawn roughly, so no more is asked for: one that reaches into several fields may be
    said to lie in any of them.
    """
    row, column = divmod(PLACES.index(defect.place), 3)
    left, top, right, bottom = defect.box
    across = _overlap(left, right, column)
    return across and _overlap(top, bottom, row)


def _overlap(first: int, last: int, third: int) -> bool:
    """Whether thousandths ``first`` to ``last``, both included, reach into this third."""
    return 3 * first < _GRID * (third + 1) and 3 * (last + 1) > _GRID * third


def _of_type(defect: Defect, classes: tuple[str, ...]) -> Iterator[str]:
    if classes and defect.type not in classes:
        yield "its type is not one of the classes in the settings."


def _twice(defects: list[Defect]) -> Iterator[str]:
    seen: dict[tuple[str, tuple[int, ...]], int] = {}
    for number, defect in enumerate(defects, 1):
        first = seen.setdefault((defect.type, tuple(defect.box)), number)
        if first != number:
            yield f"Defects {first} and {number} are one: same type, same box."
