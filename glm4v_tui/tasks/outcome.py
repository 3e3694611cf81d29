"""A turn's answer as its task sees it: the result, what is doubtful, where it is, how it looks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import PluginError
from glm4v_tui.tasks.call import guarded, options_of
from glm4v_tui.tasks.export import Record
from glm4v_tui.tasks.panel import Panel, Region, Table, plain_panel
from glm4v_tui.tasks.results import Result, ResultState, read_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    warnings: tuple[str, ...] = ()
    """What the task found doubtful, and what failed in showing it."""

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
    warnings: list[str] = []
    panel, regions = plain_panel(msgspec.to_builtins(result.value)), []
    options: Any = task.options_type()
    with _told(warnings), guarded(task, "reading its options"):
        options = options_of(task, call)
    with _told(warnings), guarded(task, "checking its result"):
        warnings += map(str, task.check(result.value, call.facts, options))
    with _told(warnings), guarded(task, "showing its result"):
        panel = _proper(task.render(result.value, call.facts, options))
    with _told(warnings), guarded(task, "placing its result"):
        regions = [_placed(task.regions(result.value, facts)) for facts in call.facts[:1]]
    return Outcome(result, panel, tuple(regions), tuple(warnings))


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


@contextmanager
def _told(warnings: list[str]) -> Iterator[None]:
    """Go on after a failure of the task's own code: the result itself is whole."""
    try:
        yield
    except PluginError as error:
        warnings.append(f"{error.title}: {error.body}")


def _proper(panel: object) -> Panel:
    if not isinstance(panel, Panel):
        raise TypeError(f"render gave {type(panel).__name__}, not a Panel")
    msgspec.convert(msgspec.to_builtins(panel), Panel)  # tells wrong types inside by their place
    for table in panel.parts:
        if isinstance(table, Table) and any(len(row) != len(table.columns) for row in table.rows):
            raise ValueError(f"a row of {table.title!r} has not {len(table.columns)} cells")
    return panel


def _placed(regions: Iterable[object]) -> tuple[Region, ...]:
    """Regions of whole pixels; tells what is none."""
    return tuple(msgspec.convert(msgspec.to_builtins(region), Region) for region in regions)
