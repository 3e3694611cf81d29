"""What is known so far of the models to choose from, and what that comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.models.gathering import Gathered
from glm4v_tui.models.offers import Offer, Origin, matching, offers
from glm4v_tui.models.outlook import Outlook, outlook

if TYPE_CHECKING:
    from glm4v_tui.config import ModelSettings
    from glm4v_tui.models.looks import Look
    from glm4v_tui.models.machine import Machine


class ModelDesk:
    """Begins with what is known without reading anything; the rest is brought to it.

    Nothing in here blocks.

    Args:
        now: The model in use, or what was to be loaded last.
        settings: What the device of a model that was not used before starts from.
    """

    def __init__(self, now: LoadModel | None, settings: ModelSettings) -> None:
        self._now = now
        self._settings = settings
        self._looks: dict[str, Look] = {}
        self._outlooks: dict[tuple[str, str], Outlook | None] = {}
        self.gathered = Gathered()
        self.offers = offers(now, (), {})

    def take(self, gathered: Gathered) -> None:
        """Take in what was read."""
        self.gathered = gathered
        self.offers = offers(self._now, gathered.recent, gathered.cached, gathered.engines)
        self._outlooks.clear()

    def take_machine(self, machine: Machine) -> None:
        """Take in what is free now."""
        self.gathered = msgspec.structs.replace(self.gathered, machine=machine)
        self._outlooks.clear()

    def take_look(self, asked: Offer, look: Look) -> None:
        """Take in what was seen of an offer."""
        self._looks[asked.model] = look
        self._outlooks = {key: one for key, one in self._outlooks.items() if key[0] != asked.model}

    def matching(self, typed: str) -> list[Offer]:
        """See :func:`glm4v_tui.models.offers.matching`."""
        return matching(self.offers, typed)

    def look(self, offer: Offer) -> Look | None:
        """What is known of it; None when nobody has looked, or it was something else then."""
        look = self._looks.get(offer.model)
        is_same = look is not None and offer.origin in (look.offer.origin, Origin.TYPED)
        return look if is_same else None

    def device(self, offer: Offer) -> str:
        """Where an offer is loaded unless somebody says something else."""
        if offer.device is not None:
            return offer.device
        return self._now.device if self._now is not None else self._settings.device

    def outlook(self, offer: Offer, device: str) -> Outlook | None:
        """What its precisions take; None as long as that is not known."""
        look, machine = self.look(offer), self.gathered.machine
        if look is None or look.shape is None or machine is None:
            return None
        key = (offer.model, device)
        if key not in self._outlooks:
            there = machine.on(device)
            self._outlooks[key] = outlook(look.shape, there, self.gathered.precisions)
        return self._outlooks[key]

    def command(self, look: Look, precision: str, device: str) -> LoadModel:
        """What loads it."""
        offer = look.offer
        if offer.engine:
            return LoadModel(offer.served, engine=offer.engine)
        keep = self._settings.keep_quantized
        return LoadModel(look.offer.model, precision, device, keep)
