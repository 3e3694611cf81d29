"""What a plugin may implement: functions of these names, marked with ``@hookimpl``.

A plugin is a module (or an object) that an entry point of the group ``glm4v_tui`` names. Each hook
is optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from glm4v_tui.images import ImageReader
    from glm4v_tui.tasks.export import Exporter
    from glm4v_tui.tasks.task import Task

    F = TypeVar("F", bound=Callable[..., Any])

PROJECT = "glm4v_tui"
"""Name of the entry-point group and of pluggy's project."""

hookimpl = cast("Callable[[F], F]", pluggy.HookimplMarker(PROJECT))
"""Marks a plugin's implementation of a hook."""

_hookspec = cast("Callable[[F], F]", pluggy.HookspecMarker(PROJECT))


@_hookspec
def glm4v_tui_tasks() -> Iterable[Task[Any, Any]]:  # type: ignore[empty-body]
    """Tasks to offer."""


@_hookspec
def glm4v_tui_image_readers() -> Iterable[ImageReader]:  # type: ignore[empty-body]
    """Readers of image formats that Pillow does not know."""


@_hookspec
def glm4v_tui_exporters() -> Iterable[Exporter]:  # type: ignore[empty-body]
    """Formats that results can be written in."""
