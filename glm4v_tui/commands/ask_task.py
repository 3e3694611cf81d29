"""``glm4v-tui ask --task``: the question of a task, its result on standard output or exported."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.commands.ask_export import Export, export_of
from glm4v_tui.commands.ask_question import Question
from glm4v_tui.commands.start import language_of
from glm4v_tui.config import task_options
from glm4v_tui.engine.protocol import FinishReason
from glm4v_tui.errors import PluginError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.asking import ask_about
from glm4v_tui.tasks.command import options_set
from glm4v_tui.tasks.outcome import outcome_of, record_of
from glm4v_tui.tasks.text import outcome_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from glm4v_tui.chat import Box
    from glm4v_tui.commands.ask import AskOptions
    from glm4v_tui.commands.ask_answer import AskResult
    from glm4v_tui.config import Settings
    from glm4v_tui.session import Turn
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.plugins import Plugins
    from glm4v_tui.tasks.task import Task


def task_question(
    options: AskOptions,
    settings: Settings,
    plugins: Plugins,
    task: Task[Any, Any],
    parts: Sequence[tuple[Path, Box | None]],
) -> TaskAsked:
    """The question of the task that the command line names.

    Args:
        parts: Images, each whole or the part of it that is asked about.

    Raises:
        GlmError: an image, the task's settings or the place of the export is wrong.
    """
    export = export_of(options.export, plugins.exporters)
    question = (options.question or "").strip()
    chosen = options_set(task, task_options(task.name, task.options_type), options.options)
    with _output_kept():
        asked = ask_about(task, parts, language_of(settings), text=question, options=chosen)
    return TaskAsked(asked.text, asked.opened, task, _as_told(asked.call, options), export)


def _output_kept() -> AbstractContextManager[object]:
    """What a task's own code prints is no part of the result on standard output."""
    return redirect_stdout(sys.stderr)


def _as_told(call: TaskCall, options: AskOptions) -> TaskCall:
    """The call with what the command line says in place of what the task says."""
    told = {
        "max_new_tokens": options.max_new_tokens,
        "temperature": 0.0 if options.greedy else options.temperature,
        "top_p": options.top_p,
    }
    given = {name: value for name, value in told.items() if value is not None}
    generation = msgspec.structs.replace(call.generation, **given)
    return msgspec.structs.replace(call, generation=generation)


@dataclass(frozen=True)
class TaskAsked(Question):
    """A task's question. Its answer is JSON: nothing is printed before it is whole."""

    task: Task[Any, Any]
    task_call: TaskCall
    export: Export | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """Of turns, by their request: a task is asked about its result once."""

    @property
    def call(self) -> TaskCall:
        return self.task_call

    def printed_so_far(self, turn: Turn) -> str:  # noqa: ARG002
        return ""

    def json(self, turn: Turn, answer: AskResult) -> AskResult:
        outcome = self._outcome(turn)
        return msgspec.structs.replace(
            answer,
            task=self.task.name,
            result=outcome.value,
            warnings=outcome.warnings,
            notice=self.task.notice,
        )

    def print_rest(self, turn: Turn) -> None:
        sys.stdout.write("\n".join(outcome_lines(self._outcome(turn), self.task.notice)))

    def close(self, turn: Turn, model: str) -> None:
        outcome = self._outcome(turn)
        outcome.result.require()
        if self.export is not None:
            first = self.opened[0].attachment
            self.export.write([record_of(self.task, self.task_call, outcome, first, model=model)])
        if outcome.failures:
            raise PluginError(
                f"The task {plain_line(self.task.name)} failed beside its result",
                "\n".join(outcome.failures),
                "The result is whole; tell the task's author.",
            )

    def _outcome(self, turn: Turn) -> Outcome:
        if turn.request_id not in self.outcomes:
            is_finished = turn.reason is FinishReason.STOP
            with _output_kept():
                self.outcomes[turn.request_id] = outcome_of(
                    self.task, self.task_call, turn.raw, is_finished=is_finished
                )
        return self.outcomes[turn.request_id]
