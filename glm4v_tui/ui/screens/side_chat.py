"""The chat about one image of a review; Escape returns to the review."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal

from glm4v_tui.session import Journal
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.bridge import route_of
from glm4v_tui.ui.screens.chat import ChatScreen
from glm4v_tui.ui.widgets.model_bar import ModelBar
from glm4v_tui.ui.widgets.question_area import QuestionArea
from glm4v_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.chat import Box
    from glm4v_tui.session import ChatSession
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.task_desk import TaskDesk


class SideChatScreen(ChatScreen):
    """The chat screen over a review, with the image attached.

    The model is the review's: it is loaded, and its events are carried, by the screen below.

    Args:
        image: The file, and the part of it that is asked about.
        private_task: The review's task, where that is private: its place must not be kept, and it
            stays on this machine.
    """

    CSS_PATH = "../styles/chat.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Back to the review", id="triage.chat_back",
                tooltip="Stops the answer first, where one is being written"),
    ]  # fmt: skip

    def __init__(
        self,
        launch: Launch,
        session: ChatSession,
        desk: TaskDesk,
        image: tuple[Path, Box | None],
        *,
        private_task: str = "",
    ) -> None:
        super().__init__(launch, session, desk)
        self._image = image
        self._private_task = private_task

    def compose(self) -> ComposeResult:
        yield ModelBar()
        with Horizontal(id="middle"):
            yield AboutImage()
        yield QuestionArea(self._desk, self._last_images)

    async def _begin(self) -> None:
        if type(self._session.journal) is Journal:  # the program began with the review
            self._begin_journal()
        self._session.journal.hides_places = bool(self._private_task)
        self._session.private_task = self._private_task
        await self._complete()
        route_of(self.app).targets.append(self)
        if self._session.turns:
            await self._show_turns()
        self._question.attach([self._image])
        self._measure()
        self.show_state()
        self.run_worker(self._load_tasks(), group="tasks")

    def on_unmount(self) -> None:
        self._session.journal.hides_places = False
        self._session.private_task = ""
        route_of(self.app).targets.remove(self)

    def action_stop(self) -> None:
        """Escape: as in every chat while something is asked; else back to the review."""
        if self._session.is_idle:
            self.dismiss(None)
        else:
            super().action_stop()


class AboutImage(Welcome):
    """What an empty chat about an image says: it has its image and its model."""

    DEFAULT_CSS = "AboutImage { width: 1fr; height: 1fr; padding: 1 2; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__(is_embedded=False)

    def _show_for(self, width: int) -> None:  # noqa: ARG002 - short at any width
        key = bound_key(self, "triage.chat_back") or "Esc"
        self.show(f"Ask about this image of the review.\n{key} returns to the review.")
