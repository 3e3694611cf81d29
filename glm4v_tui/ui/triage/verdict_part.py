"""Verdicts by single keys: given only by a person, and only on what was to be seen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding
from textual.content import Content

from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.triage.base import TriageBase
from glm4v_tui.ui.triage.key_gate import HOLD_S, Press, Why
from glm4v_tui.ui.triage.label_keys import DIGITS
from glm4v_tui.ui.triage.words import (
    count,
    error_words,
    label_words,
    refusal_words,
    taken_back_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType

    from glm4v_tui.ui.widgets.note_input import NoteInput

_TOGETHER_S = 1.0
"""Keys that are refused within this are counted in one line."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A key that waits until it is clear that a person has pressed it."""

    press: Press
    act: Callable[[Press], None]
    is_door: bool
    """It opens something that the keys after it are for."""


def _key(key: str, action: str, description: str, name: str, tooltip: str) -> Binding:
    return Binding(key, action, description, id=f"triage.{name}", tooltip=tooltip)


class VerdictPart(TriageBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("a", "accept", "Accept", "accept", "The model's label is right; on to the next"),
        _key("x", "reject", "Reject", "reject", "The model's label is wrong; say no more"),
        _key("space", "skip", "Skip", "skip", "Decide nothing; it does not come again of itself"),
        Binding("1", "label(1)", "Label", id="triage.label_1", key_display="1-9",
                tooltip="The first of the task's labels; the list beside the image has the keys"),
        _key("u,backspace,ctrl+z", "undo", "Undo", "undo",
             "Take the last verdict back and return to its image"),
        _key("f", "flag", "Flag", "flag", "Mark the image, or take the mark away"),
        *(
            Binding(str(number), f"label({number})", f"Label {number}",
                    id=f"triage.label_{number}", show=False)
            for number in range(2, DIGITS + 1)
        ),
        Binding("U", "undo_automatic", "Undo automatic", id="triage.undo_automatic", show=False,
                tooltip="Take all automatic labels back that nobody has decided on since"),
        Binding("m", "note", "Note", id="triage.note", show=False,
                tooltip="Write a note to the image"),
    ]  # fmt: skip

    _refused = 0
    _refused_at = float("-inf")

    def on_mount(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._held: list[events.Key] = []
        """Keys that came after one that opens something, which they may be for."""
        self._moves: deque[tuple[float, int]] = deque(maxlen=64)
        """When a key has moved the reviewer, and from which image."""

    # Keys on their way --------------------------------------------------------------------------

    def _forward_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._gate.note(Press(event.key, event.time))
        super()._forward_event(event)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and self.focused is None:
            if any(one.is_door for one in self._waiting):
                self._held.append(event)
                return
            self._press = Press(event.key, event.time)
        await super().on_event(event)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted or dropped text is no verdict."""
        event.stop()
        self._gate.note_paste(event.time)
        self._say("Pasted text gives no verdicts; m writes a note.")

    def _when_meant(self, act: Callable[[Press], None], *, is_door: bool = False) -> None:
        """Do this for the key in hand once it is clear that a person has pressed it."""
        self._waiting.append(_Waiting(self._press, act, is_door))
        self._wait_for(self._press)

    def _wait_for(self, press: Press) -> None:
        """Settle when this key has waited long enough."""
        wait = press.at + HOLD_S - self._now
        # By way of the app: what it was given before the time was up is noted first.
        self.set_timer(max(0.001, wait), lambda: self.app.call_later(self.call_later, self._settle))

    def _settle(self) -> None:
        while self._waiting and self._now >= self._waiting[0].press.at + HOLD_S:
            waiting = self._waiting.popleft()
            why = self._gate.why_not(waiting.press)
            if why is None:
                waiting.act(waiting.press)
            else:
                self._refuse(why)
            if waiting.is_door:
                self._release(is_open=why is None)
        if self._waiting:
            self._wait_for(self._waiting[0].press)

    def _release(self, *, is_open: bool) -> None:
        """Hand on the keys that came after one that was to open something."""
        held, self._held = self._held, []
        if is_open:
            for event in held:
                self.app.post_message(events.Key(event.key, event.character))

    def _refuse(self, why: Why) -> None:
        if self._now - self._refused_at > _TOGETHER_S:
            self._refused = 0
        self._refused += 1
        self._refused_at = self._now
        if why is Why.BURST:
            self._go_back_to(self._gate.burst_start)
        self._tell_refused(refusal_words(why, self._refused))

    def _tell_refused(self, words: str) -> None:
        self._say(Content.styled(words, "$text-warning"))

    def _go_back_to(self, start: float) -> None:
        """To the image that was shown when a burst began to move the reviewer about."""
        index = next((index for at, index in self._moves if at >= start), None)
        self._moves.clear()
        if index is not None and self._review is not None and self._review.queue.go_to(index):
            self.show_item()

    # Verdicts -----------------------------------------------------------------------------------

    def action_accept(self) -> None:
        self._when_meant(self._accept)

    def action_reject(self) -> None:
        self._when_meant(lambda press: self._decide(press, "rejected"))

    def action_skip(self) -> None:
        self._when_meant(lambda press: self._decide(press, None))

    def action_label(self, number: int) -> None:
        labels = self._plan.task.labels
        if number <= len(labels):
            self.action_give(labels[number - 1].name)
        else:
            has = f"has {count(len(labels), 'label')}" if labels else "has no labels"
            self._tell_refused(f"Not taken: this task {has}, and none with the key {number}.")

    def action_give(self, label: str) -> None:
        self._when_meant(lambda press: self._decide(press, label))

    def action_undo(self) -> None:
        self._when_meant(self._undo)

    def action_flag(self) -> None:
        self._when_meant(self._flag)

    def _accept(self, press: Press) -> None:
        review, index = self._review, self._index
        if review is None or index is None:
            return
        if not self._sight.has_seen_picture(press.at):
            self._tell_refused("Not taken: the key came before its image.")
            return
        label = review.standings.model_label(index)
        if label is None:
            self._tell_refused("Not taken: the model has named no label. Give one yourself.")
        elif not self._sight.has_seen_label(press.at):
            self._tell_refused("Not taken: the key came before what the model says.")
        else:
            seconds = self._sight.seconds(press.at)
            self._do(lambda: review.accept(seconds=seconds), label)

    def _decide(self, press: Press, label: str | None) -> None:
        """A label, or None to skip."""
        review = self._review
        if review is None or self._index is None:
            return
        if not self._sight.has_seen_picture(press.at):
            self._tell_refused("Not taken: the key came before its image.")
            return
        seconds = self._sight.seconds(press.at)
        if label is None:
            self._do(lambda: review.skip(seconds=seconds), "skipped")
        elif label == "rejected":
            self._do(lambda: review.reject(seconds=seconds), label)
        else:
            self._do(lambda: review.give(label, seconds=seconds), label)

    def _do(self, verb: Callable[[], None], word: str) -> None:
        """Decide, and go on where that is on the disk; else say why not and stay."""
        review, path, index = self._review, self._path, self._index
        assert review is not None
        assert path is not None
        assert index is not None
        try:
            verb()
        except GlmError as error:
            self._fail(error)
            return
        said = review.standings.model_label(index)
        is_other = review.standings.disagrees(index)
        other = f", not {plain_line(said)}" if said is not None and is_other else ""
        self._note_verdict(path.name, f"{label_words(word)}{other}")
        self._say("")
        self._go_on()

    def _note_verdict(self, name: str, words: str) -> None:
        self._last.appendleft(Content.assemble(f"{plain_line(name)}  ", (words, "$foreground")))

    def _go_on(self) -> None:
        """To the next image that is not decided."""
        review = self._review
        assert review is not None
        try:
            has_more = review.advance()
        except GlmError as error:
            self._fail(error)
            return
        if has_more:
            self.show_item()
        else:
            self.show_progress()
            self._end()

    def _end(self) -> None:
        """Everything that is shown is decided."""
        raise NotImplementedError

    def _undo(self, press: Press) -> None:  # noqa: ARG002 - it is about the image before
        if self._review is None:
            return
        try:
            path = self._review.undo()
        except GlmError as error:
            self._fail(error)
            return
        if path is None:
            self._say("There is nothing to take back.")
            return
        what = taken_back_words(*self._review.taken_back)
        self._note_verdict(path.name, f"{what} taken back")
        self.show_item()
        self._say(f"Taken back: {what} for {plain_line(path.name)}.")

    def action_undo_automatic(self) -> None:
        self._when_meant(lambda _: self._undo_automatic())

    def _undo_automatic(self) -> None:
        if self._review is None:
            return
        try:
            number = self._review.automatic.undo()
        except GlmError as error:
            self._fail(error)
            return
        labels = count(number, "automatic label is", "automatic labels are")
        self._say(f"{labels} taken back, and none is given any more.")
        self.show_progress()

    def _flag(self, press: Press) -> None:
        if self._review is None or self._index is None:
            return
        if not self._sight.has_seen_picture(press.at):
            self._tell_refused("Not taken: the key came before its image.")
            return
        try:
            is_flagged = self._review.flag()
        except GlmError as error:
            self._fail(error)
            return
        self._say("Flagged." if is_flagged else "The flag is gone.")
        self.show_progress()

    def _fail(self, error: GlmError) -> None:
        """Nothing was kept: say so where the reviewer looks."""
        self._say(Content.assemble(("Not taken. ", "bold $text-error"), error_words(error)))

    # Notes --------------------------------------------------------------------------------------

    def action_note(self) -> None:
        self._when_meant(self._begin_note, is_door=True)

    def _begin_note(self, press: Press) -> None:  # noqa: ARG002
        from glm4v_tui.ui.widgets.note_input import NoteInput

        if self._review is None or self._path is None:
            return
        note = self.query_one(NoteInput)
        note.begin(self._review.verdict_of(self._path).note)

    def on_note_input_written(self, message: NoteInput.Written) -> None:
        assert self._review is not None
        try:
            self._review.note(message.text)
        except GlmError as error:
            self._fail(error)
            return
        self._say("The note is kept." if message.text else "There is no note any more.")
        self.show_progress()
