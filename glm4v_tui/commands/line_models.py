"""The models to choose from, in the chat without a screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from glm4v_tui.engine.sending import placed_words
from glm4v_tui.errors import GlmError
from glm4v_tui.models import (
    ModelDesk,
    Offer,
    Origin,
    gather,
    look_at,
    remember,
    require_again,
    require_loadable,
)
from glm4v_tui.models import words as say
from glm4v_tui.plain import plain_line
from glm4v_tui.session import ModelState

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.config import ModelSettings
    from glm4v_tui.engine.protocol import LoadModel, MemoryReading
    from glm4v_tui.models import Choice, Look, Outlook
    from glm4v_tui.session import ChatSession


class LineModels:
    """Lists models and what they take, and loads another one.

    Args:
        tell: Writes a line.
    """

    def __init__(
        self, session: ChatSession, settings: ModelSettings, tell: Callable[[str], None]
    ) -> None:
        self._session = session
        self._settings = settings
        self._tell = tell
        self._desk = ModelDesk(None, settings)
        self._listed: list[Offer] = []
        """As they were numbered last."""
        self._warned: LoadModel | None = None
        """Named once though it does not fit; named again it is loaded."""
        self._good: LoadModel | None = None
        self._before: LoadModel | None = None
        self._begun: LoadModel | None = None
        """What a line had loaded last."""
        self.memory: MemoryReading | None = None
        """What the model's process said of itself last."""

    async def obey(self, words: str) -> None:
        """``/model``: list; ``/model NAME [PRECISION]``: load; ``/model NAME ?``: what it takes."""
        await self._read()
        if not words:
            await self._list()
            return
        name, precision = self._parted(words)
        offer = self._named(name)
        look = await self._look(offer)
        if precision == "?":
            self._tell_outlook(offer, look)
        else:
            await self._load(offer, look, precision)

    async def back(self) -> None:
        """``/back``: the model before."""
        if self._before is None or self._before == self._session.command:
            self._tell("There was no other model before this one.")
            return
        try:
            await asyncio.to_thread(require_again, self._before)
        except GlmError as error:
            self._tell(str(error))
        else:
            await self._begin(self._before)

    @property
    def is_loading(self) -> bool:
        """What a line has named is on its way."""
        session = self._session
        return session.model_state is ModelState.LOADING and session.command is self._begun

    @property
    def is_downloading(self) -> bool:
        """A model is fetched in place of another one."""
        loading = self._session.loading
        return loading is not None and loading.stage == "download" and self._good is not None

    async def stop(self) -> None:
        """End loading."""
        await self._session.stop_loading()
        self._tell(f"Stopped; what is here of it stays. {self._way_back()}".rstrip())

    def note_place(self, task: str, before: LoadModel | None) -> None:
        """A task's own engine is loaded in place of what was there, or was still being loaded."""
        self._good = before or self._good
        back = "" if self._good is None else " /back returns."
        self._tell(f"{placed_words(task)}{back}")

    async def note_state(self) -> None:
        """Loading has ended: remember what was loaded, or say how to go back."""
        command = self._session.command
        if self._session.model_state is ModelState.READY and command not in (None, self._good):
            assert command is not None
            if self._good is not None:
                self._before = self._good
            self._good = command
            await asyncio.to_thread(remember, command)
        elif self._session.model_state is ModelState.FAILED and (way := self._way_back()):
            self._tell(way)

    def _way_back(self) -> str:
        is_other = self._before is not None and self._before != self._session.command
        return "/back loads the model before it again." if is_other else ""

    # What is read -------------------------------------------------------------------------------

    async def _read(self) -> None:
        self._desk = ModelDesk(self._session.command, self._settings)
        self._desk.take(await asyncio.to_thread(gather, self.memory))
        if (problem := self._desk.gathered.problem) is not None:
            self._tell(str(problem))

    async def _look(self, offer: Offer) -> Look:
        look = await asyncio.to_thread(look_at, offer, self._desk.gathered.cached)
        self._desk.take_look(offer, look)
        return look

    def _parted(self, words: str) -> tuple[str, str]:
        """The name, which may have spaces, and the precision behind it; "" without one."""
        name, _, last = words.rpartition(" ")
        known = ("?", "auto", *self._desk.gathered.precisions)
        return (name.strip(), last) if name.strip() and last in known else (words, "")

    def _named(self, name: str) -> Offer:
        """By its number in the list, by its name, or as something new."""
        listed = self._listed or self._desk.offers
        if name.isdecimal() and 0 < int(name) <= len(listed):
            name = listed[int(name) - 1].model
        same = (
            offer
            for offer in self._desk.offers
            if name in (offer.model, offer.title, offer.engine or None)
        )
        return next(same, Offer(name, Origin.TYPED))

    # What is said -------------------------------------------------------------------------------

    async def _list(self) -> None:
        self._listed = list(self._desk.offers)
        for number, offer in enumerate(self._listed, 1):
            look = await self._look(offer)
            facts = (say.title(offer), say.state(offer, look), say.file_size(look))
            self._tell(f"{number}. {', '.join(filter(None, facts))}")
        self._tell(f"Memory: {say.room(self._desk.gathered.machine)}.")
        self._tell("/model NUMBER or NAME loads one, with ? behind it says what it takes.")

    def _tell_outlook(self, offer: Offer, look: Look) -> None:
        outlook = self._desk.outlook(offer, self._desk.device(offer))
        if offer.engine:
            self._tell("Asked over the network: its server chooses precision and device.")
            return
        if outlook is None:
            reason = look.problem.title if look.problem is not None else "the hub tells its sizes"
            self._tell(f"Not known: {plain_line(reason)}.")
            return
        for choice in outlook.choices:
            self._tell(_line(choice, outlook))
        self._tell(f"Memory: {say.room(self._desk.gathered.machine)}.")

    # Loading --------------------------------------------------------------------------------------

    async def _load(self, offer: Offer, look: Look, precision: str) -> None:
        device = self._desk.device(offer)
        command = self._desk.command(look, precision or offer.precision, device)
        if look.needs_download:
            self._tell(f"Asking the hub for {say.title(look.offer)}.")
        try:
            await asyncio.to_thread(require_loadable, look)
        except GlmError as error:
            self._tell(str(error))
            return
        outlook = self._desk.outlook(offer, device)
        if outlook is not None and self._warned != command:
            choice = outlook.named(command.precision)
            if not choice.fits:
                self._warned = command
                self._tell(f"{say.misfit(choice, outlook)} The same line again loads it.")
                return
        if look.needs_download:
            self._tell(f"{say.download(look)} Ctrl+C stops it.")
        await self._begin(command)

    async def _begin(self, command: LoadModel) -> None:
        if self._good is not None and self._good != command:
            self._before = self._good
        self._begun = command
        await self._session.load(command)


def _line(choice: Choice, outlook: Outlook) -> str:
    takes = f" ({choice.takes})" if choice.takes != choice.name else ""
    speed = f", {choice.tokens_per_s:.0f} tokens a second" if choice.tokens_per_s else ""
    best = ", recommended" if choice.is_recommended else ""
    sizes = f"weights {say.gib(choice.weights)} GiB, needs {say.gib(choice.needed)} GiB"
    return plain_line(f"{choice.name}{takes}: {sizes}, {say.fit(choice, outlook)}{speed}{best}")
