"""What ``bench memory`` measured, as the README has it: a line for each precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui.bench.forecast import row_of
from glm4v_tui.bench.shapes import shapes as known_shapes

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

_COLUMNS = ("peak", "process", "load", "first token", "tok/s", "logits off by")


def measured_table(lines: Iterable[str]) -> str:
    """Markdown tables, one for each shape.

    Args:
        lines: As ``bench memory`` prints them, a JSON object each.

    Raises:
        UsageError: a line is something else.
    """
    rows = [row for row in map(row_of, lines) if "load_s" in row]
    names = dict.fromkeys(row["shape"] for row in rows if row["shape"] in known_shapes())
    tables = (_table(name, [row for row in rows if row["shape"] == name]) for name in names)
    return "\n\n".join(tables)


def _table(name: str, rows: list[Row]) -> str:
    lines = [f"| {' | '.join((name, 'card', *_COLUMNS))} |", "|---" * (2 + len(_COLUMNS)) + "|"]
    for row in rows:
        peaks = [row[key] for key in ("load_peak_gib", "answer_peak_gib") if key in row]
        cells = (
            _name(row),
            _number(row.get("card", row.get("cap")), "{:.0f}"),
            _number(max(peaks, default=None), "{:.2f}"),
            _number(row.get("answer_gpu_process_gib"), "{:.2f}"),
            _number(row.get("load_s"), "{:.1f} s"),
            _number(row.get("first_token_s"), "{:.2f} s"),
            _number(row.get("tokens_per_s"), "{:.1f}"),
            _number(row.get("logits_error"), "{:.1%}"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(row: Row) -> str:
    """The precision, and what became of the tower and of the layers where that is not usual."""
    away = row.get("layers", 0) - row.get("layers_here", 0)
    tower = row.get("tower", row.get("vision"))
    notes = (
        f"vision {tower}" if tower in ("parked", "streamed") else "",
        f"{away} layers streamed" if away else "",
        "kept weights" if row.get("from_saved") else "",
    )
    return ", ".join(filter(None, (row["precision"], *notes)))


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
