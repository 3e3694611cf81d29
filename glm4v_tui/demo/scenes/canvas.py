"""What every family shares: the size of an image, backgrounds, fonts and the nine-field grid."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageChops, ImageDraw, ImageFont

from glm4v_tui.demo.scenes.colours import RGB, Palette, palettes

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the canvas."""

PLACES = (
    "top left", "top center", "top right",
    "middle left", "center", "middle right",
    "bottom left", "bottom center", "bottom right",
)  # fmt: skip
_BORDER = 0.03
"""No object's centre lies this close to a border of the nine fields, as a share of the side."""

HELD_OUT_FAMILIES = (
    "charissil", "ebgaramond", "gentium", "inter", "jetbrainsmono", "karla", "oxygen", "play",
    "robotoslab", "tuffy", "vollkorn",
)  # fmt: skip
"""Beginnings of the names of font files that training never uses, in lower case."""

VARIETY = 0.5
"""Share of scenes in other styles, in training and evaluation."""

Font: TypeAlias = ImageFont.FreeTypeFont


@dataclass(frozen=True, slots=True)
class Look:
    """What scenes are drawn with: training and evaluation use different palettes and fonts."""

    palette: Palette
    fonts: tuple[str, ...] = field(default=())
    variety: float = 0.0
    """Share of scenes drawn in other styles than the plain ones, which the samples show."""


@dataclass(slots=True)
class Canvas:
    """A surface of `width` x `height` pixels and the randomness that draws on it."""

    rng: random.Random
    width: int
    height: int
    look: Look

    @property
    def side(self) -> int:
        """The shorter side in pixels: sizes of objects are shares of it."""
        return min(self.width, self.height)

    def varied(self) -> bool:
        """Whether the next thing is drawn in another style than the plain one."""
        return self.look.variety > 0 and self.rng.random() < self.look.variety

    def font(self, size: float, text: str) -> Font:
        """A random font at `size` pixels; Pillow's own one in every ninth case."""
        pixels = max(8, round(size))
        if not self.look.fonts or (text.isascii() and self.rng.random() < 0.11):
            return sized(None, pixels)
        return sized(self.rng.choice(self.look.fonts), pixels)

    def spot(self, margin_x: float, margin_y: float) -> tuple[float, float]:
        """A centre at least the margins from the edges, clearly inside one of the nine fields."""
        for _ in range(40):
            x = self.rng.uniform(margin_x, max(margin_x, self.width - margin_x))
            y = self.rng.uniform(margin_y, max(margin_y, self.height - margin_y))
            if _clear(x / self.width) and _clear(y / self.height):
                break
        return x, y


def place_of(x: float, y: float, canvas: Canvas) -> str:
    """Name of the nine-field cell that holds the point."""
    column, row = int(min(2, 3 * x // canvas.width)), int(min(2, 3 * y // canvas.height))
    return PLACES[3 * row + column]


def box_of(box: Box, canvas: Canvas) -> list[int]:
    """The box as GLM writes it: [x1, y1, x2, y2], each 0-999 of the width or height."""
    left, top, right, bottom = box
    return [
        _thousandth(left / canvas.width),
        _thousandth(top / canvas.height),
        _thousandth(right / canvas.width),
        _thousandth(bottom / canvas.height),
    ]


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes [x1, y1, x2, y2]; a line counts as one unit wide."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    shared = max(0.0, width) * max(0.0, height)
    areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
    return shared / (sum(areas) - shared)


def gradient(canvas: Canvas, start: RGB, end: RGB) -> Image.Image:
    """A linear or radial blend of two colours over the whole canvas."""
    ramp = canvas.rng.choice(_ramps()).resize(
        (canvas.width, canvas.height), Image.Resampling.NEAREST
    )
    if canvas.rng.random() < 0.5:
        ramp = ImageChops.invert(ramp)
    size = (canvas.width, canvas.height)
    return Image.composite(Image.new("RGB", size, start), Image.new("RGB", size, end), ramp)


def shade(colour: RGB, by: int) -> RGB:
    """The colour made lighter (positive) or darker (negative) by `by` of 255."""
    r, g, b = (min(255, max(0, c + by)) for c in colour)
    return r, g, b


def near(rng: random.Random, colour: RGB, spread: int) -> RGB:
    """A colour whose channels differ from `colour` by at most `spread`."""
    r, g, b = (min(255, max(0, c + rng.randint(-spread, spread))) for c in colour)
    return r, g, b


def grey(level: int) -> RGB:
    """A neutral colour of that level, 0-255."""
    level = min(255, max(0, level))
    return level, level, level


def ink_on(rng: random.Random, ground: RGB) -> RGB:
    """A colour that can be read on the ground."""
    light = 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2]
    if light > 130:
        return rng.choice((grey(0), grey(15), (20, 20, 90), (90, 10, 10), (10, 60, 20)))
    return rng.choice((grey(255), grey(255), (255, 240, 180), (255, 255, 90)))


def blotches(canvas: Canvas, image: Image.Image, strength: int) -> Image.Image:
    """The image under uneven light: soft patches of at most `strength` of 255."""
    cells = canvas.rng.randint(2, 7)
    noise = Image.frombytes("L", (cells, cells), canvas.rng.randbytes(cells * cells))
    noise = noise.point([v * strength // 255 for v in range(256)])
    mask = noise.resize(image.size, Image.Resampling.BILINEAR)
    return ImageChops.add(image, Image.merge("RGB", (mask, mask, mask)), 1, -strength // 2)


def draw_on(image: Image.Image) -> ImageDraw.ImageDraw:
    """Pillow's pen for the image."""
    return ImageDraw.Draw(image)


@cache
def fonts_in(folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and held-out font files under `folder`.

    Raises:
        ValueError: No family of `HELD_OUT_FAMILIES` is there, so that nothing could be measured.
    """
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".ttf", ".otf"})
    held_out = [p for p in files if p.stem.lower().startswith(HELD_OUT_FAMILIES)]
    if not held_out:
        raise ValueError(f"{folder} has no font of these families: {', '.join(HELD_OUT_FAMILIES)}")
    return tuple(str(p) for p in files if p not in held_out), tuple(map(str, held_out))


def looks(fonts: Path) -> tuple[Look, Look]:
    """The training look and the held-out look."""
    train_fonts, held_out_fonts = fonts_in(fonts)
    train, held_out = palettes()
    return Look(train, train_fonts, VARIETY), Look(held_out, held_out_fonts, VARIETY)


@cache
def sized(path: str | None, size: int) -> Font:
    """The font file at `size` pixels; None is Pillow's own font."""
    font = ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font


def resized(font: Font, size: float) -> Font:
    """The same font at `size` pixels, rounded down."""
    return sized(font.path if isinstance(font.path, str) else None, int(size))


@cache
def _ramps() -> tuple[Image.Image, ...]:
    linear = Image.linear_gradient("L")
    diagonal = linear.rotate(45).crop((38, 38, 218, 218))
    return linear, linear.transpose(Image.Transpose.ROTATE_90), diagonal, Image.radial_gradient("L")


def _clear(share: float) -> bool:
    return abs(share - 1 / 3) > _BORDER and abs(share - 2 / 3) > _BORDER


def _thousandth(share: float) -> int:
    return min(999, max(0, int(share * 1000)))
