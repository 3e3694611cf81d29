"""The table of deployments as the README has it: ``python -m glm4v_tui.plan.reference``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from glm4v_tui.plan.cards import CardPlan, card_plans
from glm4v_tui.plan.figures import GIB
from glm4v_tui.plan.known import known_shape
from glm4v_tui.plan.memory import Plan, plans
from glm4v_tui.plan.weights import Tower

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.plan.shape import Shape

_MODELS = ("zai-org/GLM-4.1V-9B-Thinking", "zai-org/glm-4v-9b")
_PLENTY = 1 << 50
_NOTES = {
    Tower.RESIDENT: "",
    Tower.PARKED: "vision parked",
    Tower.STREAMED: "vision streamed",
}


def reference() -> str:
    """Two tables in Markdown: what each precision needs, and what usual cards run."""
    return "\n".join([*_precisions(), "", *_cards()]) + "\n"


def _precisions() -> Iterator[str]:
    names = " | ".join(f"{name.partition('/')[2]}: weights; needed" for name in _MODELS)
    yield f"| precision | {names} |"
    yield "|---" * (1 + len(_MODELS)) + "|"
    columns = [plans(_shape(name), gpu_free=_PLENTY) for name in _MODELS]
    for row in zip(*columns, strict=True):
        sizes = " | ".join(f"{_gib(plan.resident)}; {_gib(plan.needed)}" for plan in row)
        yield f"| {row[0].precision} | {sizes} |"


def _cards() -> Iterator[str]:
    yield f"| card | {' | '.join(name.partition('/')[2] for name in _MODELS)} |"
    yield "|---" * (1 + len(_MODELS)) + "|"
    for row in zip(*(card_plans(_shape(name)) for name in _MODELS), strict=True):
        card = row[0].card
        plans_ = " | ".join(_best(one) for one in row)
        yield f"| {card.memory // GIB} GiB ({card.name}) | {plans_} |"


def _best(found: CardPlan) -> str:
    if found.plan is None:
        return "too small"
    notes = [_NOTES[found.plan.tower]]
    notes += [f"context {found.context:,}"] if found.is_reduced else []
    words = ", ".join(filter(None, (found.plan.precision, *notes)))
    return f"{words}; {_speeds(found.plan)}"


def _speeds(plan: Plan) -> str:
    expected, limit = plan.tokens_per_s or 0, plan.roofline or 0
    return f"{expected:.0f} of {limit:.0f} tok/s"


def _shape(name: str) -> Shape:
    shape = known_shape(name)
    assert shape is not None
    return shape


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"


if __name__ == "__main__":
    sys.stdout.write(reference())
