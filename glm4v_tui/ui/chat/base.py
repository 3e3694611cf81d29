"""What all parts of the chat screen share: session, widgets, and the conversation on the screen."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from textual.screen import Screen

from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.sending import sending_words
from glm4v_tui.session import ModelState
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.next_question import NextQuestion
from glm4v_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from textual.timer import Timer

    from glm4v_tui.chat import Attachment
    from glm4v_tui.engine.protocol import LoadModel, SendingWanted
    from glm4v_tui.session import ChatSession, Turn
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.task_desk import TaskDesk
    from glm4v_tui.ui.widgets.chat_log import ChatLog
    from glm4v_tui.ui.widgets.model_bar import ModelBar
    from glm4v_tui.ui.widgets.question_area import QuestionArea
    from glm4v_tui.ui.widgets.side_bar import SideBar
    from glm4v_tui.ui.widgets.status_line import StatusLine
    from glm4v_tui.ui.widgets.words import Words

_FLUSH_S = 1 / 10
"""How often a growing answer is painted: eyes cannot follow more, and drawing it costs."""


class ChatBase(Screen[None]):
    _bar: ModelBar
    _question: QuestionArea
    _log: ChatLog
    _side_bar: SideBar
    _status: StatusLine
    _notice: Words
    _sending_line: Words

    def __init__(self, launch: Launch, session: ChatSession, desk: TaskDesk) -> None:
        super().__init__()
        self._launch = launch
        self._session = session
        self._desk = desk
        self._changed: set[Turn] = set()
        self._flushing: Timer | None = None
        self._is_complete = False
        self._silent_s = 0.0
        self._next = NextQuestion()
        self._sending: SendingWanted | None = None
        """Images that wait for a word before they leave this machine."""
        session.on_change = self._note_change
        session.on_placed = self._note_place

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
        self._sending_line = Words(id="sending")
        self._sending_line.display = False
        await self.query_one("#middle").mount(self._log, self._side_bar)
        await self.mount(self._notice, self._sending_line, before=self._question)
        await self.mount(self._status)

    def _note_place(self, task: str, before: LoadModel | None) -> None:
        """A task's own engine is loaded."""

    def on_question_area_text_grew(self) -> None:
        if self._is_complete:
            self.show_state()

    def show_state(self) -> None:
        """Bring the top and bottom lines up to date; what has not changed is not painted."""
        session = self._session
        self._bar.show(session, self._silent_s)
        length = session.model.context_length if session.model else None
        coming = self._question.image_tokens + self._question.cost_of(self._left_beside)
        self._status.show_place(session)
        self._show_sending()
        written = self._question.text_tokens
        self._status.show_context(session.context_used, coming, written, length)
        needed = self._next_needs(coming)
        self._status.show_coming(needed)
        self._side_bar.show_coming(needed)

    @property
    def _sending_wanted(self) -> SendingWanted | None:
        """What is to be decided now; not what has ended meanwhile."""
        wanted = self._sending
        return wanted if wanted is not None and self._session.is_asked(wanted.request_id) else None

    def _show_sending(self) -> None:
        wanted = self._sending_wanted
        self._sending_line.display = wanted is not None
        if wanted is not None:
            yes, no = bound_key(self, "chat.send_images"), bound_key(self, "chat.stop")
            asked = f"{yes} sends, and allows this host from now on; {no} keeps it here."
            self._sending_line.show(f"{sending_words(wanted)} {asked}")

    def _next_needs(self, coming: int) -> int | None:
        """Bytes that the next question will need; every image of the conversation is read anew."""
        session, question = self._session, self._question
        if session.model is None or session.model_state is not ModelState.READY:
            return None
        remembered = (turn.question.attachments for turn in session.turns if turn.is_remembered)
        images = [*chain(*remembered), *self._left_beside, *question.attachments]
        return self._next.needs(
            session.model,
            (session.context_used or 0) + coming,
            question.composer.text,
            session.sampling.max_new_tokens,
            question.seen(images),
        )

    @property
    def _left_beside(self) -> list[Attachment]:
        """The images that go with the next question without being attached to it."""
        own = {image.key for image in self._question.attachments}
        return [image for image in self._session.images_left if image.key not in own]

    def _images_in_view(self) -> tuple[Attachment, ...]:
        """The images that the next answer is about, or the last ones that were asked about."""
        return self._question.attachments or self._last_images()

    def _last_images(self) -> tuple[Attachment, ...]:
        return self._session.images

    @property
    def _is_embedded(self) -> bool:
        command = self._session.command
        return command is not None and command.model == str(CHECKPOINT)

    def _measure(self) -> None:
        sizes = self._question.unmeasured
        if sizes and self._session.model_state is ModelState.READY:
            self.run_worker(self._session.engine.measure(sizes), group="commands")

    # The conversation -----------------------------------------------------------------------

    def _leave_edit(self) -> None:
        """Put a question that is edited back to its place, before anything else is done with the
        conversation: what is brought back next is this then, and nothing else."""
        if self._question.is_editing and self._session.undo():
            self._question.leave_edit()
            self.call_next(self._show_turns)

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
