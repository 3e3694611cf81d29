"""What is said before something leaves this machine, on the screen and in the chat without one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import LeavingImage, SendingWanted

_NAMED = 3
"""Sizes of images that are told one by one."""


def sending_words(wanted: SendingWanted) -> str:
    """Exactly what would leave, and for where; safe to show."""
    images = wanted.images
    many = f"{len(images)} images" if len(images) > 1 else "1 image"
    size = _size(sum(one.size for one in images))
    warned = "; ".join(map(plain_line, wanted.warnings))
    return (
        f"Send {many} to {plain_line(wanted.host)}? What leaves: pixels ({_sizes(images)}), "
        f"re-encoded as {_kinds(images)} ({size}), without EXIF, GPS, DICOM header or file "
        f"name.{f' {warned[:1].upper()}{warned[1:]}.' if warned else ''}"
    )


def placed_words(task: str) -> str:
    """What is said when a task's own engine is loaded."""
    return (
        f"The task {plain_line(task)} has an engine of its own in config.toml: it is asked there, "
        "and so is what you ask next."
    )


def _sizes(images: tuple[LeavingImage, ...]) -> str:
    told = [f"{one.width}×{one.height}" for one in images[:_NAMED]]
    more = len(images) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} KB"


def _kinds(images: tuple[LeavingImage, ...]) -> str:
    kinds = Counter(one.mime.partition("/")[2].upper() for one in images)
    return " and ".join(kinds)
