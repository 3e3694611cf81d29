"""Pictures as text: two pixels in each cell, the upper one in the color of ``▀``.

numpy arrays of shape (2 * rows, columns, 3), uint8, R G B, become ``PaintedStrip`` rows. All of
this runs in a thread; what is left for the event loop is to hand over finished strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color, ColorSystem, ColorType
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Pixels = NDArray[np.uint8]
    Codes = NDArray[np.int32]
    Letters = Mapping[int, str]

UPPER, LOWER, FULL = "▀", "▄", "█"
RESET = "\x1b[0m"


class ColorDepth(Enum):
    """What the terminal can show."""

    TRUECOLOR = "truecolor"
    PALETTE = "256"
    """The 6x6x6 cube and the 24 greys; the first 16 are the user's own and never used."""
    ANSI = "standard"


def color_depth(system: str | None) -> ColorDepth:
    """The depth of a console's color system; without one Textual writes true color."""
    if system in (None, "truecolor"):
        return ColorDepth.TRUECOLOR
    return ColorDepth.PALETTE if system == "256" else ColorDepth.ANSI


@dataclass(frozen=True, slots=True)
class Margin:
    """Blank cells beside the picture, in the color behind it."""

    left: int
    right: int
    style: Style


class PaintedStrip(Strip):
    """A row whose terminal output was made beforehand.

    A photograph has as many styles as cells. Making the Segments and Styles of 100x38 cells takes
    50-100 ms, and rendering them as much again on the event loop; a row that is drawn whole needs
    neither. Segments are made when somebody asks: a dialog over the row, a screenshot.
    """

    __slots__ = ("cells", "depth", "letters", "margin")

    def __init__(
        self,
        cells: Codes,
        margin: Margin,
        depth: ColorDepth,
        output: str,
        letters: Letters | None = None,
    ) -> None:
        super().__init__((), margin.left + cells.shape[1] + margin.right)
        self.cells = cells
        self.margin = margin
        self.depth = depth
        self.letters = letters or {}
        """Column -> a character in the upper pixel's color on the lower one's."""
        self._render_cache = output

    @property
    def output(self) -> str:
        """What drawing it sends to the terminal."""
        return self._render_cache or ""

    @property
    def _segments(self) -> list[Segment]:
        blank, style = " ", self.margin.style
        upper, lower = self.cells.tolist()
        cells = [
            Segment(self.letters.get(column, UPPER), cell_style(top, bottom, self.depth))
            for column, (top, bottom) in enumerate(zip(upper, lower, strict=True))
        ]
        left = [Segment(blank * self.margin.left, style)] if self.margin.left else []
        right = [Segment(blank * self.margin.right, style)] if self.margin.right else []
        return left + cells + right

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        """Strip's constructor sets it; the cells are the truth."""


def paint(pixels: Pixels, depth: ColorDepth, margin: Margin) -> list[PaintedStrip]:
    """Rows of two pixels a cell.

    Args:
        pixels: (2 * rows, columns, 3), R G B.
        depth: The colors to use.
        margin: Blank cells left and right of each row.
    """
    codes = color_codes(pixels, depth)
    rows = codes.reshape(codes.shape[0] // 2, 2, codes.shape[1])
    return [_strip(row, margin, depth) for row in rows]


def paint_coarse(
    pixels: Pixels, depth: ColorDepth, margin: Margin, limit: int
) -> list[PaintedStrip]:
    """Rows of one color a cell, or a color for several cells, in at most about ``limit`` bytes."""
    columns = pixels.shape[1]
    strips: list[PaintedStrip] = []
    for step in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64):
        blocks = color_codes(_blocks(pixels, step), depth, dither=False)
        codes = blocks.repeat(step, axis=1)[:, :columns]
        strips = [_strip(row, margin, depth) for row in codes[:, None].repeat(2, axis=1)]
        if output_size(strips) <= limit:
            break
    return strips


