"""How this terminal is to be given pictures: one value on the App, read by every ``Picture``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from textual.app import App

Images = Literal["half", "sixel", "kitty", "off"]

SLOW_LINK = 250_000
"""Bytes a second that a link over SSH is trusted with."""
LOCAL_LINK = 4_000_000
"""Bytes a second that terminals on this host take, the slow ones among them."""


@dataclass(frozen=True, slots=True)
class PictureMode:
    """Set ``app.picture_mode`` to one of these before the first screen."""

    images: Images = "half"
    low_bandwidth: bool = False
    """Smaller pictures in 32 levels a channel."""
    is_remote: bool = False
    """The terminal is at the other end of a network."""

    @property
    def link(self) -> int:
        """Bytes a second that may be written without the screen falling behind."""
        return SLOW_LINK if self.is_remote or self.low_bandwidth else LOCAL_LINK


@runtime_checkable
class HasPictureMode(Protocol):
    picture_mode: PictureMode


def picture_mode(app: App[object]) -> PictureMode:
    """The App's value; no pictures where the user wants no color or the terminal has none."""
    mode = app.picture_mode if isinstance(app, HasPictureMode) else PictureMode()
    if app.no_color or os.environ.get("TERM") in ("dumb", "unknown"):
        return replace(mode, images="off")
    return mode
