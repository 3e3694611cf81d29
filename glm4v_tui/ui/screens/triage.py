"""The triage screen: many images, a key for each."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Container
from textual.content import Content

from glm4v_tui.errors import GlmError
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.ui.aside import aside
from glm4v_tui.ui.bridge import carry_events, route_of
from glm4v_tui.ui.collector import spare_collector
from glm4v_tui.ui.paintings import Paintings
from glm4v_tui.ui.triage.label_keys import own_keys
from glm4v_tui.ui.triage.look_part import LookPart
from glm4v_tui.ui.triage.model_part import ModelPart
from glm4v_tui.ui.triage.move_part import MovePart
from glm4v_tui.ui.triage.recall_part import RecallPart
from glm4v_tui.ui.triage.words import count, error_words, mark_of, order_words
from glm4v_tui.ui.widgets.line import FewLines, Line
from glm4v_tui.ui.widgets.note_input import NoteInput
from glm4v_tui.ui.widgets.picture import Picture
from glm4v_tui.ui.widgets.triage_footer import TriageFooter
from glm4v_tui.ui.widgets.triage_head import TriageHead
from glm4v_tui.ui.widgets.triage_side import TriageSide
from glm4v_tui.ui.widgets.triage_strip import Neighbor, NeighborStrip
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.session import ChatSession
    from glm4v_tui.triage.review import Review
    from glm4v_tui.ui.launch import Launch
    from glm4v_tui.ui.task_desk import TaskDesk
    from glm4v_tui.ui.triage.key_gate import Press
    from glm4v_tui.ui.triage.plan import Plan


class TriageScreen(RecallPart, MovePart, LookPart, ModelPart):
    """Puts the parts together: the first frame, then the images, then the model.

    Args:
        is_first: It is the program's first screen: it loads the model, and leaving it ends the
            program. Else it lies over the chat.
    """

    AUTO_FOCUS = ""
    CSS_PATH = "../styles/triage.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (76, "-narrow"), (120, "-wide")]

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "ask", "Ask", id="triage.ask",
                tooltip="A question about this image, or the part you see, in a chat of its own"),
        Binding("t", "summary", "Agreement", id="triage.summary", show=False,
                tooltip="Counts, and the model against you by label"),
        Binding("q", "leave", "Quit", id="triage.leave",
                tooltip="Everything is kept; started again, it goes on here"),
    ]  # fmt: skip

    def __init__(
        self,
        launch: Launch,
        session: ChatSession,
        desk: TaskDesk,
        plan: Plan,
        notices: Sequence[str] = (),
        *,
        is_first: bool = True,
    ) -> None:
        super().__init__(launch, session, desk, plan)
        self._notices = notices
        self._is_first = is_first
        self._asked_about: int | None = None
        """The image that the side chat was about last."""

    def compose(self) -> ComposeResult:
        paintings = Paintings()
        paintings.preparation_of = self._lens.preparation
        yield TriageHead(plain_line(str(self._plan.task.title)))
        with Container(id="middle"):
            yield Words("Looking for images…", id="empty")
            yield Picture(id="picture", enlargement=float("inf"), eager=True, paintings=paintings)
            yield TriageSide()
        yield Words(plain_line(str(self._plan.task.notice)), id="task-notice")
        yield NeighborStrip()
        yield Line(id="line")
        yield FewLines(id="said")
        yield NoteInput()
        yield TriageFooter()

    def on_mount(self) -> None:
        super().on_mount()
        self._head = self.query_one(TriageHead)
        self._picture = self.query_one(Picture)
        self._side = self.query_one(TriageSide)
        self._strip = self.query_one(NeighborStrip)
        self._line = self.query_one("#line", Words)
        self._said = self.query_one("#said", Words)
        self._picture.display = self._side.display = False
        self.query_one("#task-notice").display = bool(self._plan.task.notice)
        self._bind_labels()
        self.call_after_refresh(self._begin)

    def _bind_labels(self) -> None:
        """The labels' own keys, where they do nothing else."""
        taken = {key for key, _ in self._bindings} | {key for key, _ in self.app._bindings}
        for keys in self.app._keymap.values():
            taken |= set(keys.split(","))
        self._own_keys = own_keys(self._plan.task.labels, taken)
        for key, label in self._own_keys.items():
            title = plain_line(label.title or label.name)
            self._bindings.bind(key, f"give({label.name!r})", f"Label: {title}", show=False)
        if not self._plan.task.labels:
            self._bindings.bind("1", "actual", "One image pixel for each half cell", show=False)

    # Beginning ----------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """What takes time, after the first frame."""
        route = route_of(self.app)
        route.targets.append(self)
        if self._is_first:
            self.run_worker(self._session.load(self._launch.model), group="commands")
            self.run_worker(carry_events(self._session, route), group="events")
        for notice in self._notices:
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)
        self.run_worker(self._find_images(), group="images")

    async def _find_images(self) -> None:
        from glm4v_tui.triage.identity import model_key

        command = self._session.command or self._launch.model
        key = asyncio.ensure_future(aside(lambda: model_key(command)))
        try:
            review = await aside(self._make_review)
            await self.begin_in_order(review, key)
        except GlmError as error:
            self._show_empty(error)
            return
        self._review = review
        self.query_one("#empty").display = False
        self._picture.display = self._side.display = True
        self.show_item()
        try:
            self.begin_asking(await key)
        except GlmError as error:
            self._say(error_words(error))
        await self._check_store()
        for notice in review.queue.listing.notices:
            self.notify(plain_line(notice), severity="warning", timeout=10, markup=False)
        if self._plan.auto_above is not None:
            self.give_automatically(self._plan.auto_above)
        if not review.progress.left:
            self._end()
        self.call_after_refresh(spare_collector)

    async def _check_store(self) -> None:
        """Say before the first verdict where none can be kept."""

        def begin_and_end() -> None:
            with self._plan.database.transaction():
                pass

        try:
            await aside(begin_and_end)
        except GlmError as error:
            self._say(Content.assemble("No verdict can be kept. ", error_words(error)))

    def _make_review(self) -> Review:
        """Runs in a thread: it reads folders and the store."""
        from glm4v_tui.triage.queue import Queue
        from glm4v_tui.triage.review import Review

        plan = self._plan
        queue = Queue.of(plan.paths, recursive=plan.is_recursive)
        review = Review(
            plan.database,
            plan.task,
            queue,
            reviewer=plan.reviewer,
            session=uuid.uuid4().hex,
        )
        review.resume()
        return review

    def give_automatically(self, threshold: float) -> None:
        assert self._review is not None
        try:
            given = self._review.automatic.start(threshold, spared=self._index)
        except GlmError as error:
            self._fail(error)
            return
        words = f"Labels from {100 * threshold:.6g}% on are given automatically"
        self._say(f"{words}: {count(given, 'image')} now." if given else f"{words}.")
        self.show_progress()

    def _show_empty(self, error: GlmError) -> None:
        """There is nothing to review: say why, where the picture would be."""
        self._triage_app.left_with = error
        body = [plain_text(part) for part in (error.body, error.remedy) if part]
        self.query_one("#empty", Words).show(
            Content.assemble((plain_line(error.title), "bold"), "\n\n" + "\n".join(body))
        )

    # What is shown ------------------------------------------------------------------------------

    def show_item(self) -> None:
        self._sight.turn_to(self._index)
        self._shown_label = (-1, None)
        self._view = None
        self._picture.set_marks(())
        self._show_picture()
        self._show_line()
        self.show_judged()
        self.show_progress()
        if self._ahead is not None:
            self._ahead.moved()
        if self._picture.is_current and self._index is not None:
            self.call_after_refresh(self._note_picture, self._index)

    def show_progress(self) -> None:
        review = self._review
        if review is None:
            return
        progress = review.progress
        self._triage_app.left_at = progress
        shown = filter(None, (self._filter_name, order_words(self._plan.order, review)))
        self._head.show_progress(progress, " · ".join(shown))
        self._strip.show(self._neighbors(review))
        self._side.show_last(Content("\n").join(self._last))
        self._show_opinion()
        self._show_line()

    def _neighbors(self, review: Review) -> list[Neighbor | None]:
        queue, far = review.queue, self._strip.side
        places = range(queue.position - far, queue.position + far + 1)
        return [
            self._neighbor(review, queue.at(place)) if 0 <= place < len(queue) else None
            for place in places
        ]

    def _neighbor(self, review: Review, index: int) -> Neighbor:
        name = plain_line(review.queue.listing.names[index])
        word, color = mark_of(review.standings, index)
        return Neighbor(name, word, color, review.standings.is_flagged(index))

    def _note_of(self, index: int) -> str:
        assert self._review is not None
        return plain_line(self._review.verdict_at(index).note)

    def on_resize(self) -> None:
        super().on_resize()
        if self._review is not None:
            self.call_after_refresh(self.show_progress)

    # Elsewhere ----------------------------------------------------------------------------------

    def action_summary(self) -> None:
        self._when_meant(lambda _: self._show_summary(), is_door=True)

    def _show_summary(self, *, is_end: bool = False) -> None:
        from glm4v_tui.ui.screens.triage_summary import SummaryScreen

        if self._review is not None:
            words = ""
            if is_end:
                words = (
                    f"glm4v-tui export writes the verdicts: --task {self._plan.task.name}\n"
                    f"Esc returns to the images, q {'quits' if self._is_first else 'leaves'}."
                )
            screen = SummaryScreen(self._review, is_end=is_end, next_words=words)
            self.app.push_screen(screen, lambda leaves: self._leave() if leaves else None)

    def _end(self) -> None:
        assert self._review is not None
        if self._review.progress.left:
            self._say("Every image that is shown is decided: / shows others.")
        else:
            self._show_summary(is_end=True)

    def action_ask(self) -> None:
        self._when_meant(self._ask, is_door=True)

    def _ask(self, press: Press) -> None:  # noqa: ARG002
        from glm4v_tui.ui.screens.side_chat import SideChatScreen

        path, index = self._path, self._index
        if path is None or index is None or not self._session.is_idle:
            return
        if index != self._asked_about:
            self._session.clear()
            self._asked_about = index
        self.pause_asking()
        self._is_in_side_chat = True
        image = (path, self.visible_part)
        screen = SideChatScreen(
            *(self._launch, self._session, self._desk, image),
            private_task=self._plan.task.name if self._plan.task.is_private else "",
        )
        self.app.push_screen(screen, self._return)

    def _return(self, _: None) -> None:
        self._is_in_side_chat = False
        self.resume_asking()

    def action_leave(self) -> None:
        self._when_meant(lambda _: self._leave(), is_door=True)

    def _leave(self) -> None:
        if self._is_first:
            self.app.exit()
        else:
            self.dismiss(None)

    def on_unmount(self) -> None:
        self._stop_asking()
        route = route_of(self.app)
        if self in route.targets:
            route.targets.remove(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a note is written, keys are letters."""
        if self.focused is not None and action not in ("choose_model",):
            return False
        return super().check_action(action, parameters)
