"""What is said before images leave this machine, on the screen and in the chat without one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from glm4v_tui.engine.protocol import ConsentWanted, LeavingImage

_NAMED = 3
"""Sizes of images that are told one by one."""


def consent_words(wanted: ConsentWanted) -> str:
    """Exactly what would leave, and for where; safe to show."""
    images = wanted.images
    many = f"{len(images)} images of" if len(images) > 1 else "an image of"
    size = sum(one.size for one in images) / 1e6
    warned = "".join(f" ({plain_line(warning)})" for warning in wanted.warnings)
    return (
        f"Send to {plain_line(wanted.host)}{warned}? {many} {_sizes(images)} pixels, re-encoded as "
        f"{_kinds(images)}, {size:.2f} MB: no EXIF, GPS, DICOM header or file name."
    )


def _sizes(images: tuple[LeavingImage, ...]) -> str:
    told = [f"{one.width}×{one.height}" for one in images[:_NAMED]]
    more = len(images) - len(told)
    return ", ".join(told) + (f" and {more} more, of" if more else "")


def _kinds(images: tuple[LeavingImage, ...]) -> str:
    kinds = Counter(one.mime.partition("/")[2].upper() for one in images)
    return " and ".join(kinds)
