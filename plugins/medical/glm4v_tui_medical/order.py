"""Files of scans, told apart by series and put in the order of their slices; no pixel is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm4v_tui.images.files import regular_file
from glm4v_tui_medical.facts import normal_of
from glm4v_tui_medical.header import Header, quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_KEYWORDS = (
    *("SeriesInstanceUID", "SeriesNumber", "InstanceNumber"),
    *("ImagePositionPatient", "ImageOrientationPatient", "Rows"),
)
_PARALLEL = 1
"""Digits that the normals of one stack agree in: 0.1, or 3 degrees."""


@dataclass(frozen=True)
class _Slice:
    path: Path
    name: tuple[tuple[int, str], ...]
    """The file's name with its numbers as numbers: 2 before 10."""
    series: str = ""
    series_number: float = 0.0
    instance: float | None = None
    normal: tuple[float, ...] | None = None
    position: float | None = None
    """Millimeters along the normal."""

    @property
    def stack(self) -> tuple[str, tuple[float, ...]]:
        """What has the same belongs together: a series, but for a localizer in it."""
        return self.series, tuple(round(part, _PARALLEL) + 0.0 for part in self.normal or ())


def series_of(paths: Sequence[Path]) -> list[list[Path]]:
    """The files of each series in slice order: by their place along the normal of the slices, else
    by instance number, else by name. Files that cannot be read, or hold no image, are left out: a
    folder from a CD has an index among its slices."""
    quiet()
    stacks: dict[tuple[str, tuple[float, ...]], list[_Slice]] = {}
    for one in filter(None, map(_slice, paths)):
        stacks.setdefault(one.stack, []).append(one)
    ordered = sorted(
        (_in_order(stack) for stack in stacks.values()),
        key=lambda stack: (stack[0].series_number, stack[0].name),
    )
    return [[one.path for one in stack] for stack in ordered]


def _in_order(stack: Sequence[_Slice]) -> list[_Slice]:
    if all(one.position is not None for one in stack):
        return sorted(stack, key=lambda one: (one.position, one.instance or 0, one.name))
    if all(one.instance is not None for one in stack):
        return sorted(stack, key=lambda one: (one.instance, one.name))
    return sorted(stack, key=lambda one: one.name)


def _slice(path: Path) -> _Slice | None:
    name = _natural(path.name)
    try:
        header = _read(path)
        if not header.count("Rows"):
            return None
        normal = normal_of(header.numbers("ImageOrientationPatient"))
        at = header.numbers("ImagePositionPatient")
        return _Slice(
            path,
            name,
            str(header.item("SeriesInstanceUID") or ""),
            header.number("SeriesNumber") or 0.0,
            header.number("InstanceNumber"),
            normal,
            _dot(normal, at) if normal is not None and len(at) == 3 else None,
        )
    except Exception:  # noqa: BLE001 - opening the file will say what is wrong with it
        return None


def _read(path: Path) -> Header:
    import pydicom

    with regular_file(path) as file:
        dataset = pydicom.dcmread(
            file, force=True, stop_before_pixels=True, specific_tags=list(_KEYWORDS)
        )
    return Header(dataset, "", None, False)


def _dot(one: Iterable[float], other: Iterable[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    parts = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