def framed(
    strip: PaintedStrip, row: int, left: int, top: int, right: int, bottom: int
) -> PaintedStrip:
    """The row with its part of a rectangle's outline, dashed so that it shows on any ground.

    Args:
        strip: A row of the picture, the ``row``-th.
        left: Pixels of the painting; two of them high is a cell. Right and bottom are exclusive.
    """
    import numpy as np

    light, dark = _CONTRAST[strip.depth]
    cells = strip.cells.copy()
    for half, y, across in _edges(row, left, top, right, bottom):
        cells[half, across] = np.where((across + y) // 2 % 2, light, dark)
    return _strip(cells, strip.margin, strip.depth, strip.letters)


@dataclass(frozen=True, slots=True)
class Outline:
    """A rectangle with a label, in pixels of the painting; two of them high is a cell."""

    left: int
    top: int
    right: int
    """Right and bottom are exclusive."""
    bottom: int
    color: tuple[int, int, int]
    label: str = ""
    """Written into the cells from ``label_at`` on."""
    label_at: tuple[int, int] = (0, 0)
    """(column, row) in cells of the painting."""

    def touches(self, row: int) -> bool:
        """Whether some of it lies in this row of cells."""
        is_within = self.top // 2 <= row < (self.bottom + 1) // 2
        return is_within or bool(self.label and self.label_at[1] == row)


def outlined(strip: PaintedStrip, row: int, outlines: Sequence[Outline]) -> PaintedStrip:
    """The row with its part of these rectangles, a pixel thick, and their labels.

    Args:
        strip: A row of the picture, the ``row``-th.
    """
    cells, letters = strip.cells.copy(), dict(strip.letters)
    for outline in outlines:
        code = _code_of(outline.color, strip.depth)
        for half, _, across in _edges(
            row, outline.left, outline.top, outline.right, outline.bottom
        ):
            cells[half, across] = code
    for outline in outlines:  # above every line
        if outline.label_at[1] == row:
            _write(outline, cells, letters, strip.depth)
    return _strip(cells, strip.margin, strip.depth, letters)


def _edges(
    row: int, left: int, top: int, right: int, bottom: int
) -> Iterator[tuple[int, int, NDArray[np.intp]]]:
    """The pixels of a rectangle's outline in a row of cells: (half, y, columns)."""
    import numpy as np

    for half, y in enumerate((2 * row, 2 * row + 1)):
        if top <= y < bottom:
            is_edge = y in (top, bottom - 1)
            yield half, y, np.arange(left, right) if is_edge else np.array((left, right - 1))


def _write(outline: Outline, cells: Codes, letters: dict[int, str], depth: ColorDepth) -> None:
    red, green, blue = outline.color
    is_bright = 299 * red + 587 * green + 114 * blue > 128_000  # luma of BT.601
    light, dark = _CONTRAST[depth]
    for column, letter in enumerate(outline.label, outline.label_at[0]):
        if column < cells.shape[1]:
            letters[column] = letter
            cells[0, column] = dark if is_bright else light
            cells[1, column] = _code_of(outline.color, depth)


@lru_cache(maxsize=64)
def _code_of(color: tuple[int, int, int], depth: ColorDepth) -> int:
    import numpy as np

    pixel = np.array([[color]], np.uint8)
    return int(color_codes(pixel, depth, dither=False)[0, 0])


_CONTRAST = {
    ColorDepth.TRUECOLOR: (0xFFFFFF, 0x000000),
    ColorDepth.PALETTE: (231, 16),
    ColorDepth.ANSI: (15, 0),
}
"""White and black in each depth."""


def output_size(strips: Sequence[Strip]) -> int:
    """Bytes that drawing these rows sends to the terminal, cursor moves left out."""
    return sum(
        len(strip.output.encode()) if isinstance(strip, PaintedStrip) else strip.cell_length
        for strip in strips
    )


def five_bits(pixels: Pixels) -> Pixels:
    """32 levels a channel: neighbours become equal and merge, and ``ssh -C`` packs it well."""
    import numpy as np

    return (pixels & np.uint8(0xF8)) | (pixels >> np.uint8(5))


def color_codes(pixels: Pixels, depth: ColorDepth, *, dither: bool = True) -> Codes:
    """One number a pixel: 0xRRGGBB, or a place in the terminal's palette. Shape (rows, columns)."""
    import numpy as np

    if depth is ColorDepth.TRUECOLOR:
        wide = pixels.astype(np.int32)
        return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return _palette_codes(pixels, depth, dither)


def _palette_codes(pixels: Pixels, depth: ColorDepth, dither: bool) -> Codes:
    """The terminal's nearest colors, the error spread over the neighbours.

    Without it the greys of a CT fall into 26 flat steps.
    """
    import numpy as np
    from PIL import Image

    method = Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    image = Image.fromarray(pixels).quantize(palette=_palette_image(depth), dither=method)
    return np.asarray(image).astype(np.int32) + _FIRST[depth]


@lru_cache(maxsize=2)
def _palette_image(depth: ColorDepth) -> Image.Image:
    from PIL import Image
    from rich._palettes import EIGHT_BIT_PALETTE

    first, end = _FIRST[depth], 256 if depth is ColorDepth.PALETTE else 16
    image = Image.new("P", (1, 1))
    image.putpalette([part for code in range(first, end) for part in EIGHT_BIT_PALETTE[code]])
    return image


_FIRST = {ColorDepth.PALETTE: 16, ColorDepth.ANSI: 0}
"""The first color of each palette that is used."""


@lru_cache(maxsize=16_384)
def cell_style(upper: int, lower: int, depth: ColorDepth) -> Style:
    """The style that shows two color codes in a ``▀``."""
    return Style(color=_rich_color(upper, depth), bgcolor=_rich_color(lower, depth))


def _blocks(pixels: Pixels, step: int) -> Pixels:
    """The mean color of blocks ``step`` cells wide and one cell (two pixels) high."""
    import numpy as np

    columns = pixels.shape[1]
    rest = -columns % step
    padded = np.pad(pixels, ((0, 0), (0, rest), (0, 0)), mode="edge").astype(np.uint16)
    blocks = padded.reshape(pixels.shape[0] // 2, 2, (columns + rest) // step, step, 3)
    return five_bits(blocks.mean(axis=(1, 3)).astype(np.uint8))


def _strip(
    row: Codes, margin: Margin, depth: ColorDepth, letters: Letters | None = None
) -> PaintedStrip:
    left = _blank_output(margin.left, margin.style, depth)
    right = _blank_output(margin.right, margin.style, depth)
    output = left + _row_output(row, depth, letters or {}) + right
    return PaintedStrip(row, margin, depth, output, letters)


def _row_output(row: Codes, depth: ColorDepth, letters: Letters) -> str:
    """Escape sequences of one row; a color is named only when it changes.

    Each cell can be drawn as ``▀`` or, with the colors swapped, as ``▄``; whichever needs fewer
    changes from the cell before is taken.
    """
    text = _SGR[depth]
    foreground = background = -1
    parts: list[str] = []
    for column, (upper, lower) in enumerate(zip(*row.tolist(), strict=True)):
        if letters and column in letters:
            glyph, front, back = letters[column], upper, lower
        else:
            glyph, front, back = _cheapest(upper, lower, foreground, background)
        changes = []
        if front != foreground:
            changes.append(text(38, front))
        if back != background:
            changes.append(text(48, back))
        if changes:
            parts.append(f"\x1b[{';'.join(changes)}m")
        parts.append(glyph)
        foreground, background = front, back
    return "".join(parts) + RESET


def _cheapest(upper: int, lower: int, front: int, back: int) -> tuple[str, int, int]:
    """Glyph, foreground and background for a cell, given the colors that are set now."""
    if upper == lower:
        return (FULL, front, back) if front == upper != back else (" ", front, upper)
    if (front == lower) + (back == upper) > (front == upper) + (back == lower):
        return LOWER, lower, upper
    return UPPER, upper, lower


def _truecolor_sgr(base: int, code: int) -> str:
    return f"{base};2;{code >> 16};{code >> 8 & 255};{code & 255}"


def _palette_sgr(base: int, code: int) -> str:
    return f"{base};5;{code}"


def _ansi_sgr(base: int, code: int) -> str:
    return str(base - 8 + code if code < 8 else base + 44 + code)


_SGR: dict[ColorDepth, Callable[[int, int], str]] = {
    ColorDepth.TRUECOLOR: _truecolor_sgr,
    ColorDepth.PALETTE: _palette_sgr,
    ColorDepth.ANSI: _ansi_sgr,
}
"""The parameters that set the foreground (base 38) or background (base 48) to a color code."""


def _rich_color(code: int, depth: ColorDepth) -> Color:
    if depth is ColorDepth.TRUECOLOR:
        return Color.from_rgb(code >> 16, code >> 8 & 255, code & 255)
    kind = ColorType.EIGHT_BIT if depth is ColorDepth.PALETTE else ColorType.STANDARD
    return Color(f"color({code})", kind, number=code)


@lru_cache(maxsize=1024)
def _blank_output(count: int, style: Style, depth: ColorDepth) -> str:
    system = {
        ColorDepth.TRUECOLOR: ColorSystem.TRUECOLOR,
        ColorDepth.PALETTE: ColorSystem.EIGHT_BIT,
        ColorDepth.ANSI: ColorSystem.STANDARD,
    }[depth]
    return style.render(" " * count, color_system=system)
