"""Attaching images and looking at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.demo import SAMPLES
from glm4v_tui.ui.bound_keys import bound_key
from glm4v_tui.ui.chat.chats_part import ChatsPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType

    from glm4v_tui.chat import Attachment
    from glm4v_tui.ui.bridge import ImagesMeasured
    from glm4v_tui.ui.screens.picker import PickResult
    from glm4v_tui.ui.screens.viewer import AskAbout
    from glm4v_tui.ui.widgets.question_area import QuestionArea
    from glm4v_tui.ui.widgets.turn_view import TurnView


class ImagePart(ChatsPart):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "attach", "Attach", id="chat.attach", priority=True,
                tooltip="Choose images in the file picker"),
        Binding("f2", "view", "View", id="chat.view", priority=True,
                tooltip="See the images full screen"),
        Binding("f3", "toggle_side_bar", "Side bar", id="chat.side_bar", show=False),
    ]  # fmt: skip

    async def on_question_area_images_changed(self) -> None:
        await self._complete()
        self._find_again(self._question.attachments)
        self._side_bar.show_images(self._images_in_view())
        self._measure()
        self.show_state()

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
        if result.is_review:
            self._choose_review(result.paths)
            return
        self._question.attach((path, None) for path in result.paths)
        self._question.composer.focus()

    def _choose_review(self, paths: tuple[Path, ...]) -> None:
        """Which task the images are reviewed under."""
        from glm4v_tui.ui.screens.tasks import TaskScreen

        def begin(text: str | None) -> None:
            if text is not None:
                self.run_worker(self._begin_review(paths, text), group="commands")

        self.app.push_screen(TaskScreen(self._desk, enter_does="starts the review"), begin)

    async def _begin_review(self, paths: tuple[Path, ...], text: str) -> None:
        from glm4v_tui.errors import GlmError
        from glm4v_tui.ui.notices import tell_error
        from glm4v_tui.ui.screens.triage import TriageScreen
        from glm4v_tui.ui.triage.plan import plan_of

        if not self._session.is_idle:
            self.notify("Stop the answer first (Esc).", severity="warning", markup=False)
            return
        try:
            plan = await plan_of(self._desk, text, paths, self._launch.settings)
            await self._session.place(plan.task.name)
        except GlmError as error:
            tell_error(self, error)
            return
        screen = TriageScreen(self._launch, self._session, self._desk, plan, is_first=False)
        self.app.push_screen(screen, lambda _: plan.database.close())

    def on_question_area_folder_named(self, message: QuestionArea.FolderNamed) -> None:
        self._open_picker(message.folder)

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

    def action_toggle_side_bar(self) -> None:
        self._side_bar.toggle()
