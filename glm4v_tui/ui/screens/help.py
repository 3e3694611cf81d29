"""The keys of the screen below, read from its bindings, and where the files are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from glm4v_tui import paths
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.key_table import (
    KeyGroup,
    filter_groups,
    first_key,
    groups_elsewhere,
    key_groups,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.screen import Screen


class KeyTable(Static):
    """Groups of keys in two columns that stay aligned from group to group."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--title", "keys--key", "keys--more"}

    DEFAULT_CSS = """
    KeyTable {
        height: auto;
        & > .keys--title { color: $text-primary; text-style: bold; }
        & > .keys--key { color: $text-accent; }
        & > .keys--more { color: $text-muted; }
    }
    """

    def show(self, groups: list[KeyGroup], files: list[tuple[str, str]]) -> None:
        """Show these groups, then the files."""
        if not groups:
            self.update(Text("No key is about that."))
            return
        shown = [self._group(group.title, group.rows) for group in groups]
        self.update(Group(*shown, self._group("Files", [(*file, "") for file in files])))

    def _group(self, title: str, rows: Sequence[tuple[str, str, str]]) -> RenderableType:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(width=16)
        table.add_column(ratio=1)
        for key, description, more in rows:
            text = Text(plain_line(description))
            if more:
                text.append(f"  {plain_line(more)}", self.get_component_rich_style("keys--more"))
            table.add_row(Text(key, self.get_component_rich_style("keys--key")), text)
        return Group(Text(title, self.get_component_rich_style("keys--title")), table, Text())


class HelpScreen(ModalScreen[None]):
    """Scrolls with the arrow keys while the filter is typed.

    Args:
        screen: The screen whose keys are shown; by default the one below this one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "dismiss(None)", "Close", id="help.close"),
        Binding("up", "scroll(-1)", "Up", id="help.up", show=False),
        Binding("down", "scroll(1)", "Down", id="help.down", show=False),
        Binding("pageup", "scroll_page(-1)", "Page up", id="help.page_up", show=False),
        Binding("pagedown", "scroll_page(1)", "Page down", id="help.page_down", show=False),
    ]

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > #help {
            width: 90%;
            max-width: 92;
            height: 90%;
            border: round $border;
            border-title-color: $text-primary;
            border-subtitle-color: $text-muted;
            background: $surface;
            padding: 0 1;
        }
        & Input { border: none; height: 1; margin-bottom: 1; padding: 0; }
        & VerticalScroll { scrollbar-size-vertical: 1; }
    }
    HelpScreen.-short > #help { width: 100%; height: 100%; }
    """

    def __init__(self, screen: Screen[object] | None = None) -> None:
        super().__init__()
        self._of = screen
        self._groups: list[KeyGroup] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="help") as frame:
            frame.border_title = "Keys"
            yield (filter_ := Input(placeholder="Filter", compact=True))
            filter_.cursor_blink = False  # nothing is painted while nothing happens
            with VerticalScroll(can_focus=False):
                yield KeyTable()

    def on_mount(self) -> None:
        here = key_groups(self._of or self.app.screen_stack[-2])
        self._groups = here + groups_elsewhere(self.app, here)
        self.query_one(Input).focus()
        self.query_one("#help").border_subtitle = (
            f"type to filter  ·  {first_key(self, 'help.up')} {first_key(self, 'help.down')} scroll"
            f"  ·  {first_key(self, 'help.close')} closes"
        )
        self._show("")

    def on_input_changed(self, message: Input.Changed) -> None:
        self._show(message.value)

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)

    def action_scroll_page(self, pages: int) -> None:
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=pages * (scroll.size.height - 1), animate=False)

    def _show(self, text: str) -> None:
        self.query_one(KeyTable).show(filter_groups(self._groups, text), _files())
        self.query_one(VerticalScroll).scroll_home(animate=False)


def _files() -> list[tuple[str, str]]:
    return [
        ("Settings", str(paths.config_file())),
        ("Keys", str(paths.keymap_file())),
        ("Themes", str(paths.user_themes_dir())),
        ("Remembered", str(paths.state_dir())),
        ("Model's log", str(paths.log_dir())),
    ]
