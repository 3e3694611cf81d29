"""Choosing which images of a review are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from glm4v_tui.plain import plain_line
from glm4v_tui.triage import filters
from glm4v_tui.triage.agreement import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.triage.filters import Filter
    from glm4v_tui.triage.review import Review


@dataclass(frozen=True)
class Choice:
    """Images that can be shown by themselves."""

    name: str
    """``undecided``, ``model says fail``."""
    filter: Filter
    count: int

    @property
    def shown_name(self) -> str:
        """As the top line has it; empty for all images."""
        return "" if self.filter is filters.ALL else self.name


def choices_for(review: Review) -> list[Choice]:
    """All filters, with how many images each shows now."""
    given = *review.labels, REJECTED
    named: list[tuple[str, Filter]] = [
        ("all", filters.ALL),
        ("undecided", filters.undecided),
        *((f"{plain_line(name)} (yours)", filters.labeled(name)) for name in given),
        *((f"model says {plain_line(name)}", filters.said(name)) for name in review.labels),
        ("skipped", filters.skipped),
        ("flagged", filters.flagged),
        ("labeled otherwise than by the model", filters.disagreements),
        ("labeled automatically", filters.automatic),
        ("labeled differently by reviewers", filters.disputed),
    ]
    standings, every = review.standings, range(review.queue.total)
    return [
        Choice(name, one, sum(1 for index in every if one(standings, index))) for name, one in named
    ]


class FilterScreen(ModalScreen[Choice | None]):
    """Ends in what is to be shown, or None.

    Args:
        choices: In the order of the list.
        chosen: The name of what is shown now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,slash", "dismiss(None)", "Cancel", id="triage.filter_cancel"),
        Binding("j", "move(1)", "Down", id="triage.filter_down", show=False),
        Binding("k", "move(-1)", "Up", id="triage.filter_up", show=False),
    ]

    DEFAULT_CSS = """
    FilterScreen {
        align: center middle;
        #box {
            width: 52; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
            background: $surface; border: round $primary; border-subtitle-color: $text-muted;
        }
        OptionList { height: auto; max-height: 100%; border: none; padding: 0; }
    }
    """

    def __init__(self, choices: Sequence[Choice], chosen: str = "") -> None:
        super().__init__()
        self._choices = list(choices)
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Show"
            box.border_subtitle = "Enter shows them  ·  Esc leaves all as it is"
            yield OptionList(*(Option(_line(one)) for one in self._choices))

    def on_mount(self) -> None:
        names = [one.shown_name for one in self._choices]
        options = self.query_one(OptionList)
        options.highlighted = names.index(self._chosen) if self._chosen in names else 0
        options.focus()

    def action_move(self, step: int) -> None:
        options = self.query_one(OptionList)
        if step > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[message.option_index])


def _line(choice: Choice) -> Content:
    look = "" if choice.count else "$text-muted"
    return Content.assemble((choice.name.ljust(38), look), (f"{choice.count:>8,}", "$text-muted"))
