"""The end of the model's process, in words for a run that nobody sits at."""

from __future__ import annotations

from glm4v_tui.engine.ending import AGAIN
from glm4v_tui.errors import GlmError, WorkerDiedError

MOST_DEATHS = 2
"""While it loads, one after the other: after the first it is started once more."""
_WHERE = "while it was loaded"
_ROOM = (
    "Free some memory, or choose a smaller --precision or --model: glm4v-tui plan says what fits."
)


def while_loading(detail: str) -> str:
    """What is said of the first one.

    Args:
        detail: How the process ended, ``it ended with exit code 1``.
    """
    return f"The model's process ended {_WHERE}: {detail}. It is started once more."


def of_loading(error: GlmError, *, can_go_on: bool) -> WorkerDiedError:
    """Why there is no model, after the last of them.

    Args:
        can_go_on: ``--resume`` would find what was written.
    """
    again = "Then go on with --resume." if can_go_on else "Then start it again."
    body = f"It ended {_WHERE}, {MOST_DEATHS} times in a row. {error.body}"
    return WorkerDiedError(error.title, body.strip(), f"{_known(error) or _ROOM} {again}")


def of_image(error: GlmError, *, can_go_on: bool) -> GlmError:
    """A failure about one image: there is no conversation to be kept."""
    if not error.remedy.startswith(AGAIN):
        return error
    again = "--resume asks about it again." if can_go_on else ""
    return type(error)(error.title, error.body, f"{again} {_known(error)}".strip())


def _known(error: GlmError) -> str:
    """The remedy without what is meant for conversations."""
    return error.remedy.removeprefix(AGAIN).strip()
