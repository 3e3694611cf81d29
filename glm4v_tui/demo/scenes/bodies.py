"""The parts of family 2 before they are damaged."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from glm4v_tui.demo.scenes.canvas import Box, Canvas, draw_on, gradient, grey, near, shade
from glm4v_tui.demo.scenes.colours import RGB


@dataclass(slots=True)
class Body:
    """A drawn part: its picture, mean colour, the colour behind it and where defects may lie."""

    image: Image.Image
    colour: RGB
    behind: RGB
    outline: Box
    hole: float = 0.0
    """Radius of a round part's own hole, 0 for the others."""
    is_toothed: bool = False
    """Whether a small bite out of the edge would look like a gap between its teeth."""
    features: list[Box] = field(default_factory=list)
    """Screws, bores and print that belong to the part; no defect covers them."""
    is_printed: bool = False
    """Whether there is print on it: a part number, a name on a chip."""
    teeth: list[list[tuple[float, float]]] = field(default_factory=list)
    """Corners of the teeth of a gear in another style: two at the root, two at the tip."""


def _frame(canvas: Canvas) -> Box:
    """Where a rectangular part lies: the whole canvas, or a rectangle inside it."""
    rng = canvas.rng
    if rng.random() < 0.3:
        return 0, 0, canvas.width - 1, canvas.height - 1
    dx, dy = canvas.width * rng.uniform(0.03, 0.14), canvas.height * rng.uniform(0.03, 0.14)
    return dx, dy, canvas.width - dx, canvas.height - dy


def _behind(canvas: Canvas, part: RGB) -> RGB:
    """A colour for what is behind the part, far from the part's own."""
    bright = sum(part) > 380
    return (
        grey(canvas.rng.choice((0, 20, 40, 60)))
        if bright
        else grey(canvas.rng.choice((255, 255, 240, 225)))
    )


def _rectangle(canvas: Canvas, colour: RGB, texture: Image.Image) -> Body:
    """The texture in a rectangle on a plain ground."""
    behind = _behind(canvas, colour)
    outline = _frame(canvas)
    image = Image.new("RGB", (canvas.width, canvas.height), behind)
    mask = Image.new("L", image.size, 0)
    round_off = canvas.rng.choice((0, 0, 0.04 * canvas.side))
    ImageDraw.Draw(mask).rounded_rectangle(outline, round_off, fill=255)
    image.paste(texture, (0, 0), mask)
    return Body(image, colour, behind, outline)


def _metal(canvas: Canvas) -> Body:
    rng = canvas.rng
    colour = near(rng, grey(rng.randint(110, 205)), 6)
    texture = gradient(
        canvas, shade(colour, -rng.randint(0, 30)), shade(colour, rng.randint(0, 30))
    )
    if rng.random() < 0.45:
        _brushed(canvas, texture, colour)
    if rng.random() < 0.3:
        texture = Image.new("RGB", texture.size, colour)
    return _rectangle(canvas, colour, texture)


def _brushed(canvas: Canvas, texture: Image.Image, colour: RGB) -> None:
    """Faint full-width lines as a brush leaves them."""
    pen = draw_on(texture)
    for _ in range(40):
        y = canvas.rng.uniform(0, canvas.height)
        pen.line((0, y, canvas.width, y), fill=shade(colour, canvas.rng.randint(-12, 12)), width=1)


def _tile(canvas: Canvas) -> Body:
    rng = canvas.rng
    colour = near(
        rng, rng.choice(((228, 222, 205), (235, 235, 235), (170, 195, 205), (190, 150, 120))), 12
    )
    texture = Image.new("RGB", (canvas.width, canvas.height), colour)
    body = _rectangle(canvas, colour, texture)
    left, top, right, bottom = body.outline
    inset = 0.035 * canvas.side
    pen = draw_on(body.image)
    pen.rectangle(
        (left + inset, top + inset, right - inset, bottom - inset),
        outline=shade(colour, 25),
        width=2,
    )
    pen.rectangle((left, top, right, bottom), outline=shade(colour, -45), width=2)
    return body


