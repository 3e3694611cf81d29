"""What usual cards run a model as: the table of deployments, computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan.choosing import recommended
from glm4v_tui.plan.figures import CARDS, DRIVER_RESERVED, Card
from glm4v_tui.plan.memory import Load, Plan, plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.plan.shape import Shape


_CONTEXTS = (4096, 2560)
"""Tried in turn where the context asked for does not fit; an image takes 1,600."""


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


def _on_card(shape: Shape, load: Load, card: Card) -> CardPlan:
    if (plan := _best(shape, load, card)) is not None:
        return CardPlan(card, plan, load.context)
    for context in (size for size in _CONTEXTS if size < load.context):
        less = msgspec.structs.replace(load, context=context)
        if (plan := _best(shape, less, card)) is not None:
            return CardPlan(card, plan, context, is_reduced=True)
    return CardPlan(card, None, load.context)


def _best(shape: Shape, load: Load, card: Card) -> Plan | None:
    free = card.memory - DRIVER_RESERVED
    return recommended(plans(shape, gpu_free=free, load=load, bandwidth=card.bandwidth))
