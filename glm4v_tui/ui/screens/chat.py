"""The chat screen: the only conductor of its widgets."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import Screen

from glm4v_tui.demo import CHECKPOINT, SAMPLES
from glm4v_tui.plain import plain_text
from glm4v_tui.session import ModelState
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.bridge import carry_events
from glm4v_tui.ui.notices import tell_error
from glm4v_tui.ui.widgets.model_bar import ModelBar
from glm4v_tui.ui.widgets.question_area import QuestionArea
from glm4v_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.timer import Timer

    from glm4v_tui.chat import Attachment, Message
    from glm4v_tui.engine.protocol import LoadModel, MemoryReading
    from glm4v_tui.errors import GlmError
    from glm4v_tui.session import ChatSession, Turn
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.ui.bridge import ImagesMeasured, MemoryRead, WorkerFellSilent
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.screens.picker import PickResult
    from glm4v_tui.ui.screens.viewer import AskAbout
    from glm4v_tui.ui.task_desk import TaskDesk
    from glm4v_tui.ui.widgets.search_bar import SearchBar
    from glm4v_tui.ui.widgets.turn_view import TurnView

_FLUSH_S = 1 / 10
"""How often a growing answer is painted: eyes cannot follow more, and drawing it costs."""


class ChatScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "attach", "Attach", id="chat.attach", priority=True,
                tooltip="Choose images in the file picker"),
        Binding("f2", "view", "View", id="chat.view", priority=True,
                tooltip="See the images full screen"),
        Binding("escape", "stop", "Stop", id="chat.stop", tooltip="End the answer; keep its text"),
        Binding("f4", "choose_model", "Model", id="chat.model", priority=True),
        Binding("tab", "answers", "Answers", id="chat.answers", show=False, priority=True,
                tooltip="Go to the newest answer, where single keys copy, edit and ask again"),
        # Priority: the composer would take it for "select all".
        Binding("f7", "choose_task", "Tasks", id="chat.tasks", priority=True,
                tooltip="Ask a task about the images; /NAME in the composer does the same"),
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

    def __init__(
        self,
        launch: Launch,
        session: ChatSession,
        desk: TaskDesk,
        notices: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._launch = launch
        self._session = session
        self._desk = desk
        self._notices = notices
        self._changed: set[Turn] = set()
        self._flushing: Timer | None = None
        self._is_complete = False
        self._silent_s = 0.0
        self._told_error: GlmError | None = None
        self._last_good = ""
        """The model that was loaded last; offered again where another one fails."""
        session.on_change = self._note_change

    # From the first frame to the whole screen -----------------------------------------------

    def compose(self) -> ComposeResult:
        """The first frame: what a user can do something with at once."""
        yield ModelBar()
        with Horizontal(id="middle"):
            yield Welcome(is_embedded=self._launch.is_embedded)
        yield QuestionArea(self._desk, self._last_images)

    def on_mount(self) -> None:
        self._bar = self.query_one(ModelBar)
        self._question = self.query_one(QuestionArea)
        self._question.composer.focus()
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        """What takes time, after the first frame."""
        self.run_worker(self._session.load(self._launch.model), group="commands")
        await self._complete()
        self.run_worker(carry_events(self._session, self), group="events")
        self._question.attach((path, None) for path in self._launch.images)
        if self._launch.folder is not None:
            self._open_picker(self._launch.folder)
        for notice in self._notices:
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)
        self.show_state()
        _spare_collector()
        self.run_worker(self._load_tasks(), group="tasks")

    async def _complete(self) -> None:
        """Mount the rest, once: conversation, side bar, status line.

        Waits for nobody: a question that is typed before the first frame finds it done.
        """
        if self._is_complete:
            return
        self._is_complete = True
        from glm4v_tui.ui.widgets.chat_log import ChatLog
        from glm4v_tui.ui.widgets.side_bar import SideBar
        from glm4v_tui.ui.widgets.status_line import StatusLine
        from glm4v_tui.ui.widgets.words import Words

        self._log = ChatLog(self._launch.settings.interface.picture_height, self._desk)
        self._log.display = False  # the welcome stands in its place until there is a turn
        self._side_bar = SideBar()
        self._status = StatusLine()
        self._notice = Words(id="notice")
        self._notice.display = False
        await self.query_one("#middle").mount(self._log, self._side_bar)
        await self.mount(self._notice, before=self._question)
        await self.mount(self._status)

    # The model ------------------------------------------------------------------------------

    async def action_choose_model(self) -> None:
        from glm4v_tui.ui.screens.model import ModelScreen

        settings = self._launch.settings.model
        known = [self._last_good, str(CHECKPOINT)]
        screen = ModelScreen(self._session.command, settings, [name for name in known if name])
        await self.app.push_screen(screen, self._take_model)

    def _take_model(self, command: LoadModel | None) -> None:
        if command is not None:
            self.run_worker(self._session.load(command), group="commands")
            self._question.composer.focus()

    def action_unload(self) -> None:
        self.run_worker(self._unload(), group="commands")

    async def _unload(self) -> None:
        await self._session.unload()
        self.show_state()
        waiting = len(self._session.queued)
        also = f" {waiting} that wait are asked with it." if waiting else ""
        words = f"The model's memory is free. The next question loads it again.{also}"
        self.notify(words, markup=False)

    def on_model_changed(self) -> None:
        self._silent_s = 0.0
        if self._session.model_state is ModelState.READY:
            self._last_good = self._session.command.model if self._session.command else ""
            self._measure()
        error = self._session.model_error
        if error is not None and error is not self._told_error:
            tell_error(self, error)
        self._told_error = error
        self.show_state()

    def on_memory_read(self, message: MemoryRead) -> None:
        self._silent_s = 0.0
        self._show_memory(message.reading)
        self.show_state()

    def _show_memory(self, reading: MemoryReading | None) -> None:
        self._side_bar.show_memory(reading)
        self._status.show_memory(reading)

    def on_worker_fell_silent(self, message: WorkerFellSilent) -> None:
        self._silent_s = message.seconds
        self.show_state()

    def show_state(self) -> None:
        """Bring the top and bottom lines up to date; what has not changed is not painted."""
        session = self._session
        self._bar.show(session, self._silent_s)
        length = session.model.context_length if session.model else None
        coming = self._question.image_tokens + self._question.cost_of(session.images_left)
        self._status.show_context(session.context_used, coming, length)

    # Asking ---------------------------------------------------------------------------------

    async def on_question_area_asked(self, message: QuestionArea.Asked) -> None:
        await self._complete()
        await self._ask(message.question, message.call)

    async def _ask(self, question: Message, call: TaskCall | None) -> None:
        self._session.add(question, call)
        self._warn_of(question)
        # In a worker: opening images must not hold up what the screen has to do meanwhile.
        self.run_worker(self._session.advance(), group="commands")
        await self._show_turns()

    def _warn_of(self, question: Message) -> None:
        """Say what keeps a question from being answered, or from being answered well."""
        has_image = question.attachments or any(t.question.attachments for t in self._session.turns)
        if self._session.model_state in {ModelState.FAILED, ModelState.NONE}:
            key = bound_key(self, "chat.model")
            words = f"No model is loaded: {key} chooses one, and the question waits for it."
        elif self._is_embedded and not has_image:
            key = bound_key(self, "chat.attach")
            words = f"This question has no image, and the embedded model guesses then: {key}."
        else:
            return
        self.notify(words, severity="warning", markup=False)

    @property
    def _is_embedded(self) -> bool:
        command = self._session.command
        return command is not None and command.model == str(CHECKPOINT)

    async def _show_turns(self) -> None:
        await self.query(Welcome).remove()
        self._log.display = True
        await self._log.sync(self._session.turns)
        self._side_bar.show_images(self._images_in_view())
        self._show_notices()
        self.show_state()
        self._keep_flushing()

    def _show_notices(self) -> None:
        """What tasks want to be said as long as their results are here, wherever one scrolls."""
        calls = [turn.call for turn in self._session.turns if turn.call is not None]
        notices = dict.fromkeys(filter(None, map(self._desk.notice_of, calls)))
        self._notice.show(" · ".join(notices))
        self._notice.display = bool(notices)

    def action_stop(self) -> None:
        """Escape: stop the answer, take back a waiting question, or return to the composer."""
        if self._session.current is not None:
            self.run_worker(self._session.stop(), group="commands")
        elif self._session.queued:
            self._bring_back(self._session.queued[-1], self._session.withdraw)
        else:
            self._question.composer.focus()

    def action_regenerate(self) -> None:
        if self._session.turns:
            self._ask_again(self._session.turns[-1])

    def _ask_again(self, turn: Turn) -> None:
        if self._may_cut():
            self.call_next(self._ask, self._session.cut(turn), turn.call)

    def _edit(self, turn: Turn) -> None:
        if self._may_cut():
            self._bring_back(turn, self._session.cut, is_edit=True)

    def _bring_back(
        self, turn: Turn, take: Callable[[Turn], Message], *, is_edit: bool = False
    ) -> None:
        """Take a question out of the conversation, to be written anew."""
        question = take(turn)
        text = self._desk.command_text(turn.call) if turn.call else question.text
        self._question.rewrite(text, question.attachments, is_edit=is_edit)
        self.call_next(self._show_turns)

    def action_new_chat(self) -> None:
        if self._session.turns and self._may_cut():
            self._session.clear()
            self.call_next(self._show_turns)

    def _may_cut(self) -> bool:
        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return False
        self.notify("F9 brings back what was there.", markup=False, timeout=3)
        return True

    def action_undo(self) -> None:
        if self._session.undo():
            self._question.forget_edit()
            self.call_next(self._show_turns)
        else:
            idle = self._session.is_idle
            words = "There is nothing to bring back." if idle else "Stop the answer first (Esc)."
            self.notify(words, markup=False)

    # Tasks ----------------------------------------------------------------------------------

    async def _load_tasks(self) -> None:
        from glm4v_tui.ui.paintings import shared_paintings

        shared_paintings().preparation_of = self._desk.preparation
        plugins = await self._desk.ready()
        self._question.show_names()
        self._tell_of_plugins()
        if plugins.readers:
            await self._list_again()

    def _tell_of_plugins(self) -> None:
        for notice in self._desk.new_notices():
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)

    async def _list_again(self) -> None:
        """A picker that was opened before the plugins were there knows more files now."""
        from glm4v_tui.ui.screens.picker import PickerScreen

        if isinstance(self.app.screen, PickerScreen):
            await self.app.screen.action_reload()

    async def action_choose_task(self) -> None:
        from glm4v_tui.ui.screens.tasks import TaskScreen

        await self.app.push_screen(TaskScreen(self._desk), self._take_task)

    def _take_task(self, text: str | None) -> None:
        self._tell_of_plugins()
        self._question.show_names()
        if text is not None:
            self._question.send(text)
            self._question.composer.focus()

    # A growing answer -----------------------------------------------------------------------

    def _note_change(self, turn: Turn) -> None:
        self._changed.add(turn)
        self._keep_flushing()

    def _keep_flushing(self) -> None:
        if self._flushing is None and (self._changed or self._session.current):
            self._flushing = self.set_interval(_FLUSH_S, self._flush)

    async def _flush(self) -> None:
        views = [(turn, self._log.view_of(turn)) for turn in self._changed]
        for turn, view in views:
            if view is not None:  # a turn may change before it has a view
                self._changed.discard(turn)
                await view.follow()
        self.show_state()
        if not self._changed and self._session.current is None and self._flushing is not None:
            self._flushing.stop()
            self._flushing = None

    # Turns ----------------------------------------------------------------------------------

    def on_turn_view_requested(self, message: TurnView.Requested) -> None:
        view = message.view
        self.call_next(message.taken.set)
        match message.what:
            case "copy":
                self._copy(view.answer_text, "The result" if view.turn.call else "The answer")
            case "copy_code":
                self._copy("\n".join(view.code_blocks), "The code")
            case "edit":
                self._edit(view.turn)
            case "regenerate":
                self._ask_again(view.turn)
            case "view":
                self._view(view.turn.question.attachments, [view])
            case "previous":
                self._go_to(view, -1)
            case "next":
                self._go_to(view, 1)

    def _go_to(self, view: TurnView, step: int) -> None:
        if (neighbor := self._log.neighbor(view, step)) is not None:
            self._log.go_to(neighbor)
        elif step > 0:
            self._question.composer.focus()

    def _copy(self, text: str, what: str) -> None:
        if not text:
            self.notify(f"{what} is empty: nothing was copied.", markup=False)
            return
        self.app.copy_to_clipboard(plain_text(text))
        self.notify(f"{what} was sent to the terminal's clipboard (OSC 52).", markup=False)

    def action_scroll_log(self, pages: int) -> None:
        self._log.scroll_pages(pages)

    async def action_search(self) -> None:
        """Keys that follow at once wait here until the bar can take them."""
        from glm4v_tui.ui.widgets.search_bar import SearchBar

        if not self.query(SearchBar):
            await self.mount(SearchBar(), before=self.query_one("#middle"))
        self.query_one(SearchBar).focus_input()

    def action_answers(self) -> None:
        if self.focused is self._question.composer and self._question.composer.may_complete:
            self._question.composer.call_later(self._complete_or_leave)
        else:
            self._leave_composer()

    def _complete_or_leave(self) -> None:
        """Runs after the letters that came before the key."""
        if not self._question.composer.complete():
            self._leave_composer()

    def _leave_composer(self) -> None:
        views = self._log.views
        if views and self.focused is self._question.composer:
            self._log.go_to(views[-1])
        else:
            self._question.composer.focus()

    def on_key(self, event: events.Key) -> None:
        """What is typed before the composer has the focus is for the composer.

        Keys that it has seen itself do not come up to here: it takes them.
        """
        composer = self._question.composer
        is_early = self.focused is None or self.focused is composer
        if is_early and (event.is_printable or event.key in {"enter", "backspace"}):
            event.stop()
            composer.post_message(events.Key(event.key, event.character))

    def on_question_area_folder_named(self, message: QuestionArea.FolderNamed) -> None:
        self._open_picker(message.folder)

    def on_search_bar_wanted(self, message: SearchBar.Wanted) -> None:
        message.bar.show_count(*self._log.find(message.text, message.step))

    def on_search_bar_closed(self) -> None:
        self._log.find("", 0)
        self._question.composer.focus()

    # Images ---------------------------------------------------------------------------------

    async def on_question_area_images_changed(self) -> None:
        await self._complete()
        self._side_bar.show_images(self._images_in_view())
        self._measure()
        self.show_state()

    def _images_in_view(self) -> tuple[Attachment, ...]:
        """The images that the next answer is about, or the last ones that were asked about."""
        return self._question.attachments or self._last_images()

    def _last_images(self) -> tuple[Attachment, ...]:
        return self._session.images

    def _measure(self) -> None:
        sizes = self._question.unmeasured
        if sizes and self._session.model_state is ModelState.READY:
            self.run_worker(self._session.engine.measure(sizes), group="commands")

    def on_images_measured(self, message: ImagesMeasured) -> None:
        self._question.take_costs(message.measured)

    def action_attach(self) -> None:
        from glm4v_tui.state import load_state

        last = load_state()[0].last_folder
        if last and Path(last).is_dir():
            self._open_picker(Path(last))
        else:  # the embedded model knows nothing of the user's pictures, but of its own
            self._open_picker(SAMPLES if self._launch.is_embedded else Path.cwd())

    def _open_picker(self, folder: Path) -> None:
        from glm4v_tui.ui.screens.picker import PickerScreen

        self.app.push_screen(PickerScreen(folder), self._take_picked)

    def _take_picked(self, result: PickResult | None) -> None:
        if result is None:
            return
        from glm4v_tui.state import update_state

        update_state(last_folder=str(result.folder))
        self._question.attach((path, None) for path in result.paths)
        self._question.composer.focus()

    def action_view(self) -> None:
        images = self._images_in_view()
        views = [view for view in self._log.views if view.turn.question.attachments == images]
        self._view(images, views)

    def _view(self, images: tuple[Attachment, ...], views: Sequence[TurnView]) -> None:
        """Show images full screen, with what the newest result in these turns says of them."""
        if not images:
            key = bound_key(self, "chat.attach")
            self.notify(f"No image yet: {key} chooses one.", markup=False)
            return
        from glm4v_tui.ui.screens.viewer import ViewerItem, ViewerScreen

        marks = next((view.marks for view in reversed(views) if view.marks), ())
        calls = (view.turn.call for view in reversed(views) if view.turn.call is not None)
        notice = next(filter(None, map(self._desk.notice_of, calls)), "")
        items = [
            ViewerItem(
                Path(image.path),
                image.crop,
                marks=() if index else marks,
                variant=image.variant,
                notice=notice,
            )
            for index, image in enumerate(images)
        ]
        self.app.push_screen(ViewerScreen(items), self._take_viewed)

    def _take_viewed(self, result: AskAbout | None) -> None:
        if result is not None:
            self._question.attach([(result.path, result.box)])
            self._question.composer.focus()

    def on_paste(self, event: events.Paste) -> None:
        """A paste or drop while the conversation has the focus."""
        event.stop()
        self._question.take_paste(event.text)

    def action_toggle_side_bar(self) -> None:
        self._side_bar.toggle()


def _spare_collector() -> None:
    """Keep what lives as long as the program out of the garbage collector's rounds.

    Going through the modules and styles of the start takes it tens of milliseconds each time, in
    which no key is answered.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
