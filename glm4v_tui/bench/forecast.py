"""The plan's forecasts beside the rows that ``bench memory`` measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.plan import PRECISIONS, Load, Tower, known_shape
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.memory import Room, plan_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glm4v_tui.plan import Shape

_SHAPES = {"glm-4v-9b": "zai-org/glm-4v-9b", "glm-4.1v": "zai-org/GLM-4.1V-9B-Thinking"}
_PLENTY = 1 << 50


class Compared(msgspec.Struct, frozen=True):
    """One row; sizes in GiB of the allocator, errors as shares of what was measured."""

    shape: str
    precision: str
    tower: Tower
    away: int
    """Layers of the language model that were streamed."""
    weights: float
    weights_forecast: float
    peak: float
    peak_forecast: float
    beside: float | None
    """What NVML counts of the process beyond what the allocator reserved: CUDA's own."""
    slack: float | None
    """Reserved over allocated, less one."""

    @property
    def weights_error(self) -> float:
        return self.weights_forecast / self.weights - 1

    @property
    def peak_error(self) -> float:
        return self.peak_forecast / self.peak - 1


def row_of(line: str) -> dict[str, Any]:
    """Raises UsageError: the line is no row."""
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UsageError(
            "This is no file of measured rows",
            f"One of its lines is no JSON object: {plain_line(line)[:60]!r}.",
            "Name a file that glm4v-tui bench memory --out FILE wrote.",
        )
    return row


def compare(lines: Iterable[str]) -> Iterator[Compared]:
    """Compare every row that answered on one GPU and without a disk; others are passed over.

    Args:
        lines: As ``bench memory`` prints them, a JSON object each.

    Raises:
        UsageError: a line is something else.
    """
    for row in map(row_of, lines):
        shape = row.get("shape")
        if shape in _SHAPES and "answer_peak_gib" in row and "disk" not in str(row.get("on")):
            yield _compared(row, str(shape))


def _compared(row: dict[str, Any], name: str) -> Compared:
    shape = known_shape(_SHAPES[name])
    assert shape is not None
    tower, here = _tower(row), _layers_here(row, shape)
    pixels, prompt = int(row["pixels"]), int(row["prompt_tokens"])
    load = Load(((pixels, pixels),), context=prompt + int(row["new"]), prompt=prompt)
    precision = PRECISIONS[row["precision"]]
    plan = plan_for(shape, precision, Room(_PLENTY), load, tower, layers_here=here)
    peak, reserved = float(row["answer_peak_gib"]), row.get("answer_reserved_gib")
    process = row.get("answer_gpu_process_gib")
    return Compared(
        shape=name,
        precision=str(row["precision"]),
        tower=tower,
        away=shape.language.layers - here,
        weights=float(row["resident_gib"]),
        weights_forecast=plan.resident / GIB,
        peak=max(peak, float(row.get("load_peak_gib", 0))),
        peak_forecast=plan.peak / GIB,
        beside=process - reserved if process and reserved else None,
        slack=reserved / peak - 1 if reserved else None,
    )


def _tower(row: dict[str, Any]) -> Tower:
    """As the row tells; older ones only tell that something was in host memory."""
    if "tower" in row:
        return Tower(row["tower"])
    if row.get("vision", "auto") != "auto":
        return Tower(row["vision"])
    if "host" not in str(row.get("on")):
        return Tower.RESIDENT
    return Tower.PARKED if PRECISIONS[row["precision"]].may_park_vision else Tower.STREAMED


def _layers_here(row: dict[str, Any], shape: Shape) -> int:
    """As the row tells; for older ones, as many as the memory that was measured holds."""
    layers = shape.language.layers
    if "layers_here" in row:
        return int(row["layers_here"])
    if _tower(row) is not Tower.STREAMED or row.get("vision", "auto") != "auto":
        return layers
    room, load = Room(_PLENTY), Load()
    plan = plan_for(shape, PRECISIONS[row["precision"]], room, load, Tower.STREAMED)
    missing = plan.resident - float(row["resident_gib"]) * GIB
    return layers - round(missing / (plan.weights.language / layers))


def table(rows: Iterable[Compared]) -> str:
    """The comparison as Markdown, with what CUDA and the allocator took besides."""
    lines = [
        "| shape | precision | weights: forecast; measured; error "
        "| peak: forecast; measured; error | CUDA GiB | slack |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        where = "" if row.tower is Tower.RESIDENT else f" {row.tower}"
        where += f", {row.away} layers streamed" if row.away else ""
        weights = f"{row.weights_forecast:.2f}; {row.weights:.2f}; {row.weights_error:+.1%}"
        peak = f"{row.peak_forecast:.2f}; {row.peak:.2f}; {row.peak_error:+.1%}"
        beside = "" if row.beside is None else f"{row.beside:.2f}"
        slack = "" if row.slack is None else f"{row.slack:.1%}"
        name = f"{row.precision}{where}"
        lines.append(f"| {row.shape} | {name} | {weights} | {peak} | {beside} | {slack} |")
    return "\n".join(lines)