def _fabric(canvas: Canvas) -> Body:
    """Woven threads: light and dark lines in both directions."""
    rng = canvas.rng
    colour = (rng.randint(70, 210), rng.randint(70, 200), rng.randint(70, 210))
    texture = Image.new("RGB", (canvas.width, canvas.height), colour)
    pen = draw_on(texture)
    step = rng.randint(5, 9)
    dark, light = shade(colour, -22), shade(colour, 18)
    for x in range(0, canvas.width, step):
        pen.line((x, 0, x, canvas.height), fill=dark, width=max(1, step // 3))
    for y in range(0, canvas.height, step):
        pen.line((0, y, canvas.width, y), fill=light, width=max(1, step // 3))
    return _rectangle(canvas, colour, texture)


def _board(canvas: Canvas) -> Body:
    """A printed circuit board: traces, pads and chips on solder mask."""
    rng = canvas.rng
    colour = near(rng, rng.choice(((20, 105, 55), (20, 105, 55), (25, 60, 130), (130, 30, 35))), 12)
    texture = Image.new("RGB", (canvas.width, canvas.height), colour)
    pen = draw_on(texture)
    trace, pad = shade(colour, 32), (200, 170, 90)
    unit = canvas.side / 20
    for _ in range(rng.randint(6, 12)):
        x, y = rng.uniform(0, canvas.width), rng.uniform(0, canvas.height)
        dx = rng.choice((-1, 1)) * rng.uniform(3, 9) * unit
        points = [
            (x, y),
            (x + dx, y),
            (x + dx + 2 * unit, y + 2 * unit),
            (x + dx + 2 * unit, y + 6 * unit),
        ]
        pen.line(points, fill=trace, width=2)
        pen.ellipse((x - 0.35 * unit, y - 0.35 * unit, x + 0.35 * unit, y + 0.35 * unit), fill=pad)
    for _ in range(rng.randint(1, 3)):
        x, y = rng.uniform(0.1, 0.8) * canvas.width, rng.uniform(0.1, 0.8) * canvas.height
        w, h = rng.uniform(1.5, 3.5) * unit, rng.uniform(1.5, 3.5) * unit
        for i in range(4):
            pen.line(
                (x - 4, y + (i + 0.5) * h / 4, x + w + 4, y + (i + 0.5) * h / 4),
                fill=grey(190),
                width=1,
            )
        pen.rectangle((x, y, x + w, y + h), fill=grey(rng.randint(35, 50)), outline=grey(75))
    return _rectangle(canvas, colour, texture)


def _washer(canvas: Canvas) -> Body:
    return _round(canvas, teeth=0)


def _gear(canvas: Canvas) -> Body:
    return _round(canvas, teeth=canvas.rng.randint(9, 18))


def _round(canvas: Canvas, teeth: int) -> Body:
    """A ring with a bore, with teeth for a gear."""
    rng = canvas.rng
    colour = near(rng, rng.choice((grey(rng.randint(110, 190)), (185, 160, 95), (150, 110, 75))), 8)
    behind = _behind(canvas, colour)
    texture = gradient(
        canvas, shade(colour, -rng.randint(0, 25)), shade(colour, rng.randint(0, 25))
    )
    radius = rng.uniform(0.38, 0.46) * canvas.side
    bore = radius * (rng.uniform(0.16, 0.3) if teeth else rng.uniform(0.28, 0.45))
    slack_x, slack_y = canvas.width / 2 - radius * 1.04, canvas.height / 2 - radius * 1.04
    cx = canvas.width / 2 + rng.uniform(-1, 1) * max(0, slack_x)
    cy = canvas.height / 2 + rng.uniform(-1, 1) * max(0, slack_y)
    mask = Image.new("L", (canvas.width, canvas.height), 0)
    pen = ImageDraw.Draw(mask)
    pen.polygon(_toothed(cx, cy, radius, teeth), fill=255)
    pen.ellipse((cx - bore, cy - bore, cx + bore, cy + bore), fill=0)
    image = Image.new("RGB", mask.size, behind)
    image.paste(texture, (0, 0), mask)
    if rng.random() < 0.6:
        rim = radius * rng.uniform(0.66, 0.8)
        draw_on(image).ellipse(
            (cx - rim, cy - rim, cx + rim, cy + rim), outline=shade(colour, -25), width=2
        )
    body_radius = radius * (0.9 if teeth else 1.0)
    outline = (cx - body_radius, cy - body_radius, cx + body_radius, cy + body_radius)
    return Body(image, colour, behind, outline, bore, teeth > 0)


def _toothed(cx: float, cy: float, radius: float, teeth: int) -> list[tuple[float, float]]:
    if not teeth:
        steps = [(i * math.pi / 36, radius) for i in range(72)]
    else:
        pitch = 2 * math.pi / teeth
        profile = ((0.0, 0.85), (0.15, 1.0), (0.45, 1.0), (0.6, 0.85))
        steps = [((i + at) * pitch, radius * r) for i in range(teeth) for at, r in profile]
    return [(cx + r * math.cos(a), cy + r * math.sin(a)) for a, r in steps]


BODIES: dict[str, Callable[[Canvas], Body]] = {
    "metal plate": _metal,
    "washer": _washer,
    "gear": _gear,
    "fabric": _fabric,
    "circuit board": _board,
    "ceramic tile": _tile,
}
