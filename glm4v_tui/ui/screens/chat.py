"""The chat screen: the only conductor of its widgets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen

from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.session import ChatSession, ModelState, Turn
from glm4v_tui.ui.bridge import (
    ImagesMeasured,
    MemoryRead,
    WorkerFellSilent,
    carry_events,
)
from glm4v_tui.ui.pending_images import PendingImages
from glm4v_tui.ui.widgets.attachments import AttachmentStrip
from glm4v_tui.ui.widgets.chat_log import ChatLog
from glm4v_tui.ui.widgets.composer import Composer
from glm4v_tui.ui.widgets.model_bar import ModelBar
from glm4v_tui.ui.widgets.search_bar import SearchBar
from glm4v_tui.ui.widgets.side_bar import SideBar
from glm4v_tui.ui.widgets.status_line import ContextGauge, StatusLine
from glm4v_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from glm4v_tui.chat import Attachment, Box
    from glm4v_tui.engine.protocol import LoadModel
    from glm4v_tui.errors import GlmError
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.screens.picker import PickResult
    from glm4v_tui.ui.screens.viewer import AskAbout
    from glm4v_tui.ui.widgets.turn_view import TurnView

_FLUSH_S = 1 / 12
"""How often a growing answer is painted: eyes cannot follow more, and parsing it costs."""


class ChatScreen(Screen[None]):
    CSS_PATH = "../styles/chat.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "attach", "Attach", id="chat.attach", priority=True,
                tooltip="Choose images in the file picker"),
        Binding("f2", "view", "View", id="chat.view", tooltip="See the images full screen"),
        Binding("escape", "stop", "Stop", id="chat.stop", tooltip="End the answer; keep its text"),
        Binding("f4", "choose_model", "Model", id="chat.model"),
        Binding("f5", "regenerate", "Again", id="chat.regenerate", show=False,
                tooltip="Answer the last question anew"),
        Binding("f3", "toggle_side_bar", "Side bar", id="chat.side_bar", show=False),
        Binding("ctrl+f", "search", "Search", id="chat.search", priority=True, show=False),
        Binding("ctrl+n", "new_chat", "New chat", id="chat.new", show=False, priority=True),
        Binding("f9", "undo", "Bring back", id="chat.undo", show=False,
                tooltip="Undo the last edit, regenerate or new chat"),
        Binding("f8", "unload", "Free memory", id="chat.unload", show=False,
                tooltip="Unload the model; the next question loads it again"),
        Binding("pageup", "scroll_log(-1)", "Scroll up", id="chat.page_up", show=False,
                priority=True),
        Binding("pagedown", "scroll_log(1)", "Scroll down", id="chat.page_down", show=False,
                priority=True),
    ]  # fmt: skip

    def __init__(self, launch: Launch, session: ChatSession, notices: Sequence[str] = ()) -> None:
        super().__init__()
        self._launch = launch
        self._notices = notices
        self._session = session
        self._pending = PendingImages(self._show_pending, self._tell_refusal)
        self._changed: set[Turn] = set()
        self._flushing: Timer | None = None
        self._silent_s = 0.0
        session.on_change = self._note_change

    def compose(self) -> ComposeResult:
        yield ModelBar()
        with Horizontal(id="middle"):
            yield ChatLog(self._launch.settings.interface.picture_height)
            yield SideBar()
        yield AttachmentStrip()
        yield Composer()
        yield StatusLine()

    def on_mount(self) -> None:
        self.query_one(Composer).focus()
        self.query_one(ChatLog).mount(Welcome(has_model=self._launch.model is not None))
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """What may take time: after the first frame."""
        self.run_worker(carry_events(self._session, self), group="events")
        if self._launch.model is not None:
            self.load_model(self._launch.model)
        self.show_state()
        self.attach_all([(path, None) for path in self._launch.images])
        self.run_worker(self._load_history, thread=True, group="history")
        if self._launch.folder is not None:
            self._open_picker(self._launch.folder)
        for notice in self._notices:
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)

    def _load_history(self) -> None:
        from glm4v_tui.prompt_history import load_prompts

        prompts, _ = load_prompts()
        self.app.call_from_thread(self.query_one(Composer).set_history, prompts)

    # The model ------------------------------------------------------------------------------

    def load_model(self, command: LoadModel) -> None:
        """Load a model in place of the present one."""
        self.run_worker(self._session.load(command), group="commands")
        self.query_one(ModelBar).show(self._session)

    def on_model_changed(self) -> None:
        self._silent_s = 0.0
        if self._session.model_state is ModelState.READY:
            self._measure()
        if self._session.model_state is ModelState.FAILED and self._session.model_error:
            self._tell(self._session.model_error)
        self.show_state()

    def on_memory_read(self, message: MemoryRead) -> None:
        from glm4v_tui.ui.widgets.gauge import VramGauge

        self._silent_s = 0.0
        for gauge in self.query(VramGauge):
            gauge.update_worker(message.reading)
        self.show_state()

    def on_worker_fell_silent(self, message: WorkerFellSilent) -> None:
        self._silent_s = message.seconds
        self.show_state()

    def show_state(self) -> None:
        """Bring the lines above and below up to date; what has not changed is not painted."""
        session, pending = self._session, self._pending
        self.query_one(ModelBar).show(session, self._silent_s)
        length = session.model.context_length if session.model else None
        self.query_one(ContextGauge).show_tokens(session.context_used, pending.tokens, length)

    # Asking ---------------------------------------------------------------------------------

    def on_composer_submitted(self, message: Composer.Submitted) -> None:
        self.run_worker(self._submit(message.text), group="commands")

    async def _submit(self, text: str) -> None:
        await self._pending.settled()
        if not text.strip():
            if self._pending.attachments:
                self.notify("Write a question about the image first.", markup=False)
            return
        composer = self.query_one(Composer)
        if composer.text == text:
            composer.replace_text("")
        composer.remember(text)
        self._remember_prompt(text)
        await self._session.submit(text.strip(), self._pending.take())
        await self._show_turns()

    def _remember_prompt(self, text: str) -> None:
        from glm4v_tui.prompt_history import append_prompt

        self.run_worker(lambda: append_prompt(text), thread=True, group="history")

    async def _show_turns(self) -> None:
        await self.query(Welcome).remove()
        await self.query_one(ChatLog).sync(self._session.turns)
        self.query_one(SideBar).show_images(self._images_in_view())
        self.show_state()
        self._keep_flushing()

    def action_stop(self) -> None:
        """Escape: stop the answer, take back a waiting question, or return to the composer."""
        if self._session.current is not None:
            self.run_worker(self._session.stop(), group="commands")
        elif self._session.queued:
            self.run_worker(self._withdraw(self._session.queued[-1]), group="commands")
        else:
            self.query_one(Composer).focus()

    async def _withdraw(self, turn: Turn) -> None:
        message = self._session.withdraw(turn)
        self.query_one(Composer).replace_text(message.text)
        self._pending.put_back(message.attachments)
        await self._show_turns()

    def action_regenerate(self) -> None:
        if self._session.turns:
            self._cut(self._session.turns[-1], ask_again=True)

    def action_new_chat(self) -> None:
        if self._session.turns:
            self._cut(self._session.turns[0], ask_again=False)

    def action_undo(self) -> None:
        if self._session.undo():
            self.run_worker(self._show_turns(), group="commands")
        else:
            self.notify("There is nothing to bring back.", markup=False)

    def _cut(self, turn: Turn, *, ask_again: bool) -> None:
        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return
        self.run_worker(self._cut_and_ask(turn, ask_again), group="commands")

    async def _cut_and_ask(self, turn: Turn, ask_again: bool) -> None:
        message = self._session.cut(turn)
        if ask_again:
            await self._session.submit(message.text, message.attachments)
        await self._show_turns()
        self.notify("F9 brings back what was there.", markup=False, timeout=3)

    # A growing answer -----------------------------------------------------------------------

    def _note_change(self, turn: Turn) -> None:
        self._changed.add(turn)
        self._keep_flushing()

    def _keep_flushing(self) -> None:
        if self._flushing is None and (self._changed or self._session.current):
            self._flushing = self.set_interval(_FLUSH_S, self._flush)

    async def _flush(self) -> None:
        changed, self._changed = self._changed, set()
        log = self.query_one(ChatLog)
        for turn in changed:
            if (view := log.view_of(turn)) is not None:
                await view.follow()
        self.show_state()
        if not self._changed and self._session.current is None and self._flushing is not None:
            self._flushing.stop()
            self._flushing = None

    # Turns ----------------------------------------------------------------------------------

    def on_turn_view_requested(self, message: TurnView.Requested) -> None:
        view, log = message.view, self.query_one(ChatLog)
        match message.what:
            case "copy":
                self._copy(view.turn.answer.text, "The answer")
            case "copy_code":
                self._copy("\n".join(_code_blocks(view.turn.answer.text)), "The code")
            case "edit":
                self._edit(view.turn)
            case "regenerate":
                self._cut(view.turn, ask_again=True)
            case "view":
                self._view(view.turn.question.attachments)
            case "previous" | "next":
                step = -1 if message.what == "previous" else 1
                if (neighbor := log.neighbor(view, step)) is not None:
                    log.go_to(neighbor)
                elif step > 0:
                    self.query_one(Composer).focus()

    def _copy(self, text: str, what: str) -> None:
        if not text:
            self.notify(f"{what} is empty: nothing was copied.", markup=False)
            return
        self.app.copy_to_clipboard(plain_text(text))
        self.notify(f"{what} was sent to the terminal's clipboard (OSC 52).", markup=False)

    def _edit(self, turn: Turn) -> None:
        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return
        message = self._session.cut(turn)
        composer = self.query_one(Composer)
        composer.replace_text(message.text)
        composer.focus()
        self._pending.put_back(message.attachments)
        self.run_worker(self._show_turns(), group="commands")
        self.notify("F9 brings back the turn as it was.", markup=False, timeout=3)

    def action_scroll_log(self, pages: int) -> None:
        log = self.query_one(ChatLog)
        log.scroll_page_up(animate=False) if pages < 0 else log.scroll_page_down(animate=False)

    def action_search(self) -> None:
        if bars := self.query(SearchBar):
            bars.first().focus_input()
        else:
            self.mount(SearchBar(), before=self.query_one("#middle"))

    def on_search_bar_wanted(self, message: SearchBar.Wanted) -> None:
        position, total = self.query_one(ChatLog).find(message.text, message.step)
        self.query_one(SearchBar).show_count(position, total)

    def on_search_bar_closed(self) -> None:
        self.query_one(ChatLog).find("", 0)
        self.query_one(Composer).focus()

    # Images ---------------------------------------------------------------------------------

    def attach_all(self, images: list[tuple[Path, Box | None]]) -> None:
        """Attach images in this order; each is shown or refused with its reason."""
        if images:
            self.run_worker(self._attach_all(images), group="attach")

    async def _attach_all(self, images: list[tuple[Path, Box | None]]) -> None:
        for path, crop in images:
            await self._pending.add(path, crop)
        self._measure()

    def _measure(self) -> None:
        if self._session.model_state is ModelState.READY and (sizes := self._pending.unmeasured):
            self.run_worker(self._session.engine.measure(sizes), group="commands")

    def on_images_measured(self, message: ImagesMeasured) -> None:
        measured = message.measured
        costs = zip(measured.sizes, zip(measured.seen, measured.tokens, strict=True), strict=True)
        self._pending.costs.update(costs)
        self._show_pending()

    def _show_pending(self) -> None:
        pending = self._pending
        strip = self.query_one(AttachmentStrip)
        strip.show_images(pending.attachments, pending.costs, pending.opening)
        self.query_one(SideBar).show_images(self._images_in_view())
        self.show_state()

    def _images_in_view(self) -> tuple[Attachment, ...]:
        """The images that the next answer is about, or the last ones that were asked about."""
        if self._pending.attachments:
            return tuple(self._pending.attachments)
        shown = (turn.question.attachments for turn in reversed(self._session.turns))
        return next((images for images in shown if images), ())

    def on_composer_detach_requested(self) -> None:
        if (removed := self._pending.remove_last()) is not None:
            name = plain_line(Path(removed.path).name)
            self.notify(f"{name} is no longer attached.", markup=False, timeout=3)

    def action_attach(self) -> None:
        from glm4v_tui.state import load_state

        last = load_state()[0].last_folder
        self._open_picker(Path(last) if last and Path(last).is_dir() else Path.cwd())

    def _open_picker(self, folder: Path) -> None:
        from glm4v_tui.ui.screens.picker import PickerScreen

        self.app.push_screen(PickerScreen(folder), self._take_picked)

    def _take_picked(self, result: PickResult | None) -> None:
        if result is None:
            return
        from glm4v_tui.state import update_state

        update_state(last_folder=str(result.folder))
        self.attach_all([(path, None) for path in result.paths])
        self.query_one(Composer).focus()

    def action_view(self) -> None:
        self._view(self._images_in_view())

    def _view(self, images: tuple[Attachment, ...]) -> None:
        if not images:
            self.notify("No image yet: Ctrl+O chooses one.", markup=False)
            return
        from glm4v_tui.ui.screens.viewer import ViewerItem, ViewerScreen

        items = [ViewerItem(Path(image.path), image.crop) for image in images]
        self.app.push_screen(ViewerScreen(items), self._take_viewed)

    def _take_viewed(self, result: AskAbout | None) -> None:
        if result is not None:
            self.attach_all([(result.path, result.box)])
            self.query_one(Composer).focus()

    # Paste and drop -------------------------------------------------------------------------

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.take_paste(event.text)

    def on_composer_pasted(self, message: Composer.Pasted) -> None:
        self.take_paste(message.text)

    def take_paste(self, text: str) -> None:
        """Attach the images that a paste names, refuse what is not on this host, or insert."""
        self.run_worker(self._take_paste(text), group="attach")

    async def _take_paste(self, text: str) -> None:
        from glm4v_tui.errors import ImageMissingError
        from glm4v_tui.paste import Host, absent_message, parse_paste

        folder = Path.cwd()
        pasted = await asyncio.to_thread(parse_paste, text, folder, Path.home())
        if pasted.absent:
            absent = absent_message(pasted.absent, folder, Host.this(os.environ))
            self._tell(ImageMissingError(absent.title, absent.body, absent.remedy))
        if pasted.text:
            self.query_one(Composer).insert(plain_text(pasted.text))
        await self._attach_all([(path, None) for path in pasted.paths])

    # Words ----------------------------------------------------------------------------------

    def _tell(self, error: GlmError) -> None:
        body = "\n".join(part for part in (error.body, error.remedy) if part)
        self.notify(
            plain_text(body or error.title),
            title=plain_line(error.title) if body else "",
            severity="error",
            timeout=15,
            markup=False,
        )

    def _tell_refusal(self, path: Path, error: GlmError) -> None:
        self._tell(type(error)(f"{plain_line(path.name)}: {error.title}", error.body, error.remedy))

    def action_toggle_side_bar(self) -> None:
        self.query_one(SideBar).toggle_class("-hidden")

    def action_choose_model(self) -> None:
        from glm4v_tui.ui.screens.model import ModelScreen

        chosen = self._launch.model
        self.app.push_screen(ModelScreen(chosen, self._launch.settings.model), self._take_model)

    def _take_model(self, command: LoadModel | None) -> None:
        if command is not None:
            self.load_model(command)
            self.query_one(Composer).focus()

    def action_unload(self) -> None:
        self.run_worker(self._unload(), group="commands")

    async def _unload(self) -> None:
        await self._session.unload()
        self.show_state()
        self.notify("The model's memory is free. The next question loads it again.", markup=False)


def _code_blocks(text: str) -> list[str]:
    """The fenced blocks of an answer, without their fences."""
    blocks: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
            if inside:
                blocks.append([])
        elif inside:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]
