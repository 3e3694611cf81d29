"""Measured values and what they are held against."""

from __future__ import annotations

import math
import os
import platform
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Figure(msgspec.Struct, frozen=True):
    """One measured value."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    """The value may be at most this; None when it is only told."""
    samples: int = 1

    @property
    def is_met(self) -> bool:
        return self.limit is None or self.value <= self.limit


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    system: str
    python: str
    textual: str
    cores: int
    load: float
    """Processes waiting for a core in the last minute, when the measuring began."""


class Report(msgspec.Struct, frozen=True):
    machine: Machine
    figures: tuple[Figure, ...]
    failures: tuple[str, ...] = ()
    """Measurements that could not be taken to their end, and why."""

    @property
    def is_met(self) -> bool:
        return not self.failures and all(figure.is_met for figure in self.figures)


def this_machine() -> Machine:
    from importlib.metadata import version

    return Machine(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        textual=version("textual"),
        cores=os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not exceeded by ``percent`` of all (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


def table(report: Report) -> str:
    """The report for people to read."""
    width = max((len(figure.name) for figure in report.figures), default=0)
    lines = [_row(figure, width) for figure in report.figures]
    machine = report.machine
    return "\n".join(
        [
            f"{machine.system}, {machine.cores} cores (load {machine.load:g}), "
            f"Python {machine.python}, Textual {machine.textual}",
            "",
            *lines,
            *(f"✗ {failure}" for failure in report.failures),
        ]
    )


def _row(figure: Figure, width: int) -> str:
    value = f"{figure.value:,.2f}" if figure.value < 10 else f"{figure.value:,.0f}"
    limit = "" if figure.limit is None else f"at most {figure.limit:g} {figure.unit}".rstrip()
    mark = " " if figure.limit is None else "✓" if figure.is_met else "✗"
    return f"{mark} {figure.name:<{width}}  {value:>8} {figure.unit:<4} {limit}".rstrip()
