"""What all parts of the triage screen share: the review, what is shown, what is said."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.triage.key_gate import KeyGate, Press
from glm4v_tui.ui.triage.lens import Lens
from glm4v_tui.ui.triage.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from textual.content import Content
    from textual.worker import Worker

    from glm4v_tui.errors import GlmError
    from glm4v_tui.session import ChatSession
    from glm4v_tui.tasks.task import Label
    from glm4v_tui.triage.asking import Judged
    from glm4v_tui.triage.review import Review
    from glm4v_tui.ui.app import Glm4vApp
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.task_desk import TaskDesk
    from glm4v_tui.ui.triage.plan import Plan
    from glm4v_tui.ui.viewport import Viewport
    from glm4v_tui.ui.widgets.picture import Picture
    from glm4v_tui.ui.widgets.triage_head import TriageHead
    from glm4v_tui.ui.widgets.triage_side import TriageSide
    from glm4v_tui.ui.widgets.triage_strip import NeighborStrip
    from glm4v_tui.ui.widgets.words import Words

_KEPT = 64
"""Results of the model that are kept ready; the store has them all."""
_LAST = 5


class TriageBase(Screen[None]):
    _head: TriageHead
    _picture: Picture
    _side: TriageSide
    _strip: NeighborStrip
    _line: Words
    _said: Words

    def __init__(self, launch: Launch, session: ChatSession, desk: TaskDesk, plan: Plan) -> None:
        super().__init__()
        self._launch = launch
        self._session = session
        self._desk = desk
        self._plan = plan
        self._review: Review | None = None
        """None until the images were found."""
        self._judged: OrderedDict[int, Judged | GlmError] = OrderedDict()
        """What the model said, or why it did not, by the image's number; the latest."""
        self._sight = Sight()
        self._gate = KeyGate()
        self._press = Press("", 0.0)
        """The key that is being handled."""
        self._lens = Lens(plan.task, plan.options)
        self._view: Viewport | None = None
        """None until the image's size is known."""
        self._own_keys: dict[str, Label] = {}
        self._filter_name = ""
        self._is_in_side_chat = False
        self._last: deque[Content] = deque(maxlen=_LAST)

    @property
    def _index(self) -> int | None:
        """The number of the image that is shown; None where there is none."""
        return self._review.queue.index if self._review is not None else None

    @property
    def _path(self) -> Path | None:
        return self._review.current if self._review is not None else None

    @property
    def _triage_app(self) -> Glm4vApp:
        return cast("Glm4vApp", self.app)

    def _judgment(self, index: int) -> Judged | GlmError | None:
        return self._judged.get(index)

    def _keep(self, index: int, judged: Judged | GlmError) -> None:
        self._judged[index] = judged
        self._judged.move_to_end(index)
        while len(self._judged) > _KEPT:
            self._judged.popitem(last=False)

    def _say(self, words: Content | str) -> None:
        """In the line below the picture, until something else is said."""
        self._said.show(words)

    def _file_name(self, path: Path) -> str:
        return plain_line(path.name)

    def _replace_work(self, group: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin this in place of what its group was at."""
        _: Worker[None] = self.run_worker(work, group=group, exclusive=True)

    @property
    def _now(self) -> float:
        return time.monotonic()

    def show_item(self) -> None:
        """Show the image that the review has come to."""
        raise NotImplementedError

    def show_progress(self) -> None:
        """Bring all lines up to date that speak of verdicts."""
        raise NotImplementedError
