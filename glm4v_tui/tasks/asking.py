"""From files and a task's name to a question: what the commands and the screen do alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glm4v_tui import images
from glm4v_tui.config import task_options
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.call import (
    TaskCall,
    examined,
    guarded,
    make_call,
    preparation_of,
    wording,
)

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


@dataclass(frozen=True)
class SeriesChoice:
    """What of a folder is asked about."""

    files: tuple[Path, ...]
    """In the order of the series."""
    places: tuple[int, ...]
    """Of these files in the series, counted from 0."""
    count: int
    """Images in the series."""
    left_out: int
    """Other series in the folder."""

    @property
    def words(self) -> str:
        """What is asked about, without a name: tasks may be private."""
        numbers = ", ".join(str(place + 1) for place in self.places)
        others = f"; {self.left_out} other series left out" if self.left_out else ""
        images = "1 image" if self.count == 1 else f"{self.count} images"
        return f"The folder is a series of {images}, asked about: {numbers}{others}."


def choose_of(
    task: Task[Any, Any], folder: Path, options: msgspec.Struct | None = None
) -> SeriesChoice | None:
    """The images that a task asks about of the series in a folder; None when there is no series.

    Raises:
        ImageError: the folder or its files cannot be read.
        SettingsError: ``[tasks.NAME]`` is wrong.
        PluginError: the task's own code is at fault.
    """
    series = images.series_in(folder)
    if not series:
        return None
    chosen = task_options(task.name, task.options_type) if options is None else options
    with guarded(task, "choosing images of a series"):
        places = tuple(sorted(set(task.choose(len(series[0]), chosen))))
        if not places or not 0 <= places[0] <= places[-1] < len(series[0]):
            raise ValueError(f"it chose {places} of {len(series[0])}")
        files = tuple(series[0][place] for place in places)
    return SeriesChoice(files, places, len(series[0]), len(series) - 1)


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
        UsageError: several files, and the task looks at one.
        ImageError: one of the files; says which.
        SettingsError: ``[tasks.NAME]`` is wrong.
        PluginError: the task's own code is at fault.
    """
    if task.is_single and len(files) > 1:
        raise _too_many(task)
    chosen = task_options(task.name, task.options_type) if options is None else options
    opened = tuple(_open(task, path, crop, chosen) for path, crop in files)
    facts = [image.facts for image in opened]
    return TaskQuestion(
        text or wording(task, chosen, language, facts),
        opened,
        make_call(task, chosen, language, facts, text),
    )


def _too_many(task: Task[Any, Any]) -> UsageError:
    return UsageError(
        f"{plain_line(task.title)} looks at one image at a time",
        "Its result would not say which image it is of.",
        "Ask about each image by itself.",
    )


def _open(
    task: Task[Any, Any], path: Path, crop: Box | None, options: msgspec.Struct
) -> OpenedImage:
    opened = images.open_image(path, crop, preparation=preparation_of(task, options))
    if not task.examines:
        return opened
    whole = images.open_image(path, crop, max_pixels=images.MAX_SOURCE_PIXELS).image
    return replace(opened, facts=examined(task, whole, opened.facts, options))
