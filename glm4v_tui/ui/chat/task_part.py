"""Loading plugins and choosing tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from glm4v_tui.plain import plain_text
from glm4v_tui.ui.chat.base import ChatBase

if TYPE_CHECKING:
    from textual.binding import BindingType


class TaskPart(ChatBase):
    BINDINGS: ClassVar[list[BindingType]] = [
        # Priority: the composer would take it for "select all".
        Binding("f7", "choose_task", "Tasks", id="chat.tasks", priority=True,
                tooltip="Ask a task about the images; /NAME in the composer does the same"),
    ]  # fmt: skip

    async def _load_tasks(self) -> None:
        from glm4v_tui.ui.paintings import shared_paintings

        shared_paintings().preparation_of = self._desk.preparation
        plugins = await self._desk.ready()
        self._question.show_names()
        self._tell_of_plugins()
        if plugins.readers:
            await self._list_again()

    def _tell_of_plugins(self) -> None:
        for notice in self._desk.new_notices():
            self.notify(plain_text(notice), severity="warning", timeout=10, markup=False)

    async def _list_again(self) -> None:
        """A picker that was opened before the plugins were there knows more files now."""
        from glm4v_tui.ui.screens.picker import PickerScreen

        if isinstance(self.app.screen, PickerScreen):
            await self.app.screen.action_reload()

    async def action_choose_task(self) -> None:
        from glm4v_tui.ui.screens.tasks import TaskScreen

        await self.app.push_screen(TaskScreen(self._desk), self._take_task)

    def _take_task(self, text: str | None) -> None:
        self._tell_of_plugins()
        self._question.show_names()
        if text is not None:
            self._question.send(text)
            self._question.composer.focus()
