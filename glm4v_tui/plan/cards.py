"""What usual cards run a model as: the table of deployments, computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.choosing import loads_tried, recommended
from glm4v_tui.plan.figures import CARDS, DRIVER_SHARE, Card
from glm4v_tui.plan.memory import Load, Plan, plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.shape import Shape


class CardPlan(msgspec.Struct, frozen=True):
    """The best plan on one card with nothing else on it; None when none fits."""

    card: Card
    plan: Plan | None
    context: int
    """Tokens that it is for."""
    is_reduced: bool = False
    """True when these are fewer than were asked for."""


def card_plans(
    shape: Shape, load: Load = Load(), cards: Sequence[Card] = CARDS
) -> tuple[CardPlan, ...]:
    """The most exact plan that fits on each card. Raises ValueError as :func:`plans` does."""
    return tuple(_on_card(shape, load, card) for card in cards)


def free_of(memory: int) -> int:
    """Bytes that a card with nothing else on it has for a program."""
    return int(memory * (1 - DRIVER_SHARE))


def _on_card(shape: Shape, load: Load, card: Card) -> CardPlan:
    for one in loads_tried(load):
        if (plan := _best(shape, one, card)) is not None:
            return CardPlan(card, plan, one.context, is_reduced=one.context < load.context)
    return CardPlan(card, None, load.context)


def _best(shape: Shape, load: Load, card: Card) -> Plan | None:
    free = free_of(card.memory)
    return recommended(plans(shape, gpu_free=free, load=load, bandwidth=card.bandwidth))
