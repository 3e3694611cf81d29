"""What ``glm4v-tui batch`` writes of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glm4v_tui.errors import GlmError, ResultError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from pathlib import Path

    from glm4v_tui.tasks.task import Task
    from glm4v_tui.triage.asking import Judged


class Records:
    """Makes the records of one run.

    Args:
        made_with: Fields that are the same in every line; may be changed while no line is written.
        model: The model's short name.
    """

    def __init__(self, task: Task[Any, Any], made_with: dict[str, str], model: str) -> None:
        self._task = task
        self.made_with = made_with
        self._model = model

    def of(self, number: int, path: Path, judged: Judged) -> dict[str, Any]:
        """Of an image that the model has judged; an ``error`` where its result is not whole."""
        outcome = judged.outcome
        return {
            **self._head(number, path, judged.digest),
            "label": judged.label,
            "probabilities": {key: round(one, 6) for key, one in judged.probabilities.items()},
            "result": None if outcome is None else outcome.value,
            "warnings": [] if outcome is None else list(outcome.warnings),
            "notice": self._task.notice,
            "model": self._model,
            "seconds": round(judged.seconds, 4),
            "is_stored": judged.is_stored,
            "error": _told(result_error(judged)),
        }

    def of_error(self, number: int, path: Path, error: GlmError) -> dict[str, Any]:
        """Of an image that could not be judged: the same fields, null where nothing is known."""
        told = self.told(number, error)
        return {
            **self._head(number, path, None),
            "label": None,
            "probabilities": None,
            "result": None,
            "warnings": None,
            "notice": self._task.notice,
            "model": self._model,
            "seconds": None,
            "is_stored": None,
            "error": _told(told),
        }

    def told(self, number: int, error: GlmError) -> GlmError:
        """An error as it may be written down: of private tasks without what names files."""
        if not self._task.is_private:
            return error
        return type(error)(error.title, f"Image number {number} of this run.", "")

    def line_of(self, number: int, path: Path, error: GlmError) -> str:
        """A failure in a line for people: which image, and what is wrong with it."""
        name = f"image number {number}" if self._task.is_private else str(path)
        return plain_line(f"failed: {name}: {error.title}")

    def _head(self, number: int, path: Path, digest: str | None) -> dict[str, Any]:
        place = {} if self._task.is_private else {"path": str(path)}
        return {"number": number, **place, "sha256": digest, **self.made_with}


_UNKNOWN = ResultError(
    "How probable the labels are is not known",
    "The engine does not tell the probabilities of what its model writes.",
    "Ask without --labels-only, or another engine.",
)


def result_error(judged: Judged) -> ResultError | None:
    """Why there is no whole result; None where there is one or none was asked for."""
    if judged.outcome is None:
        return None if judged.probabilities else _UNKNOWN
    try:
        judged.outcome.result.require()
    except ResultError as error:
        return error
    return None


def _told(error: GlmError | None) -> dict[str, str] | None:
    if error is None:
        return None
    return {"title": error.title, "body": error.body, "remedy": error.remedy}
