"""Real pixels (sixel, kitty graphics) through textual-image, only when they were asked for.

Terminals are asked before the screen starts, and by this module rather than by textual-image: an
answer that comes late over a slow link must not arrive as key presses. So everything is read until
the last answer has come and the line was quiet, and the rest is thrown away.
"""

from __future__ import annotations

import os
import re
import select
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from textual.widget import Widget

PATIENCE = 2.5
"""Seconds to wait for a terminal that answers nothing."""
QUIET = 0.2
"""Seconds without a byte after the last answer; multiplexers answer out of order."""

_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_CELL_SIZE = "\x1b[16t"
_ATTRIBUTES = "\x1b[c"  # every terminal answers this one, so it comes last

_SAID_ATTRIBUTES = re.compile(rb"\x1b\[\?([0-9;]*)c")
_SAID_CELL_SIZE = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_SAID_KITTY = re.compile(rb"\x1b_G[^\x1b;]*;OK\x1b\\")

_DRAWN_INSTEAD = "Pictures are drawn with half blocks."


@dataclass(frozen=True, slots=True)
class Answers:
    """What a terminal says about its graphics."""

    has_sixel: bool
    has_kitty: bool
    cell: tuple[int, int]
    """Width and height of a cell in pixels; (0, 0) when it does not say."""


class PixelWidget(Protocol):
    """The part of textual-image's widgets that is used."""

    image: Image | None


_classes: dict[str, type[Widget]] = {}
"""Filled by ``prepare``: the widget that draws each protocol."""
_cell: tuple[int, int] = (10, 20)


def prepare(wanted: str) -> str:
    """Make ``sixel`` or ``kitty`` pictures possible. Call it before the App is made.

    Keys pressed meanwhile are lost.

    Returns:
        Empty, or why pictures will be half blocks, in a sentence for the user.
    """
    if find_spec("textual_image") is None:
        return (
            f"{wanted} pictures need the package textual-image: pip install 'glm4v-tui[pixels]'"
            f" (Python 3.12 or newer). {_DRAWN_INSTEAD}"
        )
    try:
        with _terminal() as descriptor:
            answers = ask(descriptor)
    except OSError:
        return f"There is no terminal to ask about {wanted} pictures. {_DRAWN_INSTEAD}"
    if not (answers.has_sixel if wanted == "sixel" else answers.has_kitty):
        return f"This terminal does not say that it shows {wanted} pictures. {_DRAWN_INSTEAD}"
    return _load(answers)


def pixel_widget(wanted: str) -> type[Widget] | None:
    """The widget for a protocol; None where ``prepare`` did not find it possible."""
    return _classes.get(wanted)


def cell_size() -> tuple[int, int]:
    """Width and height of a cell in pixels, as far as ``prepare`` could tell."""
    return _cell


def set_image(widget: Widget, image: Image) -> None:
    """Show a picture in a widget of one of ``pixel_widget``'s classes."""
    cast(PixelWidget, widget).image = image


def ask(descriptor: int, patience: float = PATIENCE) -> Answers:
    """Ask the terminal on this descriptor, and leave nothing of its answers behind."""
    query = (_in_tmux(_KITTY) if os.environ.get("TMUX") else _KITTY) + _CELL_SIZE + _ATTRIBUTES
    with _raw(descriptor):
        os.write(descriptor, query.encode())
        said = _read_answers(descriptor, patience)
    attributes = _SAID_ATTRIBUTES.search(said)
    size = _SAID_CELL_SIZE.search(said)
    return Answers(
        has_sixel=attributes is not None and b"4" in attributes[1].split(b";"),
        has_kitty=_SAID_KITTY.search(said) is not None,
        cell=(int(size[2]), int(size[1])) if size else _pixels_of_cell(descriptor),
    )


def _read_answers(descriptor: int, patience: float) -> bytes:
    said = b""
    end = time.monotonic() + patience
    while (left := end - time.monotonic()) > 0:
        is_last = _SAID_ATTRIBUTES.search(said) is not None
        if not select.select([descriptor], [], [], QUIET if is_last else left)[0]:
            break
        said += os.read(descriptor, 4096)
    return said


@contextmanager
def _terminal() -> Iterator[int]:
    descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """No echo and no line buffer while the terminal answers; what is unread is thrown away."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def _in_tmux(sequence: str) -> str:
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _pixels_of_cell(descriptor: int) -> tuple[int, int]:
    import fcntl
    import struct
    import termios

    answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if rows and columns else (0, 0)


def _load(answers: Answers) -> str:
    """Import textual-image with our answers in place of its own questions."""
    global _cell
    try:
        from textual_image._terminal import CellSize, TerminalCapabilities, probe_terminal

        if all(answers.cell):
            _cell = answers.cell
        known = TerminalCapabilities(CellSize(*_cell), answers.has_sixel, answers.has_kitty)
        probe_terminal._result = known
        from textual_image.widget import SixelImage, TGPImage
    except Exception as error:  # noqa: BLE001 - another version may fail in any way while imported
        return f"textual-image could not be used ({error!r}). {_DRAWN_INSTEAD}"
    _classes.update(sixel=SixelImage, kitty=TGPImage)
    return ""
