"""glm4v-tui: look at images with a local vision-language model from a terminal.

Plugin authors import everything from here; a name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from glm4v_tui.chat import Box
    from glm4v_tui.images import Facts, ImageReader, ReadImage, windowed
    from glm4v_tui.tasks.checking import check_task
    from glm4v_tui.tasks.export import Exporter, Record
    from glm4v_tui.tasks.form_words import describe_form
    from glm4v_tui.tasks.hookspecs import hookimpl
    from glm4v_tui.tasks.panel import Badge, Panel, Region, Row, Table, Tone, pixel_box
    from glm4v_tui.tasks.results import read_result
    from glm4v_tui.tasks.task import Generation, Label, Language, NoOptions, Task, Words
    from glm4v_tui.tasks.toml_fields import BoxField
    from glm4v_tui.tasks.toml_task import load_toml_task

_HOMES = {
    "glm4v_tui.chat": ("Box",),
    "glm4v_tui.images": ("Facts", "ImageReader", "ReadImage", "windowed"),
    "glm4v_tui.tasks.export": ("Exporter", "Record"),
    "glm4v_tui.tasks.hookspecs": ("hookimpl",),
    "glm4v_tui.tasks.panel": ("Badge", "Panel", "Region", "Row", "Table", "Tone", "pixel_box"),
    "glm4v_tui.tasks.checking": ("check_task",),
    "glm4v_tui.tasks.results": ("read_result",),
    "glm4v_tui.tasks.form_words": ("describe_form",),
    "glm4v_tui.tasks.task": ("Generation", "Label", "Language", "NoOptions", "Task", "Words"),
    "glm4v_tui.tasks.toml_fields": ("BoxField",),
    "glm4v_tui.tasks.toml_task": ("load_toml_task",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Badge", "Box", "BoxField", "Exporter", "Facts", "Generation", "ImageReader", "Label",
    "Language", "NoOptions", "Panel", "ReadImage", "Record", "Region", "Row", "Table", "Task",
    "Tone", "Words", "check_task", "describe_form", "hookimpl", "load_toml_task", "pixel_box",
    "read_result", "windowed",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
