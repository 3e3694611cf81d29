"""What was chosen of the models that are offered: a precision for each, a device for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import LoadModel
    from glm4v_tui.models.desk import ModelDesk
    from glm4v_tui.models.looks import Look
    from glm4v_tui.models.offers import Offer
    from glm4v_tui.models.outlook import Choice, Outlook


class Selection:
    """Begins with how each model was loaded before. Nothing in here blocks.

    Args:
        desk: What is known of the models.
    """

    def __init__(self, desk: ModelDesk) -> None:
        self._desk = desk
        self._precisions: dict[str, str] = {}
        """Model -> the precision that was chosen for it in here."""
        self._device: str | None = None
        self._warned: tuple[str, str, str] | None = None
        """Model, precision and device that are known not to fit."""

    def precisions(self, offer: Offer) -> list[str]:
        """The names of all that can be chosen for a model."""
        if (outlook := self.outlook(offer)) is not None:
            return [choice.name for choice in outlook.choices]
        return ["auto", *self._desk.gathered.precisions]

    def outlook(self, offer: Offer) -> Outlook | None:
        """What its precisions take on the device that was chosen; None while that is not known."""
        return self._desk.outlook(offer, self.device(offer))

    def precision(self, offer: Offer) -> str:
        name = self._precisions.get(offer.model, offer.precision)
        outlook = self.outlook(offer)
        return name if outlook is None else outlook.named(name).name

    def device(self, offer: Offer) -> str:
        return self._device or self._desk.device(offer)

    def step_precision(self, offer: Offer, step: int) -> None:
        """Choose the next one, or the one before."""
        names = self.precisions(offer)
        at = names.index(now) if (now := self.precision(offer)) in names else 0
        self._precisions[offer.model] = names[(at + step) % len(names)]

    def step_device(self, offer: Offer) -> None:
        """Choose the next device, for all models."""
        machine = self._desk.gathered.machine
        devices = ["auto", "cuda", "cpu"] if machine is None or machine.gpus else ["auto", "cpu"]
        now = self.device(offer)
        at = devices.index(now) + 1 if now in devices else 0
        self._device = devices[at % len(devices)]

    @property
    def is_warned(self) -> bool:
        """Somebody was told that what is chosen does not fit, and chose nothing else since."""
        return self._warned is not None

    def forget_warning(self) -> None:
        self._warned = None

    def warning(self, offer: Offer) -> tuple[Choice, Outlook] | None:
        """What does not fit, to be told; None when it fits, is not known, or was told already."""
        outlook = self.outlook(offer)
        if outlook is None:
            return None
        choice = outlook.named(self.precision(offer))
        chosen = (offer.model, choice.name, self.device(offer))
        if choice.fits or self._warned == chosen:
            return None
        self._warned = chosen
        return choice, outlook

    def command(self, offer: Offer, look: Look) -> LoadModel:
        """What loads it as it was chosen.

        Args:
            look: What is known of the offer.
        """
        return self._desk.command(look, self.precision(offer), self.device(offer))
