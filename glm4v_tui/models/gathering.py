"""Everything that has to be read before models can be offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine_settings import all_engines
from glm4v_tui.errors import GlmError
from glm4v_tui.hub import cached_models
from glm4v_tui.models.machine import Machine, read_machine
from glm4v_tui.models.offers import Offer, engine_offers
from glm4v_tui.models.outlook import planned
from glm4v_tui.models.recent import recent_models
from glm4v_tui.plan import PRECISIONS, Precision
from glm4v_tui.precision import all_precisions
from glm4v_tui.state import RecentModel

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import MemoryReading


class Gathered(msgspec.Struct, frozen=True):
    """What was read."""

    recent: tuple[RecentModel, ...] = ()
    cached: dict[str, str | None] = {}
    """Hub id -> the folder of its snapshot, if any."""
    precisions: dict[str, Precision] = msgspec.field(default_factory=PRECISIONS.copy)
    machine: Machine | None = None
    """None as long as it was not read."""
    problem: GlmError | None = None
    """What is wrong with the user's own precisions, or his engines."""
    engines: tuple[Offer, ...] = ()
    """The servers of the settings."""


def gather(held: MemoryReading | None) -> Gathered:
    """Read it all. Blocks: one folder of the disk, some drivers, two small files.

    Args:
        held: What the present model's process said of itself last.
    """
    problem, precisions = None, PRECISIONS
    try:
        precisions = planned(all_precisions())
    except GlmError as error:
        problem = error
    except OSError as error:
        problem = GlmError("The settings cannot be read", str(error))
    engines: tuple[Offer, ...] = ()
    try:
        engines = tuple(engine_offers(all_engines()))
    except (GlmError, OSError) as error:
        problem = problem or GlmError("The engines cannot be read", str(error))
    cached = {model.hub_id: model.main for model in cached_models()}
    return Gathered(recent_models(), cached, precisions, read_machine(held), problem, engines)
