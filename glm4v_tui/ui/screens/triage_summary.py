"""What a review has come to: verdicts, and the model against the reviewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from glm4v_tui.plain import plain_line
from glm4v_tui.triage.asking import answers_of
from glm4v_tui.ui.triage.words import count
from glm4v_tui.ui.widgets.words import Words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from glm4v_tui.triage.agreement import Agreement
    from glm4v_tui.triage.review import Review

_NAMES = 18
_CELL = 12


class SummaryScreen(ModalScreen[bool | None]):
    """Scrolls where the window is low. Ends in True where the review is to be left.

    Args:
        review: What is summed up.
        is_end: Everything is decided.
        next_words: What to do next.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,t", "dismiss(None)", "Back", id="triage.summary_close"),
        Binding("q", "leave", "Leave", id="triage.summary_leave",
                tooltip="Leave the review where everything is decided, else this summary"),
        Binding("down,j", "scroll(1)", "Down", id="triage.summary_down", show=False),
        Binding("up,k", "scroll(-1)", "Up", id="triage.summary_up", show=False),
    ]  # fmt: skip

    DEFAULT_CSS = """
    SummaryScreen {
        align: center middle;
        #box {
            width: auto; max-width: 100%; min-width: 44; height: auto; max-height: 100%;
            padding: 1 2; background: $surface; border: round $primary;
            border-subtitle-color: $text-muted; scrollbar-size-vertical: 1;
        }
        Words { width: auto; height: auto; }
    }
    SummaryScreen.-short #box { padding: 0 1; }
    """

    def __init__(self, review: Review, *, is_end: bool = False, next_words: str = "") -> None:
        super().__init__()
        self._review = review
        self._is_end = is_end
        self._next_words = next_words

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box", can_focus=False) as box:
            box.border_title = "Everything is decided" if self._is_end else "Agreement"
            box.border_subtitle = "Esc returns"
            yield Words(summary(self._review, self._next_words))

    def action_leave(self) -> None:
        self.dismiss(self._is_end)

    def action_scroll(self, rows: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=rows, animate=False)


def summary(review: Review, next_words: str = "") -> Content:
    """All of it, in lines."""
    parts = [_counts(review), *_agreement(review)]
    if next_words:
        parts.append(Content(next_words))
    return Content("\n\n").join(parts)


def _counts(review: Review) -> Content:
    progress, standings = review.progress, review.standings
    every = range(review.queue.total)
    given = [standings.label(index) for index in every]
    skipped = f", {progress.skipped:,} of them skipped" if progress.skipped else ""
    lines = [f"{progress.done:,} of {count(progress.total, 'image')} decided{skipped}"]
    names = dict.fromkeys([*review.labels, *(label for label in given if label)])
    lines += [_count_line(plain_line(name), given.count(name)) for name in names]
    lines.append(_count_line("skipped", progress.skipped))
    flagged = sum(standings.is_flagged(index) for index in every)
    lines.append(_count_line("flagged", flagged))
    if progress.automatic:
        lines.append(_count_line("of these automatic", progress.automatic))
    first, *rest = lines
    return Content.assemble((first, "bold"), "\n", "\n".join(rest))


def _count_line(name: str, number: int) -> str:
    return f"  {_cut(name)} {number:>7,}"


def _agreement(review: Review) -> Iterable[Content]:
    agreement = review.agreement
    if not agreement.total:
        yield Content.styled("Nothing has been labeled by both so far.", "$text-muted")
        return
    share = agreement.share or 0.0
    of = count(agreement.total, "image")
    yield Content.assemble(
        ("Model and reviewer agree", "bold"), f" on {agreement.agreed:,} of {of}, {share:.0%}"
    )
    order = [*review.labels, *(name for name in agreement.labels if name not in review.labels)]
    yield _confusion(agreement, order, answers_of(review.task) or review.labels)


def _confusion(agreement: Agreement, order: Iterable[str], sayable: Collection[str]) -> Content:
    """Model against reviewer, each with the labels that it has given.

    Args:
        order: In which labels come.
        sayable: Labels that the model can say: a reviewer's other labels are not held against it.
    """
    pairs = agreement.confusion
    rows, columns = {said for said, _ in pairs}, {given for _, given in pairs}
    labels = [name for name in order if name in columns or (name in rows and name in sayable)]
    head = [_cut("model \\ reviewer"), *map(_column, labels), _column("precision")]
    lines = [Content.styled(" ".join(head), "$text-muted")]
    for said in (name for name in order if name in rows or (name in columns and name in sayable)):
        cells = [(_cut(said), "")]
        cells += [_cell(pairs.get((said, given), 0), said == given) for given in labels]
        cells.append((_share(agreement.precision(said)), "$text-muted"))
        lines.append(Content(" ").join(Content.styled(*cell) for cell in cells))
    recalls = [_cut("recall")]
    recalls += [_share(agreement.recall(name) if name in sayable else None) for name in labels]
    lines.append(Content.styled(" ".join(recalls), "$text-muted"))
    return Content("\n").join(lines)


def _cell(number: int, is_same: bool) -> tuple[str, str]:
    look = "bold $text-success" if is_same else "$text-warning" if number else "$text-muted"
    return f"{number or '·':>{_CELL}}", look


def _share(value: float | None) -> str:
    return f"{'–' if value is None else f'{value:.0%}':>{_CELL}}"


def _column(name: str) -> str:
    shown = Content(plain_line(name)).truncate(_CELL, ellipsis=True)
    return " " * (_CELL - shown.cell_length) + shown.plain


def _cut(name: str) -> str:
    return Content(plain_line(name)).truncate(_NAMES, ellipsis=True, pad=True).plain
