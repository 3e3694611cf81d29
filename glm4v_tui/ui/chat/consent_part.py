"""Asking whether images may be read smaller, when the memory does not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events

from glm4v_tui.ui.chat.turn_part import TurnPart

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import ConsentWanted
    from glm4v_tui.ui.widgets.consent_bar import ConsentBar


class ConsentPart(TurnPart):
    _asked: ConsentWanted | None = None
    _consent_bar: ConsentBar | None = None

    def show_state(self) -> None:
        super().show_state()
        wanted = self._session.consent_wanted
        if wanted is not self._asked:
            self._asked = wanted
            self._show_consent(wanted)

    def _show_consent(self, wanted: ConsentWanted | None) -> None:
        if self._consent_bar is not None:
            had_focus = self._consent_bar.has_focus
            self._consent_bar.remove()
            self._consent_bar = None
            if had_focus:
                self._question.composer.focus()
        if wanted is None:
            return
        from glm4v_tui.ui.widgets.consent_bar import ConsentBar

        self._consent_bar = ConsentBar(wanted.question)
        self.mount(self._consent_bar, before=self._question)
        composer = self._question.composer
        if not composer.text and self.focused in (None, composer):
            self._consent_bar.focus()

    def _leave_composer(self) -> None:
        if self._consent_bar is not None and self.focused is self._question.composer:
            self._consent_bar.focus()
        else:
            super()._leave_composer()

    def on_consent_bar_answered(self, message: ConsentBar.Answered) -> None:
        self.run_worker(self._session.consent(is_given=message.is_given), group="commands")

    def on_consent_bar_typed(self, message: ConsentBar.Typed) -> None:
        composer = self._question.composer
        composer.focus()
        composer.post_message(events.Key(message.key.key, message.key.character))
