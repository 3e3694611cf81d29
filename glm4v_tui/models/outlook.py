"""What every precision of a model takes here, and which one is recommended: the plan's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plan import PRECISIONS, Plan, choose, usual_load
from glm4v_tui.plan.rules import precision_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glm4v_tui.models.machine import Machine
    from glm4v_tui.plan import Deployment, Precision, Shape
    from glm4v_tui.precision import Rule

AUTO = "auto"


class Choice(msgspec.Struct, frozen=True):
    """A precision for a model on this machine. Sizes in bytes."""

    name: str
    """``auto``, or that of a precision."""
    plan: Plan
    fits: bool
    """Whole, where it runs, beside a large image and the usual context."""
    why: str
    is_recommended: bool = False
    tokens_per_s: float | None = None
    """Expected; None where the plan does not know."""

    @property
    def takes(self) -> str:
        """What ``auto`` comes to; else the precision itself."""
        return self.plan.precision

    @property
    def weights(self) -> int:
        return self.plan.weights.total

    @property
    def needed(self) -> int:
        """That must be free before it starts: on the GPU, or of the host where it runs there."""
        return self.plan.must_be_free


class Outlook(msgspec.Struct, frozen=True):
    """A model's precisions on a machine, ``auto`` first."""

    choices: tuple[Choice, ...]
    free: int | None
    """What ``needed`` has to fit in; None when unknown."""
    is_rough: bool
    """The sizes beside the weights are a guess."""

    def named(self, precision: str) -> Choice:
        """The choice of this name; ``auto`` where there is none, as with weights that are stored
        quantized and loaded as they are."""
        found = (choice for choice in self.choices if choice.name == precision)
        return next(found, self.choices[0])


def planned(rules: Mapping[str, tuple[Rule, ...]]) -> dict[str, Precision]:
    """Named precisions, the user's own among them, as the plan sees them."""
    return {
        name: PRECISIONS[name] if name in PRECISIONS else precision_from(name, own)
        for name, own in rules.items()
    }


def outlook(shape: Shape, machine: Machine, precisions: Mapping[str, Precision]) -> Outlook | None:
    """Plan all precisions; None for a model that cannot be planned for.

    Args:
        machine: As far as the device that was chosen may use it.
    """
    names = (AUTO,) if shape.is_stored_quantized else (AUTO, *precisions)
    try:
        load = usual_load(shape)
        found = {
            name: choose(
                shape,
                machine.gpus,
                host_free=machine.host_free,
                load=load,
                precision=name,
                precisions=dict(precisions),
            )
            for name in names
        }
    except (ValueError, ZeroDivisionError):  # no image of that size, or a config of nonsense
        return None
    best = found[AUTO]
    choices = tuple(
        _choice(name, one, is_recommended=best.fits and name == best.plan.precision)
        for name, one in found.items()
    )
    return Outlook(choices, machine.free, shape.is_rough)


def _choice(name: str, one: Deployment, *, is_recommended: bool) -> Choice:
    is_whole = one.fits and not one.split.is_offloaded
    speed = one.plan.tokens_per_s if is_whole else None
    return Choice(name, one.plan, one.fits, one.why, is_recommended, speed)
