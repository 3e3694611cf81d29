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
from glm4v_tui.demo.scenes.words import any_brand, any_name, any_price, any_weight, open_line

_MOST_LINES = 7
_TILT = 4.0
"""Largest rotation in degrees."""
_CARDS: tuple[RGB, ...] = (
    grey(255), grey(255), grey(255), grey(0), grey(0), (0, 0, 128), (0, 100, 0), (139, 0, 0),
    (255, 255, 0), (255, 165, 0), (200, 30, 30), (30, 60, 160), (255, 228, 196), (173, 216, 230),
    (144, 238, 144), (75, 0, 130), grey(50), (255, 192, 203),
)  # fmt: skip
"""Grounds of signs and cards, white on black included."""


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What one image of family 5 shows: its lines from the top down."""

    lines: tuple[str, ...]


def draw_sheet(canvas: Canvas) -> tuple[Image.Image, SheetFacts]:
    """A new sheet: the image and its facts."""
    if canvas.varied():
        return _draw_varied(canvas)
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


def _draw_varied(canvas: Canvas) -> tuple[Image.Image, SheetFacts]:
    """A note, sign or card: open words, one to seven lines, one alignment."""
    rng = canvas.rng
    size_of_all = (canvas.width, canvas.height)
    ground = rng.choice(_CARDS) if rng.random() < 0.7 else _ground(canvas)[1]
    image = Image.new("RGB", size_of_all, ground)
    ink, pen = ink_on(rng, ground), draw_on(image)
    room = canvas.width * rng.uniform(0.75, 0.95)
    left = (canvas.width - room) / 2
    readable = room * 0.13 * 280 / (canvas.width * canvas.height) ** 0.5
    count = rng.choices((1, 2, 3, 4, 5, 6, 7), (7, 4, 4, 3, 3, 2, 1))[0]
    pitch = canvas.height * rng.uniform(0.6, 0.94) / count
    most = canvas.side * (rng.uniform(0.08, 0.3) if count < 4 else rng.uniform(0.06, 0.15))
    font_of_all = canvas.font(40, "€")
    anchor, x = rng.choice((("lm", left), ("mm", canvas.width / 2), ("rm", left + room)))
    if rng.random() < 0.2:
        frame = canvas.side * 0.015
        box = (frame, frame, canvas.width - frame, canvas.height - frame)
        pen.rectangle(box, outline=ink, width=max(1, round(frame)))
    at = rng.uniform(0.4, 0.6) * (canvas.height - count * pitch) + pitch / 2
    lines: list[str] = []
    for _ in range(count):
        text = _short(rng, readable)
        font = font_of_all if rng.random() < 0.7 else canvas.font(40, "€")
        size = min(most * rng.choice((1.0, 1.0, 0.75)), pitch * 0.8)
        length = resized(font, size).getlength(text)
        font = resized(font, max(9, size * min(1.0, room / max(1, length))))
        colour = ink if rng.random() < 0.85 else ink_on(rng, ground)
        pen.text((x, at), text, font=font, fill=colour, anchor=anchor)
        lines.append(text)
        at += pitch
    if rng.random() < 0.15:
        image = blotches(canvas, image, rng.randint(8, 30))
    if rng.random() < 0.15:
        tilt = rng.uniform(-_TILT, _TILT)
        image = image.rotate(tilt, Image.Resampling.BILINEAR, fillcolor=ground)
    return image, SheetFacts(tuple(lines))


def _short(rng: random.Random, most: float) -> str:
    """An open line of at most that many characters, or a line of the plain sheets."""
    for _ in range(9):
        text = open_line(rng) if rng.random() < 0.9 else _line(rng)
        if len(text) <= most:
            break
    return text


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
