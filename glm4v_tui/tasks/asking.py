"""From files and a task's name to a question: what the commands and the screen do alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glm4v_tui import images
from glm4v_tui.config import task_options
from glm4v_tui.tasks.call import TaskCall, examined, make_call, preparation_of, wording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import msgspec

    from glm4v_tui.chat import Attachment, Box
    from glm4v_tui.images import OpenedImage
    from glm4v_tui.tasks.task import Language, Task


@dataclass(frozen=True)
class TaskQuestion:
    """A question of a task, ready to be asked."""

    text: str
    opened: tuple[OpenedImage, ...]
    call: TaskCall

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        return tuple(image.attachment for image in self.opened)


def ask_about(
    task: Task[Any, Any],
    files: Sequence[tuple[Path, Box | None]],
    language: Language,
    *,
    text: str = "",
    options: msgspec.Struct | None = None,
) -> TaskQuestion:
    """Open the images as the task wants them, and word its question. For a thread.

    Args:
        files: Images, or parts of them, in the order of the question.
        text: What to ask in place of the task's own question.
        options: In place of what the settings say.

    Raises:
        ImageError: one of the files; says which.
        SettingsError: ``[tasks.NAME]`` is wrong.
        PluginError: the task's own code is at fault.
    """
    chosen = task_options(task.name, task.options_type) if options is None else options
    opened = tuple(_open(task, path, crop, chosen) for path, crop in files)
    facts = [image.facts for image in opened]
    return TaskQuestion(
        text or wording(task, chosen, language, facts),
        opened,
        make_call(task, chosen, language, facts, text),
    )


def _open(
    task: Task[Any, Any], path: Path, crop: Box | None, options: msgspec.Struct
) -> OpenedImage:
    opened = images.open_image(path, crop, preparation=preparation_of(task, options))
    if not task.examines:
        return opened
    whole = images.open_image(path, crop, max_pixels=images.MAX_SOURCE_PIXELS).image
    return replace(opened, facts=examined(task, whole, opened.facts, options))
