"""Asking, stopping, asking anew, and bringing back what was there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding

from glm4v_tui.demo import TRAINED_TASKS
from glm4v_tui.errors import GlmError
from glm4v_tui.session import ModelState
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.chat.base import ChatBase

if TYPE_CHECKING:
    from textual.binding import BindingType

    from glm4v_tui.chat import Attachment, Message
    from glm4v_tui.session import Turn
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.ui.widgets.question_area import QuestionArea


class AskPart(ChatBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop", id="chat.stop", tooltip="End the answer; keep its text"),
        Binding("f5", "regenerate", "Again", id="chat.regenerate", show=False,
                tooltip="Answer the last question anew"),
        Binding("ctrl+n", "new_chat", "New chat", id="chat.new", show=False, priority=True),
        Binding("f9", "undo", "Bring back", id="chat.undo", show=False,
                tooltip="Undo the last edit, regenerate or new chat"),
    ]  # fmt: skip

    async def on_question_area_asked(self, message: QuestionArea.Asked) -> None:
        await self._complete()
        await self._ask(message.question, message.call)

    async def _ask(self, question: Message, call: TaskCall | None) -> None:
        self._session.add(question, call)
        self._warn_of(call)
        # In a worker: opening images must not hold up what the screen has to do meanwhile.
        self.run_worker(self._session.advance(), group="commands")
        await self._show_turns()

    def _warn_of(self, call: TaskCall | None) -> None:
        """Say what keeps a question from being answered, or from being answered well."""
        if call is not None and self._has_own_place(call):
            return
        if self._session.model_state in {ModelState.FAILED, ModelState.NONE}:
            key = bound_key(self, "chat.model")
            command = self._session.command
            is_far = command is not None and bool(command.engine)
            words = (
                f"The question waits until the server is there. {key} chooses another model."
                if is_far
                else f"No model is loaded: {key} chooses one, and the question waits for it."
            )
        elif self._is_embedded and call is not None and call.task not in TRAINED_TASKS:
            key = bound_key(self, "chat.model")
            words = f"The embedded model has not learned this task: it guesses. {key}: a real one."
        else:
            return
        self.notify(words, severity="warning", markup=False)

    def _has_own_place(self, call: TaskCall) -> bool:
        with contextlib.suppress(GlmError):  # told when it is asked
            return self._session.place_for(call.task) is not None
        return False

    def action_stop(self) -> None:
        """Escape: stop the answer, take back a waiting question, leave one that is edited, or
        return to the composer."""
        current = self._session.current
        if current is not None and not current.is_stopping:
            self.run_worker(self._session.stop(), group="commands")
        elif self._session.queued:
            waiting = self._session.queued[-1]
            self._question.rewrite(*self._as_written(waiting, self._session.withdraw(waiting)))
            self.call_next(self._show_turns)
        elif self._question.is_editing:
            self.action_undo()
        else:
            self._question.composer.focus()

    def action_regenerate(self) -> None:
        self._leave_edit()
        if self._session.turns:
            self._ask_again(self._session.turns[-1])

    def _ask_again(self, turn: Turn) -> None:
        if self._may_cut():
            self._leave_edit()
            # Else the focus would go to the turn before, and the conversation with it.
            self.set_focus(self._question.composer)
            self.call_next(self._ask, self._session.cut(turn), turn.call)

    def _edit(self, turn: Turn) -> None:
        key = bound_key(self, "chat.stop")
        if self._may_cut(f"{key} leaves the question as it was."):
            self._leave_edit()
            self._question.edit(*self._as_written(turn, self._session.cut(turn)))
            self.call_next(self._show_turns)

    def _as_written(self, turn: Turn, question: Message) -> tuple[str, tuple[Attachment, ...]]:
        text = self._desk.command_text(turn.call) if turn.call else question.text
        return text, question.attachments

    def action_new_chat(self) -> None:
        self._leave_edit()
        if self._session.turns and self._may_cut():
            self._session.clear()
            self.call_next(self._show_turns)

    def _may_cut(self, words: str = "") -> bool:
        """Whether turns may be taken out; if so, it is said how they come back."""
        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return False
        undo = f"{bound_key(self, 'chat.undo')} brings back what was there."
        self.notify(words or undo, markup=False, timeout=3)
        return True

    def action_undo(self) -> None:
        if self._session.undo():
            self._question.leave_edit()
            self.call_next(self._show_turns)
        else:
            idle = self._session.is_idle
            words = "There is nothing to bring back." if idle else "Stop the answer first (Esc)."
            self.notify(words, markup=False)

    def on_key(self, event: events.Key) -> None:
        """What is typed before the composer has the focus is for the composer.

        Keys that it has seen itself do not come up to here: it takes them.
        """
        composer = self._question.composer
        is_early = self.focused is None or self.focused is composer
        if is_early and (event.is_printable or event.key in {"enter", "backspace"}):
            event.stop()
            composer.post_message(events.Key(event.key, event.character))

    def on_paste(self, event: events.Paste) -> None:
        """A paste or drop while the conversation has the focus."""
        event.stop()
        self._question.take_paste(event.text)
