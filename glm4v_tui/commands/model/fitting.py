"""Which precisions of a model fit this machine now: judged as where a model is chosen."""

from __future__ import annotations

from pathlib import Path

from glm4v_tui.errors import GlmError
from glm4v_tui.models import gather
from glm4v_tui.models import words as say
from glm4v_tui.models.outlook import outlook
from glm4v_tui.plan import shape_of


class Fitting:
    """Reads the memory once. Blocks."""

    def __init__(self) -> None:
        gathered = gather(None)
        self._machine, self._precisions = gathered.machine, gathered.precisions
        self.problem = gathered.problem
        """What is wrong with the user's own precisions."""

    def names(self, folder: str) -> tuple[str, ...] | None:
        """The precisions that fit, the most exact first; None when the plan cannot tell."""
        assert self._machine is not None
        try:
            seen = outlook(shape_of(Path(folder)), self._machine, self._precisions)
        except GlmError:
            return None
        if seen is None:
            return None
        auto, *named = seen.choices
        if not named:  # stored quantized, and loaded as it is
            return (auto.takes,) if auto.fits else ()
        return tuple(choice.name for choice in named if choice.fits)

    @property
    def where(self) -> str:
        """Whose memory it is that they fit."""
        return say.room(self._machine)
