"""Choosing a model: type to filter or to name one, Enter loads it in the precision shown."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from glm4v_tui.errors import GlmError
from glm4v_tui.models import (
    ModelDesk,
    Selection,
    gather,
    look_at,
    read_machine,
    require_loadable,
)
from glm4v_tui.models import words as say
from glm4v_tui.plain import plain_text
from glm4v_tui.ui.aside import aside
from glm4v_tui.ui.key_table import first_key
from glm4v_tui.ui.screens.model_frame import fit_frame
from glm4v_tui.ui.widgets.model_list import ModelList, ModelRow
from glm4v_tui.ui.widgets.precision_table import PrecisionTable
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.worker import Worker

    from glm4v_tui.config import ModelSettings
    from glm4v_tui.engine.protocol import LoadModel, MemoryReading
    from glm4v_tui.models import Look, Offer

_MEMORY_EVERY_S = 2.0
_PATIENCE_S = 2.0
"""That Enter waits for the memory to be read, before it loads without a forecast."""
_NARROW = 58
_BREATH_S = 0.01
"""Between two models that are read: keys come first."""


@dataclass(frozen=True)
class ChosenModel:
    """What to load."""

    command: LoadModel
    look: Look
    """What is known of it."""


class ModelScreen(ModalScreen[ChosenModel | None]):
    """Ends in what is to be loaded, or None. Nothing is unloaded in here.

    Args:
        now: The model of now, if any.
        settings: What the device starts from.
        held: Tells what the process of the present model said of its memory last.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f4", "dismiss(None)", "Cancel", id="model.cancel", priority=True),
        Binding("enter", "load", "Load", id="model.load", priority=True,
                tooltip="A precision that does not fit asks for the key a second time"),
        Binding("up", "move(-1)", "Up", id="model.up", show=False, priority=True),
        Binding("down", "move(1)", "Down", id="model.down", show=False, priority=True),
        Binding("pageup", "page(-1)", "Page up", id="model.page_up", show=False, priority=True),
        Binding("pagedown", "page(1)", "Page down", id="model.page_down", show=False,
                priority=True),
        Binding("left", "precision(-1)", "Precision before", id="model.precision_before",
                show=False, priority=True),
        Binding("right", "precision(1)", "Next precision", id="model.precision_next", show=False,
                priority=True),
        Binding("tab", "device", "Next device", id="model.device", show=False, priority=True,
                tooltip="auto, cuda or cpu"),
    ]  # fmt: skip

    DEFAULT_CSS = """
    ModelScreen {
        align: center middle;
        #box {
            width: 90%; max-width: 96; height: 90%; padding: 0 1;
            background: $surface; border: round $primary;
            border-subtitle-color: $text-muted;
        }
        Input { border: none; height: 1; padding: 0; margin: 0 0 1 0; }
        PrecisionTable { margin: 1 0; }
        #note { color: $text-muted; height: auto; max-height: 3; }
        #note.-problem { color: $text-warning; }
    }
    ModelScreen.-short {
        #box { width: 100%; }
        Input { margin: 0; }
        PrecisionTable { margin: 0; }
    }
    """

    def __init__(
        self,
        now: LoadModel | None,
        settings: ModelSettings,
        held: Callable[[], MemoryReading | None] = lambda: None,
    ) -> None:
        super().__init__()
        self._desk = ModelDesk(now, settings)
        self._held = held
        self._shown: list[Offer] = []
        self._selection = Selection(self._desk)
        self._is_gathered = asyncio.Event()

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Model"
            yield Input(placeholder="type to filter, or a folder or a hub id", compact=True)
            yield ModelList()
            yield PrecisionTable()
            yield Words("reading …", id="note")

    def on_mount(self) -> None:
        self._field, self._list = self.query_one(Input), self.query_one(ModelList)
        self._table = self.query_one(PrecisionTable)
        self._note = self.query_one("#note", Words)
        self._field.cursor_blink = False
        self._field.focus()
        self._fit_table()
        self._name_keys()
        self._filter()
        self.run_worker(self._fill(), group="fill")
        self.set_interval(_MEMORY_EVERY_S, self._read_memory_again)

    def on_resize(self) -> None:
        self._fit_table()
        self._name_keys()

    # Keys ---------------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        self._list.move(rows)
        self._show_offer()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * self._list.page)

    def action_precision(self, step: int) -> None:
        offer = self._offer
        if offer is None or offer.engine:
            return
        self._selection.step_precision(offer, step)
        self._show_offer()

    def action_device(self) -> None:
        offer = self._offer
        if offer is None:
            return
        self._selection.step_device(offer)
        self._show_offer()

    def action_load(self) -> None:
        """Runs after the letters that came before the key."""
        self._field.call_later(self._choose)

    def on_input_changed(self) -> None:
        self._filter()

    def on_model_list_moved(self) -> None:
        self._show_offer()

    def on_model_list_chosen(self) -> None:
        self._show_offer()
        self._choose()

    # Choosing -----------------------------------------------------------------------------------

    def _choose(self) -> None:
        self._filter(is_same=True)
        offer = self._offer
        if offer is None:
            self._tell("Name a folder or a hub id.")
        else:
            self._replace_work("choose", partial(self._look_first, offer))

    async def _look_first(self, offer: Offer) -> None:
        """End the model of now only for one that can be loaded."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_gathered.wait(), _PATIENCE_S)
        look = self._desk.look(offer) or await self._look_at(offer)
        if look.needs_download:
            self._tell(f"Asking the hub for {say.title(look.offer)} …")
        problem = await aside(partial(_problem_of, look))
        if self._offer is None or self._offer.model != offer.model:
            return  # whoever moved on meanwhile does not want it any more
        if problem is not None:
            self._tell(str(problem))
        else:
            self._take(offer, look)

    def _take(self, offer: Offer, look: Look) -> None:
        if (warning := self._selection.warning(offer)) is not None:
            key = first_key(self, "model.load")
            self._tell(f"{say.misfit(*warning)} {key} again loads it all the same.")
        else:
            self.dismiss(ChosenModel(self._selection.command(offer, look), look))

    # What is read ---------------------------------------------------------------------------------

    async def _fill(self) -> None:
        """Read the list, then every model of it, the one under the cursor first. In threads: a
        cache on a slow disk holds up no key."""
        self._desk.take(await aside(lambda: gather(self._held())))
        self._is_gathered.set()
        self._fit_table()
        self._filter(is_same=True)
        if (problem := self._desk.gathered.problem) is not None:
            self._tell(str(problem))
        while (offer := self._unseen) is not None:
            await self._look_at(offer)
            await asyncio.sleep(_BREATH_S)

    @property
    def _unseen(self) -> Offer | None:
        """The next one to be looked at: those that are shown, from the cursor on, before others."""
        at = self._list.cursor
        wanted = (*self._shown[at:], *self._shown[:at], *self._desk.offers)
        return next((offer for offer in wanted if self._desk.look(offer) is None), None)

    async def _look_at(self, offer: Offer) -> Look:
        cached = self._desk.gathered.cached
        look = await aside(lambda: look_at(offer, cached))
        self._desk.take_look(offer, look)
        if offer in self._shown:
            self._list.show_row(self._shown.index(offer), self._row(offer))
        if offer == self._offer:
            self._show_precisions()
        return look

    def _read_memory_again(self) -> None:
        if self._is_gathered.is_set():
            self._replace_work("memory", self._read_memory)

    async def _read_memory(self) -> None:
        machine = await aside(lambda: read_machine(self._held()))
        if machine != self._desk.gathered.machine:
            self._desk.take_machine(machine)
            self._show_precisions()

    def _replace_work(self, group: str, work: Callable[[], Coroutine[None, None, object]]) -> None:
        """Begin this in place of what its group was at."""
        _: Worker[object] = self.run_worker(work, group=group, exclusive=True)

    # What is shown --------------------------------------------------------------------------------

    @property
    def _offer(self) -> Offer | None:
        """The one under the cursor."""
        at = self._list.cursor
        return self._shown[at] if at < len(self._shown) else None

    def _filter(self, *, is_same: bool = False) -> None:
        """Show what has the typed letters.

        Args:
            is_same: Keep the cursor on its model, as the letters have not changed.
        """
        before = self._offer if self._shown else None
        shown = self._desk.matching(self._field.value)
        if is_same and [one.model for one in shown] == [one.model for one in self._shown]:
            at = self._list.cursor
        else:
            names = [offer.model for offer in shown]
            keeps = is_same and before is not None and before.model in names
            at = names.index(before.model) if keeps and before is not None else 0
        self._shown = shown
        self._list.show([self._row(offer) for offer in shown], at)
        self._show_offer(is_same=is_same)

    def _row(self, offer: Offer) -> ModelRow:
        look = self._desk.look(offer)
        return ModelRow(
            say.title(offer), say.state(offer, look), say.file_size(look), offer.is_in_use
        )

    def _show_offer(self, *, is_same: bool = False) -> None:
        """Show what belongs to the model under the cursor; whatever was said of another is over."""
        if not is_same:
            self._selection.forget_warning()
        offer = self._offer
        if offer is not None and self._is_gathered.is_set() and self._desk.look(offer) is None:
            self._replace_work("look", partial(self._look_at, offer))
        self._show_precisions(is_said=self._selection.is_warned)

    def _show_precisions(self, *, is_said: bool = True) -> None:
        """Args: is_said: what was told stays, if anything was."""
        offer = self._offer
        if offer is None or offer.engine:
            self._table.show((), None, "")
        else:
            chosen = self._selection
            names, outlook = chosen.precisions(offer), chosen.outlook(offer)
            self._table.show(names, outlook, chosen.precision(offer))
        if not (is_said and self._note.has_class("-problem")):
            self._show_room(offer)

    def _show_room(self, offer: Offer | None) -> None:
        self._note.remove_class("-problem")
        machine, look = self._desk.gathered.machine, self._desk.look(offer) if offer else None
        if offer is not None and offer.engine:
            self._note.show("Asked over the network: its server chooses precision and device.")
            return
        if offer is None or machine is None:
            self._note.show("reading …" if machine is None else "")
            return
        device = self._selection.device(offer)
        self._note.show(plain_text(say.footnote(device, machine, look)))

    def _tell(self, problem: str) -> None:
        self._note.add_class("-problem")
        self._note.show(plain_text(problem))

    def _name_keys(self) -> None:
        """In the frame, what the keys do; in a narrow one the most needed of it."""
        names = "load", "precision_before", "precision_next", "device", "cancel"
        load, before, after, device, cancel = (first_key(self, f"model.{name}") for name in names)
        said = [f"{load} loads", f"{before} {after} precision", f"{device} device"]
        if self.app.size.width < _NARROW:
            said.pop()
        self.query_one("#box").border_subtitle = " · ".join([*said, f"{cancel} closes"])

    def _fit_table(self) -> None:
        """Give the precisions as many rows as the list can spare, or one, and the frame no more
        than it needs."""
        rows = 2 + len(self._desk.gathered.precisions)  # a heading, and auto
        names = len(self._desk.offers) + 1
        frame = fit_frame(self.app.size.height, rows, names)
        self._table.styles.height = frame.table
        self.query_one("#box").styles.height = frame.box


def _problem_of(look: Look) -> GlmError | None:
    """Why it cannot be loaded. Blocks."""
    try:
        require_loadable(look)
    except GlmError as error:
        return error
    return None
