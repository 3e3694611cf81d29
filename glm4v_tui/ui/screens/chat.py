"""The chat screen: the only conductor of its widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from glm4v_tui.plain import plain_text
from glm4v_tui.ui.bridge import carry_events, route_of
from glm4v_tui.ui.chat.consent_part import ConsentPart
from glm4v_tui.ui.chat.model_part import ModelPart
from glm4v_tui.ui.chat.task_part import TaskPart
from glm4v_tui.ui.collector import spare_collector
from glm4v_tui.ui.widgets.model_bar import ModelBar
from glm4v_tui.ui.widgets.question_area import QuestionArea
from glm4v_tui.ui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from glm4v_tui.session import ChatSession
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.task_desk import TaskDesk


class ChatScreen(ModelPart, TaskPart, ConsentPart):
    """Puts the parts together and brings up the screen: the first frame, then the rest."""

    def __init__(
        self, launch: Launch, session: ChatSession, desk: TaskDesk, notices: Sequence[str] = ()
    ) -> None:
        super().__init__(launch, session, desk)
        self._notices = notices

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
        self._begin_journal()
        self.run_worker(self._session.load(self._launch.model), group="commands")
        await self._complete()
        route = route_of(self.app)
        route.targets.append(self)
        self.run_worker(carry_events(self._session, route), group="events")
        self._question.attach((path, None) for path in self._launch.images)
        if self._launch.folder is not None:
            self._open_picker(self._launch.folder)
        for notice in self._notices:
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)
        self.show_state()
        spare_collector()
        self.run_worker(self._load_tasks(), group="tasks")
