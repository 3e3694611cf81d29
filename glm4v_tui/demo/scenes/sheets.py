"""Family 5: plain sheets of print, from which reading is learnt."""

import random
from dataclasses import dataclass

from PIL import Image

from glm4v_tui.demo.scenes.canvas import (
    Canvas,
    blotches,
    draw_on,
    gradient,
    grey,
    ink_on,
    near,
    resized,
    shade,
)
from glm4v_tui.demo.scenes.colours import RGB
from glm4v_tui.demo.scenes.words import any_brand, any_name, any_price, any_weight

_MOST_LINES = 7
_TILT = 4.0
"""Largest rotation in degrees."""


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What one image of family 5 shows: its lines from the top down."""

    lines: tuple[str, ...]


def draw_sheet(canvas: Canvas) -> tuple[Image.Image, SheetFacts]:
    """A new sheet: the image and its facts."""
    rng = canvas.rng
    image, ground = _ground(canvas)
    font_of_all = None if rng.random() < 0.5 else canvas.font(40, "€")
    ink = ink_on(rng, ground)
    lines: list[str] = []
    at = canvas.height * rng.uniform(0.02, 0.08)
    while len(lines) < _MOST_LINES:
        size = canvas.side * rng.uniform(0.055, 0.16)
        text = _line(rng)
        font = resized(font_of_all, size) if font_of_all else canvas.font(size, "€")
        length = font.getlength(text)
        room = canvas.width * 0.94
        if length > room:
            size *= room / length
            font = resized(font, max(9, size))
            length = font.getlength(text)
        if at + size * 1.1 > canvas.height * 0.98:
            break
        x = canvas.width * 0.03 + max(0.0, room - length) * rng.choice((0, 0.5, rng.random()))
        colour = ink
        if rng.random() < 0.12:
            bar = near(rng, shade(ground, rng.choice((-90, 90))), 40)
            draw_on(image).rectangle((0, at, canvas.width, at + size * 1.1), fill=bar)
            colour = ink_on(rng, bar)
        elif rng.random() < 0.15:
            colour = ink_on(rng, ground)
        draw_on(image).text((x, at + size * 0.55), text, font=font, fill=colour, anchor="lm")
        lines.append(text)
        at += size * rng.uniform(1.1, 1.9)
    if rng.random() < 0.2:
        image = blotches(canvas, image, rng.randint(8, 30))
    if rng.random() < 0.2:
        tilt = rng.uniform(-_TILT, _TILT)
        image = image.rotate(tilt, Image.Resampling.BILINEAR, fillcolor=ground)
    return image, SheetFacts(tuple(lines))


def _ground(canvas: Canvas) -> tuple[Image.Image, RGB]:
    rng = canvas.rng
    r, g, b = rng.randbytes(3)
    base = (r, g, b) if rng.random() < 0.4 else near(rng, grey(rng.choice((250, 240, 215, 30))), 12)
    if rng.random() < 0.6:
        return Image.new("RGB", (canvas.width, canvas.height), base), base
    return gradient(canvas, base, shade(base, rng.randint(-30, 30))), base


def _line(rng: random.Random) -> str:
    """A brand, a price, a weight, a name, digits, or small letters."""
    kind = rng.random()
    if kind < 0.36:
        return any_brand(rng)
    if kind < 0.58:
        return any_price(rng)
    if kind < 0.76:
        return any_weight(rng)
    if kind < 0.84:
        return any_name(rng)[0]
    if kind < 0.92:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(2, 8)))
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 9)))
