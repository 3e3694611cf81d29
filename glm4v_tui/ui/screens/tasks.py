"""Choosing a task: type to filter, Enter asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from glm4v_tui.plain import plain_line
from glm4v_tui.ui.key_table import first_key
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.tasks.command import Choices
    from glm4v_tui.ui.task_desk import TaskDesk


class TaskScreen(ModalScreen[str | None]):
    """Ends in the text that asks the task, such as ``/medical window=lung``, or None.

    Opens at once: tasks that are still being loaded appear when they are there, and Enter waits.

    Args:
        desk: Where the tasks are.
        enter_does: What the key that chooses leads to; fits after its name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f7", "dismiss(None)", "Cancel", id="tasks.cancel"),
        Binding("enter", "choose", "Ask", id="tasks.choose", priority=True),
        Binding("up", "move(-1)", "Up", id="tasks.up", show=False, priority=True),
        Binding("down", "move(1)", "Down", id="tasks.down", show=False, priority=True),
        Binding("left", "change(-1)", "Value before", id="tasks.value_before", show=False,
                priority=True, tooltip="Of the option that is shown for the task"),
        Binding("right", "change(1)", "Next value", id="tasks.value_next", show=False,
                priority=True),
        Binding("tab", "next_option", "Next option", id="tasks.next_option", show=False,
                priority=True),
        Binding("ctrl+r", "reload", "Read again", id="tasks.reload", priority=True,
                tooltip="Load task files and plugins anew"),
    ]  # fmt: skip

    DEFAULT_CSS = """
    TaskScreen {
        align: center middle;
        #box {
            width: 90%; max-width: 84; height: auto; max-height: 90%; padding: 0 1;
            background: $surface; border: round $primary;
            border-subtitle-color: $text-muted;
        }
        Input { border: none; height: 1; padding: 0; margin: 0 0 1 0; }
        OptionList { height: auto; max-height: 16; border: none; padding: 0; }
        .options { height: auto; margin: 1 0 0 0; }
        .problem { color: $text-muted; height: auto; }
    }
    TaskScreen.-short #box { width: 100%; max-height: 100%; }
    TaskScreen.-short OptionList { max-height: 9; }
    """

    def __init__(self, desk: TaskDesk, *, enter_does: str = "asks") -> None:
        super().__init__()
        self._enter_does = enter_does
        self._desk = desk
        self._shown: list[AnyTask] = []
        self._is_loading = True
        self._wants_choice = False
        """Enter was pressed before the tasks were there."""
        self._usual: dict[str, dict[str, str]] = {}
        """Task -> its options of choice as the settings have them."""
        self._chosen: dict[str, dict[str, str]] = {}
        """Task -> what was changed in here."""
        self._option = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Tasks"
            yield Input(placeholder="type to filter", compact=True)
            yield Words("loading the tasks …", classes="problem")
            yield OptionList()
            yield Words(classes="options")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.query_one(Input).focus()
        self.query_one(OptionList).can_focus = False
        self.query_one("#box").border_subtitle = (
            f"{first_key(self, 'tasks.choose')} {self._enter_does}"
            f"  ·  {first_key(self, 'tasks.reload')} reads again"
            f"  ·  {first_key(self, 'tasks.cancel')} closes"
        )
        self.run_worker(self._fill(is_new=False), group="tasks", exclusive=True)

    # Keys -----------------------------------------------------------------------------------

    def action_choose(self) -> None:
        task = self._highlighted
        if self._is_loading:
            self._wants_choice = True
        elif task is not None:
            from glm4v_tui.tasks.command import command_text

            self.dismiss(command_text(task.name, self._chosen.get(task.name, {})))

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        if step < 0:
            options.action_cursor_up()
        else:
            options.action_cursor_down()

    def action_change(self, step: int) -> None:
        """Set the option in reach to the value before or after; else move in the filter."""
        task, choices = self._highlighted, self._choices
        if task is None or not choices:
            filter_ = self.query_one(Input)
            filter_.cursor_position += step
            return
        name = list(choices)[self._option % len(choices)]
        values = list(choices[name])
        now = self._value(task, name)
        at = values.index(now) + step if now in values else 0
        self._chosen.setdefault(task.name, {})[name] = values[at % len(values)]
        self._show_options()

    def action_next_option(self) -> None:
        self._option += 1
        self._show_options()

    def action_reload(self) -> None:
        self.run_worker(self._fill(is_new=True), group="tasks", exclusive=True)

    def on_input_changed(self) -> None:
        self._show_tasks()

    def on_option_list_option_highlighted(self) -> None:
        self._option = 0
        self._show_options()

    def on_option_list_option_selected(self) -> None:
        self.action_choose()

    # What is shown --------------------------------------------------------------------------

    async def _fill(self, *, is_new: bool) -> None:
        self._is_loading = True
        plugins = await (self._desk.reload() if is_new else self._desk.ready())
        for task in plugins.tasks.values():
            self._usual[task.name] = await self._desk.choices(task)
        self._is_loading = False
        self._show_tasks()
        if is_new:
            for notice in self._desk.new_notices():
                self.notify(notice, severity="warning", timeout=10, markup=False)
        if self._wants_choice:
            self._wants_choice = False
            self.action_choose()

    @property
    def _highlighted(self) -> AnyTask | None:
        at = self.query_one(OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    @property
    def _choices(self) -> Choices:
        from glm4v_tui.tasks.command import choices_of

        task = self._highlighted
        return choices_of(task) if task is not None else {}

    def _value(self, task: AnyTask, option: str) -> str:
        usual = self._usual.get(task.name, {}).get(option, "")
        return self._chosen.get(task.name, {}).get(option, usual)

    def _show_tasks(self) -> None:
        if self._is_loading:
            return
        plugins = self._desk.plugins
        tasks = sorted(plugins.tasks.values(), key=lambda task: task.name) if plugins else []
        words = self.query_one(Input).value.casefold().split()
        self._shown = [task for task in tasks if _fits(task, words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_line(task)) for task in self._shown])
        options.highlighted = 0 if self._shown else None
        none = "There are no tasks; glm4v-tui plugin list says why." if not tasks else ""
        problem = none or ("" if self._shown else "No task is about that.")
        self.query_one(".problem", Words).show(problem)
        self.query_one(".problem").display = bool(problem)
        self._show_options()

    def _show_options(self) -> None:
        task, choices = self._highlighted, self._choices
        lines = [
            self._option_line(task, name, list(values), index == self._option % len(choices))
            for index, (name, values) in enumerate(choices.items())
            if task is not None
        ]
        shown = self.query_one(".options", Words)
        shown.show(Content("\n").join(lines))
        shown.display = bool(lines)

    def _option_line(self, task: AnyTask, name: str, values: list[str], is_here: bool) -> Content:
        now = self._value(task, name)
        shown = [
            Content.styled(f" {value} ", "bold $primary on $primary 20%" if value == now else "")
            for value in map(plain_line, values)
        ]
        names = ("tasks.value_before", "tasks.value_next") if is_here else ("tasks.next_option",)
        keys = " ".join(first_key(self, key) for key in names)
        mark = (f"{keys:<4}", "$text-accent")
        label = (f"{plain_line(name).replace('_', ' ')}: ", "bold")
        return Content.assemble(mark, label, Content("").join(shown))


def _fits(task: AnyTask, words: list[str]) -> bool:
    said = f"{task.name} {task.title} {task.summary}".casefold()
    return all(word in said for word in words)


def _line(task: AnyTask) -> Content:
    name = (f"/{task.name}", "$text-accent")
    title = (plain_line(str(task.title)), "bold")
    summary = (f"\n   {plain_line(str(task.summary))}", "$text-muted")
    return Content.assemble(title, "  ", name, summary)
