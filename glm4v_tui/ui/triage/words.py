"""What the triage screen says of verdicts, of progress and of what did not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from glm4v_tui.engine.ending import AGAIN
from glm4v_tui.plain import plain_line
from glm4v_tui.session import ModelState
from glm4v_tui.triage.agreement import REJECTED
from glm4v_tui.triage.queue import Order
from glm4v_tui.ui.triage.key_gate import Why
from glm4v_tui.ui.widgets.bar import Part, bar

if TYPE_CHECKING:
    from glm4v_tui.errors import GlmError
    from glm4v_tui.session import ChatSession
    from glm4v_tui.store.verdicts import Verdict
    from glm4v_tui.triage.review import Progress, Review
    from glm4v_tui.triage.standings import Standings

_BAR = 12

WHY_NOT = {
    Why.BURST: "came faster than fingers do, as pasted text or a late answer of the terminal",
    Why.HELD: "came from a key that was held",
}


def count(number: int, one: str, many: str = "") -> str:
    """``1 image``, ``2,000 images``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def progress_words(progress: Progress, room: int) -> Content:
    """How far the review has come, as much of it as there is room for (cells)."""
    share = progress.done / progress.total if progress.total else 0.0
    done = f"{progress.done:,} of {progress.total:,}"
    parts = [f"{progress.left:,} left"]
    if progress.per_minute:
        parts.append(f"{progress.per_minute:.0f}/min")
    if progress.left and (left := progress.seconds_left) is not None:
        parts.append(duration(left))
    found = Content.assemble(
        bar((Part(share, "$primary"),), 1, _BAR),
        f" {done}",
        (f" · {' · '.join(parts)}", "$text-muted"),
    )
    if found.cell_length <= room:
        return found
    return Content(done) if len(done) <= room else Content("")


def order_words(order: Order, review: Review) -> str:
    """Which images come first, and of how many that is known; empty: by name."""
    total = review.queue.total
    match order:
        case Order.UNCERTAIN:
            known, words = review.standings.rated, "least sure first"
        case Order.LABEL:
            known, words = review.standings.known, "by the model's label"
        case _:
            return ""
    return words if known == total else f"{words}, {known:,} of {total:,} known"


def mark_of(standings: Standings, index: int) -> tuple[str, str]:
    """An image's verdict in a word, and its color; an empty word where there is none. What others
    decided has their names; beside the reviewer's own it is told where the two differ."""
    word, color = _own_mark(standings, index)
    others = others_words(standings, index)
    if word and others and standings.is_disputed(index):
        return f"{word} · {others}", color
    return word or others, color


def _own_mark(standings: Standings, index: int) -> tuple[str, str]:
    label = standings.label(index)
    if standings.is_skipped(index):
        return "skipped", "$text-muted"
    if label is None:
        return "", "$text-muted"
    if label == REJECTED:
        return "rejected", "$text-error"
    word = f"{plain_line(label)} (auto)" if standings.is_automatic(index) else plain_line(label)
    return word, "$text-warning" if standings.disagrees(index) else "$text-success"


def others_words(standings: Standings, index: int) -> str:
    """What others have decided of an image: ``bob: fail, eve: skipped``; empty: nothing."""
    return ", ".join(
        f"{plain_line(one.reviewer) or 'somebody'}: {label_words(one.label or 'skipped')}"
        + (" (auto)" if one.is_automatic else "")
        for one in standings.others(index)
    )


def label_words(label: str) -> str:
    """A label, as it is said of a verdict."""
    return "rejected" if label == REJECTED else plain_line(label)


def taken_back_words(before: Verdict, since: Verdict) -> str:
    """What an undo has taken back, by the verdict before and since; the rarest first, as it came
    on top of the others."""
    if before.note != since.note:
        return "the note"
    if before.is_flagged != since.is_flagged:
        return "the flag" if before.is_flagged else "the removed flag"
    if before.label is not None:
        again = f" (it is {label_words(since.label)} again)" if since.label else ""
        return f"{label_words(before.label)}{again}"
    return "skipped" if before.is_skipped else "the last thing said"


def refusal_words(why: Why, keys: int) -> str:
    """Why keys were not taken."""
    return f"Not taken: {count(keys, 'key')} that {WHY_NOT[why]}."


def error_words(error: GlmError, then: str = "") -> Content:
    """An error on one line.

    Args:
        then: What can be done here, in place of what is meant for conversations.
    """
    remedy = error.remedy.removeprefix(AGAIN).strip()
    rest = [plain_line(part) for part in (error.body, remedy, then) if part]
    return Content.assemble(
        (plain_line(error.title), "bold $text-error"), (". " + " ".join(rest) if rest else "", "")
    )


def model_words(session: ChatSession, silent_s: float = 0.0, *, again: str = "") -> tuple[str, str]:
    """What keeps the model from looking at images, else where it is when that is not this machine,
    and the color of that; empty: nothing is to be said.

    Args:
        again: The key that loads a model once more that could not be loaded.
    """
    if silent_s:
        return f"no sign of life for {silent_s:.0f} s", "$text-warning"
    match session.model_state:
        case ModelState.NONE:
            return "no model", "$text-warning"
        case ModelState.LOADING:
            return loading_words(session), "$text-accent"
        case ModelState.FAILED:
            way = f", {again} loads it again" if again else ""
            return f"no model: loading failed{way}", "$text-error"
        case ModelState.GONE:
            return "the model is gone", "$text-warning"
    model = session.model
    if model is not None and model.is_elsewhere:  # the lamp: images leave this machine
        return f"● {plain_line(model.host)}", "$text-warning"
    return "", ""


def loading_words(session: ChatSession) -> str:
    """How far loading has come."""
    loading = session.loading
    if loading is None or not loading.total:
        return "loading the model…"
    return f"loading the model {min(1.0, loading.done / loading.total):.0%}"
