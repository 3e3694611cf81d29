"""What the model says: asked ahead of the reviewer, shown when he arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content

from glm4v_tui.errors import EngineError, GlmError
from glm4v_tui.plain import plain_line
from glm4v_tui.session import ModelState
from glm4v_tui.tasks.results import ResultState
from glm4v_tui.triage.asking import Asker, Judged
from glm4v_tui.triage.identity import model_key
from glm4v_tui.triage.look_ahead import LookAhead
from glm4v_tui.triage.queue import Order
from glm4v_tui.ui.aside import aside
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.bridge import route_of
from glm4v_tui.ui.panel_lines import Sheet
from glm4v_tui.ui.triage.base import TriageBase
from glm4v_tui.ui.triage.label_keys import keys_of
from glm4v_tui.ui.triage.words import error_words, model_words
from glm4v_tui.ui.widgets.triage_labels import LabelRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from textual.binding import BindingType

    from glm4v_tui.engine.protocol import MemoryReading
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.triage.look_ahead import Opinion
    from glm4v_tui.ui.bridge import MemoryEased, MemoryRead, WorkerFellSilent
    from glm4v_tui.ui.screens.model import ChosenModel


class ModelPart(TriageBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choose_model", "Model", id="triage.model", show=False,
                tooltip="Load another model; its own results are asked for"),
        Binding("f5", "ask_again", "Ask again", id="triage.ask_again", show=False,
                tooltip="Where the model could not look at this image"),
    ]  # fmt: skip

    _asker: Asker | None = None
    _ahead: LookAhead | None = None
    _silent_s = 0.0
    _memory: MemoryReading | None = None
    _shown_label: tuple[int, str | None] = (-1, None)
    """The image whose label is on the screen, and that label."""

    # Beginning and ending -----------------------------------------------------------------------

    def begin_asking(self, key: str) -> None:
        """Look ahead from where the reviewer is, as soon as the model is there.

        Args:
            key: ``triage.identity.model_key`` of the model that is being loaded.
        """
        assert self._review is not None
        plan = self._plan
        self._asker = Asker(
            self._session.engine,
            plan.database,
            plan.task,
            plan.options,
            plan.language,
            key,
            sampling=self._launch.sampling,
            smaller_images=self._launch.settings.model.smaller_images_unasked,
        )
        route_of(self.app).takers.append(self._asker.handle)
        self._ahead = LookAhead(self._asker, self._review, self._take_judged)
        self._ahead.pause()
        self.run_worker(self._ahead.run(), group="look-ahead")
        self._ahead.moved()
        self.on_model_changed()

    def _stop_asking(self) -> None:
        takers = route_of(self.app).takers
        if self._asker is not None and self._asker.handle in takers:
            takers.remove(self._asker.handle)

    def pause_asking(self) -> None:
        """Somebody else asks the model now."""
        if self._ahead is not None:
            self._ahead.pause()

    def resume_asking(self) -> None:
        """Go on, where the model is there to be asked."""
        if self._ahead is not None and self._session.model_state is ModelState.READY:
            self._ahead.resume()

    # The model ----------------------------------------------------------------------------------

    def on_model_changed(self) -> None:
        self._silent_s = 0.0
        if self._session.model_state is ModelState.READY:
            self._replace_work("model", self._use_model)
        elif self._session.model_state is not ModelState.GONE:  # it is begun anew when asked
            self.pause_asking()
        self._show_model()

    async def _use_model(self) -> None:
        """What it says is kept under its own name."""
        command, model = self._session.command, self._session.model
        if self._asker is None or command is None or model is None:
            return
        self._asker.at_once = model.at_once
        if self._ahead is not None:
            self._ahead.at_once = model.at_once
        key = await aside(lambda: model_key(command, model.precision))
        if key != self._asker.model_key:
            self._asker.model_key = key
            self._judged.clear()
            self.recall_again(key)
            if self._index is not None and self._ahead is not None:
                self._ahead.again(self._index)
        if not self._is_in_side_chat:
            self.resume_asking()
        self._show_opinion()

    def on_memory_read(self, message: MemoryRead) -> None:
        self._memory = message.reading
        self._silent_s = 0.0
        self._show_model()

    def on_memory_eased(self, message: MemoryEased) -> None:
        if not self._is_in_side_chat:
            self.notify(plain_line(message.words), markup=False)

    def on_worker_fell_silent(self, message: WorkerFellSilent) -> None:
        self._silent_s = message.seconds
        self._show_model()

    def _show_model(self) -> None:
        again = bound_key(self, "triage.ask_again")
        self._head.show_state(*model_words(self._session, self._silent_s, again=again))
        self._show_opinion()

    async def action_choose_model(self) -> None:
        from glm4v_tui.ui.screens.model import ModelScreen

        screen = ModelScreen(
            self._session.command, self._launch.settings.model, lambda: self._memory
        )
        await self.app.push_screen(screen, self._take_model)

    def _take_model(self, chosen: ChosenModel | None) -> None:
        if chosen is not None:
            self.pause_asking()
            self.run_worker(self._session.load(chosen.command), group="commands")

    def action_ask_again(self) -> None:
        if self._index is not None and self._ahead is not None:
            self._judged.pop(self._index, None)
            self._ahead.again(self._index)
            self._go_on_asking(self._ahead)
            self._show_opinion()

    def _go_on_asking(self, ahead: LookAhead) -> None:
        """A model that could not be loaded is loaded again first: it may have died for what was in
        memory beside it. One whose process has ended is begun anew when it is asked."""
        session = self._session
        match session.model_state:
            case ModelState.FAILED if session.command is not None:
                self.run_worker(session.load(session.command), group="commands")
            case ModelState.READY | ModelState.GONE:
                ahead.resume()

    # What it says -------------------------------------------------------------------------------

    def _take_judged(self, path: Path, judged: Opinion | GlmError) -> None:  # noqa: ARG002
        """The model has looked at an image, or could not."""
        index = self._ahead.working_on if self._ahead is not None else None
        if index is None or not isinstance(judged, Judged | GlmError):
            return
        self._keep(index, judged)
        self._note_arrival(index)
        if index == self._index:
            self.show_judged()
        if self._plan.auto_above is not None or self._plan.order is not Order.NAME:
            self.show_progress()

    def recall_again(self, key: str) -> None:
        """Take in what this model has said before."""
        raise NotImplementedError

    def _note_arrival(self, index: int) -> None:
        """What is counted of results; nothing but where somebody measures."""

    def show_judged(self) -> None:
        """Labels, result and boxes of the image that is shown."""
        self._recall()
        self._show_opinion()
        self._show_marks()
        self._replace_work("result", self._show_result)

    def _recall(self) -> None:
        """From the store, where the model is not there to be asked and need not be."""
        index, path = self._index, self._path
        if index is None or path is None or self._asker is None or index in self._judged:
            return
        try:
            known = self._asker.known(path)
        except GlmError:
            return  # told where something is asked or kept
        if known is not None:
            self._keep(index, known)
            assert self._review is not None
            chance = known.probabilities.get(known.label) if known.label is not None else None
            self._review.learn(index, known.digest, known.label, chance)

    def _show_marks(self) -> None:
        raise NotImplementedError

    def _show_opinion(self) -> None:
        review, index = self._review, self._index
        if review is None or index is None:
            return
        judged = self._judgment(index)
        label = review.standings.model_label(index)
        chances = judged.probabilities if isinstance(judged, Judged) else {}
        given = review.standings.label(index)
        names = keys_of(self._plan.task.labels, self._own_keys)
        self._side.show_labels(
            [
                LabelRow(
                    plain_line(one.title or one.name),
                    names[one.name],
                    chances.get(one.name),
                    is_models=one.name == label,
                    is_given=one.name == given,
                )
                for one in self._plan.task.labels
            ],
            self._says(judged, label, chances),
        )
        if (index, label) != self._shown_label:
            self._shown_label = (index, label)
            self.call_after_refresh(self._note_label, index)

    def _note_label(self, index: int) -> None:
        self._sight.label_came(index, self._now)

    def _says(
        self, judged: Judged | GlmError | None, label: str | None, chances: Mapping[str, float]
    ) -> Content:
        if isinstance(judged, GlmError):
            key = bound_key(self, "triage.ask_again")
            is_passing = isinstance(judged, EngineError)
            return error_words(judged, f"{key} asks again." if is_passing else "")
        if judged is None and label is None:
            return self._why_silent()
        if label is None:
            return Content.styled("The model names no label.", "$text-muted")
        chance = chances.get(label)
        sure = f", {chance:.0%}" if chance is not None else ""
        words = Content.assemble("The model says ", (plain_line(label), "bold"), f"{sure}.")
        outcome = judged.outcome if isinstance(judged, Judged) else None
        if outcome is None or outcome.label in (None, label):
            return words
        other = f" Its result speaks for {plain_line(outcome.label or '')}: accepting gives "
        return Content.assemble(words, (f"{other}{plain_line(label)}.", "$text-warning"))

    @property
    def _load_error(self) -> GlmError | None:
        """Why there is no model; None where there is one, or it is being loaded."""
        session = self._session
        return session.model_error if session.model_state is ModelState.FAILED else None

    def _why_silent(self) -> Content:
        if (error := self._load_error) is not None:
            again, other = bound_key(self, "triage.ask_again"), bound_key(self, "triage.model")
            return error_words(error, f"{again} loads the model again, {other} another one.")
        words, _ = model_words(self._session, self._silent_s)
        if words:
            return Content.styled(f"Nothing is said yet: {words}", "$text-muted")
        is_here = self._ahead is not None and self._ahead.is_working_on(self._index)
        told = "The model looks at it…" if is_here else "The model has not looked at it yet."
        return Content.styled(told, "$text-muted")

    async def _show_result(self) -> None:
        judged = self._judgment(self._index) if self._index is not None else None
        outcome = judged.outcome if isinstance(judged, Judged) else None
        await self._side.show_result(sheet_of(outcome) if outcome is not None else Sheet())


def sheet_of(outcome: Outcome) -> Sheet:
    """A result as it is shown."""
    result = outcome.result
    match result.state:
        case ResultState.CUT:
            return Sheet(message=f"The result is incomplete, {len(result.json)} characters of it.")
        case ResultState.WRONG:
            return Sheet(message=f"The answer is not in the task's form: {result.reason}")
    count = len(outcome.regions[0]) if outcome.regions else 0
    return Sheet(outcome.panel, count, outcome.warnings)
