"""The plan as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.commands.plan_serving import serving_lines
from glm4v_tui.plain import plain_line
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.rules import PRECISIONS
from glm4v_tui.plan.weights import Tower

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from glm4v_tui.commands.plan import Machine, PlanReport
    from glm4v_tui.plan import Plan
    from glm4v_tui.plan.cards import CardPlan

_HEADINGS = (
    "precision", "layers", "embed", "head", "vision", "adapter", "KV", "at work", "CUDA",
    "needed", "host", "fits", "tok/s", "limit",
)  # fmt: skip
_TOWERS = {
    Tower.RESIDENT: "",
    Tower.PARKED: "vision tower fetched for images",
    Tower.STREAMED: "vision tower fetched layer by layer",
}


def text_of(report: PlanReport) -> str:
    """All of a report, ending in a newline."""
    return "\n".join(line.rstrip() for line in _lines(report)) + "\n"


def _lines(report: PlanReport) -> Iterator[str]:
    yield from _introduction(report)
    yield ""
    yield "Sizes in GiB; needed: what must be free on the GPU before it starts."
    yield from _table(_HEADINGS, [_row(plan, report) for plan in report.plans])
    yield ""
    yield from _here(report)
    yield ""
    yield "On usual cards, with nothing else on them:"
    headings = ("card", "GiB", "precision", "needed", "tok/s", "limit", "")
    yield from _table(headings, [_card_row(card) for card in report.cards], words=(0, 2, 6))
    yield ""
    if report.serving is not None:
        yield from serving_lines(report.serving, report.model)
        yield ""
    yield from _notes(report)


def _introduction(report: PlanReport) -> Iterator[str]:
    plan, (width, height) = report.plans[-1], report.image  # keys and values in 16 bits
    billions = report.parameters / 1e9
    yield f"{plain_line(report.model)}: {billions:.2f} billion parameters, by {report.source}."
    image = f"An image of {width}x{height} ({plan.image_tokens:,} tokens"
    yield f"{image}, {plan.kv_per_image / 2**20:.0f} MiB of keys and values),"
    each = plan.kv_per_token / 1024
    yield f"a context of {report.load.context:,} tokens at {each:.0f} KiB each."


def _row(plan: Plan, report: PlanReport) -> tuple[str, ...]:
    parts = plan.weights
    has_gpu = report.machine.gpu_free is not None
    return (
        plan.precision,
        *(_gib(size) for size in (parts.language, parts.embedding, parts.head, parts.vision)),
        _gib(parts.adapter),
        _gib(plan.kv),
        _gib(plan.peak - plan.resident - plan.kv),
        _gib(plan.context + plan.slack),
        _gib(plan.needed),
        _gib(plan.host),
        ("yes" if plan.fits else "no") if has_gpu else "no GPU",
        _speed(plan.tokens_per_s),
        _speed(plan.roofline),
    )


def _here(report: PlanReport) -> Iterator[str]:
    yield f"This machine: {_machine_words(report.machine)}."
    plan = report.recommended
    lead = "Recommended" if report.fits else "Nothing fits as it is; the least bad"
    yield f"{lead}: {plan.precision} on {_where(report)}. {report.why}"
    if plan.device == "cpu":
        yield f"It takes {_gib(plan.host)} GiB of host memory."
    yield from _faster(report)


def _where(report: PlanReport) -> str:
    devices = dict.fromkeys(report.layers)
    is_waiting = report.devices[0] not in devices  # the embedding's
    words = [", ".join(devices), "embedding in host memory" if is_waiting else ""]
    return ", ".join(filter(None, (*words, _TOWERS[report.recommended.tower])))


def _faster(report: PlanReport) -> Iterator[str]:
    """Whether something smaller would answer faster than what is recommended."""
    speed = report.recommended.tokens_per_s
    faster = [
        plan
        for plan in report.plans
        if plan.fits and speed and plan.tokens_per_s and plan.tokens_per_s > 1.2 * speed
    ]
    if faster:
        best = max(faster, key=lambda plan: plan.tokens_per_s or 0)
        yield (
            f"{best.precision} would be faster ({_speed(best.tokens_per_s)} instead of "
            f"{_speed(speed)} tokens/s) and less exact."
        )


def _machine_words(machine: Machine) -> str:
    host = "" if machine.host_free is None else f"{_gib(machine.host_free)} GiB of host memory free"
    if machine.gpu_free is None:
        return f"no GPU; {host or 'host memory unknown'}"
    if machine.is_assumed:
        return machine.gpu
    free = f"{plain_line(machine.gpu)}, {_gib(machine.gpu_free)} GiB free"
    return f"{free}; {host}" if host else free


def _host_words(plan: Plan) -> str:
    """What of a row is no part of what it needs of a GPU."""
    known = PRECISIONS.get(plan.precision)
    parts = ["embed"] if known is not None and known.embedding_in_host else []
    if plan.tower is Tower.RESIDENT:
        also = ""
    else:
        parts.append("vision")
        also = "; 'at work' has what the GPU holds of the tower"
    return f"{plan.precision}: {' and '.join(parts)} in host memory{also}." if parts else ""


def _card_row(card: CardPlan) -> tuple[str, ...]:
    name, size, plan = card.card.name, f"{card.card.memory / GIB:.0f}", card.plan
    if plan is None:
        return name, size, "too small", "", "", "", ""
    speeds = _speed(plan.tokens_per_s), _speed(plan.roofline)
    less = f"with a context of {card.context:,}" if card.is_reduced else ""
    notes = ", ".join(filter(None, (less, _TOWERS[plan.tower])))
    return name, size, plan.precision, _gib(plan.needed), *speeds, notes


def _notes(report: PlanReport) -> Iterator[str]:
    yield "at work: the widest moment beyond weights, keys and values."
    yield "CUDA: its own needs, and what its allocator holds without using it."
    yield from filter(None, map(_host_words, report.plans))
    yield "tok/s: expected, by the share of the limit that was measured on an H100."
    yield "limit: tokens/s if reading the weights were all there is to do (90 % of the bandwidth)."
    if report.is_rough:
        yield "What is at work is a rough guess: this family's code was not studied."
    if report.machine.host_free is not None or report.machine.gpu_free is not None:
        yield "Memory is that of this moment."


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int] = (0,)
) -> Iterator[str]:
    """Columns of numbers to the right, of words to the left."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        yield "  ".join(
            cell.ljust(width) if index in words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size >= GIB else f"{size / GIB:.2f}"


def _speed(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
