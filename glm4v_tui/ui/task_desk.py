"""Tasks as the screen needs them: loaded beside it, asked and read in threads.

Nothing of plugins is imported before :meth:`TaskDesk.begin`, which comes after the first frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.errors import GlmError, ImageChangedError, PluginError, UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.ui.aside import aside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glm4v_tui.chat import Attachment
    from glm4v_tui.images import Preparation
    from glm4v_tui.pixels import PixelOpener
    from glm4v_tui.session import Turn
    from glm4v_tui.tasks.call import AnyTask, TaskCall
    from glm4v_tui.tasks.command import Command
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.plugins import Plugins


@dataclass(frozen=True)
class AskedTask:
    """A question of a task, ready for the session."""

    text: str
    attachments: tuple[Attachment, ...]
    call: TaskCall


class TaskDesk:
    """Loads the tasks once, words their questions, reads their results.

    Args:
        load: Loads plugins and task files; runs in a thread; None for no tasks.
        language: The setting ``generation.language``.
        opener: Is given the plugins when they are there.
    """

    def __init__(
        self, load: Callable[[], Plugins] | None, language: str, opener: PixelOpener
    ) -> None:
        self._load = load
        self._language = language
        self._opener = opener
        self._loading: asyncio.Task[Plugins] | None = None
        self._told: set[str] = set()
        self._asked: dict[str, AnyTask] = {}
        """Every task that was asked, by name: a reload does not take its results away."""
        self._settings: dict[str, msgspec.Struct] = {}
        """What the settings said for each of them."""
        self._outcomes: weakref.WeakKeyDictionary[Turn, Outcome] = weakref.WeakKeyDictionary()
        self.plugins: Plugins | None = None
        """None until they are loaded."""

    # Loading ----------------------------------------------------------------------------------

    async def ready(self) -> Plugins:
        """The plugins, as soon as they are there."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._bring())
        return await asyncio.shield(self._loading)

    async def reload(self) -> Plugins:
        """Load task files and plugins anew; modules that are imported already stay as they are."""
        if self._loading is not None:
            await asyncio.shield(self._loading)
        self._loading = asyncio.ensure_future(self._bring())
        return await asyncio.shield(self._loading)

    def new_notices(self) -> list[str]:
        """What is to be said of the plugins and was not said yet."""
        notices = self.plugins.notices if self.plugins else []
        found = [text for text in notices if text not in self._told]
        self._told |= set(found)
        return found

    async def _bring(self) -> Plugins:
        from glm4v_tui.tasks.plugin_report import PluginReport
        from glm4v_tui.tasks.plugins import Plugins

        try:
            plugins = await aside(self._load) if self._load else Plugins()
        except Exception as error:  # noqa: BLE001 - no fault in here takes the screen down
            report = PluginReport("loading")
            report.fail(plain_line(f"{type(error).__name__}: {error}"))
            plugins = Plugins(self.plugins.tasks if self.plugins else {}, reports=(report,))
        self.plugins = self._opener.plugins = plugins
        return plugins

    # What is known of a task --------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        return sorted(self.plugins.tasks) if self.plugins else []

    def task_of(self, call: TaskCall) -> AnyTask | None:
        """The task that a question was asked for, in the version that it was asked with."""
        task = self._asked.get(call.task)
        if task is None and self.plugins is not None:
            task = self.plugins.tasks.get(call.task)
        return task

    def title_of(self, call: TaskCall) -> str:
        task = self.task_of(call)
        return plain_line(str(task.title)) if task else call.task

    def notice_of(self, call: TaskCall) -> str:
        task = self.task_of(call)
        return plain_line(str(task.notice)) if task else ""

    def is_private(self, call: TaskCall) -> bool:
        """Whether nobody may be told where the task's images lie; so, while it is not known."""
        task = self.task_of(call)
        return task is None or bool(task.is_private)

    def preparation(self, variant: str) -> Preparation:
        """What was done to a picture. Raises GlmError: its task is not as it was."""
        from glm4v_tui.tasks.call import preparation_by_key

        return preparation_by_key(self.plugins, variant)

    # Asking -----------------------------------------------------------------------------------

    async def find(self, command: Command) -> AnyTask:
        """The task that is meant. Raises UsageError: there is none."""
        from glm4v_tui.tasks.command import find_task

        return find_task(command.name, (await self.ready()).tasks)

    async def ask(self, task: AnyTask, rest: str, images: Sequence[Attachment]) -> AskedTask:
        """Put a task's question together.

        Args:
            rest: What stood behind the task's name: choices, and words in place of its question.
            images: What it is asked about.

        Raises:
            GlmError: no image, a wrong choice or setting, or the task's own code failed.
        """
        if not images:
            raise UsageError(
                f"There is no image for {plain_line(str(task.title))}",
                "It is asked about the attached images, or about those asked about last.",
                "Attach one first: Ctrl+O, or paste its path.",
            )
        try:
            return await aside(lambda: self._put_together(task, rest, images))
        except GlmError:
            raise
        except Exception as error:
            raise _fault(task, "asking its question", error) from error

    def _put_together(self, task: AnyTask, rest: str, images: Sequence[Attachment]) -> AskedTask:
        from glm4v_tui.config import task_options
        from glm4v_tui.tasks.asking import ask_about
        from glm4v_tui.tasks.call import language_named
        from glm4v_tui.tasks.command import read_choices, with_choices

        chosen, words = read_choices(task, rest)
        settings = task_options(task.name, task.options_type)
        asked = ask_about(
            task,
            [(Path(image.path), image.crop) for image in images],
            language_named(self._language),
            text=words,
            options=with_choices(task, settings, chosen),
        )
        for before, now in zip(images, asked.attachments, strict=True):
            if before.digest != now.digest:
                raise ImageChangedError(
                    "The image file has changed",
                    f"{plain_line(before.path)} is not the file that was attached.",
                    "Attach it again to ask about what it holds now.",
                )
        self._asked[task.name], self._settings[task.name] = task, settings
        return AskedTask(asked.text, asked.attachments, asked.call)

    async def choices(self, task: AnyTask) -> dict[str, str]:
        """What the task's options of choice are set to by the settings, as it is written."""
        from glm4v_tui.config import task_options
        from glm4v_tui.tasks.command import chosen_in

        def read() -> dict[str, str]:
            return chosen_in(task, task_options(task.name, task.options_type))

        try:
            return await aside(read)
        except Exception:  # noqa: BLE001 - asking tells of it; the list is not the place
            return {}

    def command_text(self, call: TaskCall) -> str:
        """What to write to ask the same again."""
        from glm4v_tui.tasks.command import command_text, written_options

        task, settings = self.task_of(call), self._settings.get(call.task)
        chosen, now = dict[str, str](), dict[str, str]()
        if task is not None and settings is not None:
            usual = written_options(task, settings)
            with contextlib.suppress(Exception):  # a stranger's type need not read its own text
                options = msgspec.json.decode(call.options, type=task.options_type)
                now = written_options(task, options)
            chosen = {name: value for name, value in now.items() if usual.get(name) != value}
        return command_text(call.task, chosen, call.words)

    # Reading ------------------------------------------------------------------------------------

    def known_outcome(self, turn: Turn) -> Outcome | None:
        """The outcome of a turn that was read before."""
        return self._outcomes.get(turn)

    async def outcome(self, turn: Turn) -> Outcome:
        """Read a finished turn, once. What the task's code raises becomes a warning."""
        if (known := self._outcomes.get(turn)) is None:
            self._outcomes[turn] = known = await aside(lambda: self._read(turn))
        return known

    def _read(self, turn: Turn) -> Outcome:
        from glm4v_tui.engine.protocol import FinishReason
        from glm4v_tui.tasks.outcome import outcome_of

        assert turn.call is not None
        task = self.task_of(turn.call)
        if task is None:
            return _unread(turn, f"The task {plain_line(turn.call.task)} is not loaded any more.")
        is_finished = turn.reason is FinishReason.STOP
        try:
            return outcome_of(task, turn.call, turn.raw, is_finished=is_finished)
        except Exception as error:  # noqa: BLE001 - a stranger's types may raise anything
            fault = _fault(task, "reading its result", error)
            return _unread(turn, f"{fault.title}: {fault.body}")


def without_task(image: Attachment) -> Attachment:
    """The image as it was attached, before a task saw to it."""
    return msgspec.structs.replace(image, variant="") if image.variant else image


def _unread(turn: Turn, reason: str) -> Outcome:
    from glm4v_tui.tasks.outcome import Outcome
    from glm4v_tui.tasks.panel import Panel
    from glm4v_tui.tasks.results import Result, ResultState, result_text

    text = result_text(turn.raw)
    return Outcome(Result(ResultState.WRONG, json=text, reason=reason), Panel())


def _fault(task: AnyTask, doing: str, error: Exception) -> PluginError:
    return PluginError(
        f"The task {plain_line(task.name)} failed while {doing}",
        f"{type(error).__name__}: {plain_line(str(error))[:300]}",
        "Tell its author; glm4v-tui plugin list says which plugin it comes from.",
    )
