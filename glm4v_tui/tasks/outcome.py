"""A turn's answer as its task sees it: the result, what is doubtful, where it is, how it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import PluginError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.call import guarded, options_of
from glm4v_tui.tasks.export import Record
from glm4v_tui.tasks.panel import Panel, Region, Table, plain_panel
from glm4v_tui.tasks.results import Result, ResultState, read_result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from glm4v_tui.chat import Attachment
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.tasks.task import Task


@dataclass(frozen=True)
class Outcome:
    """What there is to show and to keep of a task's answer."""

    result: Result
    panel: Panel
    """Empty unless the result is whole."""
    regions: tuple[tuple[Region, ...], ...] = ()
    """For each image; those of the first when the task looks at one."""
    label: str | None = None
    """The one that the result speaks for; None where it speaks for none."""
    doubts: tuple[str, ...] = ()
    """What the task found doubtful; one line each."""
    failures: tuple[str, ...] = ()
    """What of the task's own code failed; one line each. The result itself is whole."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that is to be said beside the result."""
        return (*self.doubts, *self.failures)

    @property
    def value(self) -> Any:
        """The result as JSON values; None unless it is whole."""
        return None if self.result.value is None else msgspec.to_builtins(self.result.value)


def outcome_of(task: Task[Any, Any], call: TaskCall, raw: str, *, is_finished: bool) -> Outcome:
    """Read an answer and ask the task about it. A task that fails in here is told as a warning.

    Args:
        raw: All that the model wrote.
        is_finished: It ended of itself, not at a limit.
    """
    result = read_result(task, raw, is_finished=is_finished)
    if result.state is not ResultState.WHOLE:
        return Outcome(result, Panel())
    value, failures = result.value, list[str]()

    def asked(doing: str, ask: Callable[[], Any], otherwise: Any) -> Any:
        """What the task says; each of its faults is told, and none hides what else it says."""
        try:
            with guarded(task, doing):
                return ask()
        except PluginError as error:
            failures.append(plain_line(f"{error.title}: {error.body}"))
            return otherwise

    usual, facts = plain_panel(msgspec.to_builtins(value)), call.facts
    options = asked("reading its options", lambda: options_of(task, call), task.options_type())
    doubts = asked("checking its result", lambda: _lines(task.check(value, facts, options)), ())
    panel = asked("showing its result", lambda: _panel(task.render(value, facts, options)), usual)
    regions = [
        asked("placing its result", lambda: _regions(task.regions(value, one)), ())  # noqa: B023
        for one in facts[:1]
    ]
    label = asked("telling the label of its result", lambda: _label(task, value, options), None)
    return Outcome(result, panel, tuple(regions), label, tuple(doubts), tuple(failures))


def record_of(
    task: Task[Any, Any],
    call: TaskCall,
    outcome: Outcome,
    attachment: Attachment,
    *,
    model: str = "",
    label: str | None = None,
) -> Record:
    """A result on its way out; of a private task without the image's path."""
    facts = call.facts[0] if call.facts else None
    regions: Sequence[Region] = outcome.regions[0] if outcome.regions else ()
    width, height = attachment.whole_size
    return Record(
        task=task.name,
        version=task.version,
        digest=attachment.digest,
        width=width,
        height=height,
        result=outcome.value,
        path=None if task.is_private else attachment.path,
        crop=attachment.crop,
        regions=tuple((region.box, region.label) for region in regions),
        label=label,
        warnings=outcome.warnings,
        notice=task.notice,
        facts=facts.values if facts else {},
        options=msgspec.json.decode(call.options),
        model=model,
    )


def _label(task: Task[Any, Any], value: Any, options: msgspec.Struct) -> str | None:
    """What ``label_of`` gave, when the task has such a label."""
    label = task.label_of(value, options)
    if label is not None and label not in {one.name for one in task.labels}:
        raise ValueError(f"label_of gave {label!r}, which is none of the task's labels")
    return label


def _lines(said: object) -> tuple[str, ...]:
    """What ``check`` gave; also where it gave one text, or nothing."""
    if isinstance(said, str):
        said = [said]
    return tuple(plain_line(str(one)) for one in said or ())  # type: ignore[attr-defined]


def _panel(panel: object) -> Panel:
    """What ``render`` gave, with its wrong types told by their place."""
    if not isinstance(panel, Panel):
        raise TypeError(f"render gave {type(panel).__name__}, not a Panel")
    proper = msgspec.convert(msgspec.to_builtins(panel), Panel)
    for part in proper.parts:
        if isinstance(part, Table) and any(len(row) != len(part.columns) for row in part.rows):
            raise ValueError(f"a row of {part.title} has not as many cells as there are columns")
    return proper


def _regions(regions: Iterable[Region] | None) -> tuple[Region, ...]:
    return msgspec.convert(msgspec.to_builtins(list(regions or ())), tuple[Region, ...])
