"""The defects of family 2: each draws itself on a part and returns the box it covers."""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from glm4v_tui.demo.scenes.bodies import Body
from glm4v_tui.demo.scenes.canvas import Box, Canvas, draw_on, grey, near, shade
from glm4v_tui.demo.scenes.colours import RGB

_THINNEST = 1 / 280
"""Width of the thinnest line as a share of the shorter side: a pixel, as the model sees it."""


def thinnest(canvas: Canvas) -> int:
    """Width in pixels of the thinnest line that the model sees."""
    return max(1, round(_THINNEST * canvas.side))


def _scratch(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A thin straight or slightly bent line."""
    rng = canvas.rng
    angle = rng.uniform(0, math.pi)
    dx, dy = 1.5 * extent * math.cos(angle), 1.5 * extent * math.sin(angle)
    bend = rng.uniform(-0.15, 0.15) if rng.random() < 0.5 else 0.0
    points = [(x - dx, y - dy), (x - bend * dy, y + bend * dx), (x + dx, y + dy)]
    colour = shade(body.colour, rng.choice((-1, -1, 1)) * rng.randint(50, 120))
    if rng.random() < 0.25:
        colour = rng.choice((grey(0), grey(30), grey(60)))
    width = rng.randint(thinnest(canvas), max(2, round(0.012 * canvas.side)))
    draw_on(body.image).line(points, fill=colour, width=width)
    return bounds(points, width)


def _crack(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A jagged dark line with a branch."""
    rng = canvas.rng
    angle = rng.uniform(0, math.pi)
    ux, uy = math.cos(angle), math.sin(angle)
    steps = rng.randint(6, 9)
    points = []
    for i in range(steps + 1):
        along, off = extent * 1.4 * (2 * i / steps - 1), extent * rng.uniform(-0.26, 0.26)
        points.append((x + along * ux - off * uy, y + along * uy + off * ux))
    fork = points[steps // 2]
    side = rng.choice((-1, 1)) * extent * rng.uniform(0.5, 0.8)
    branch = [
        fork,
        (fork[0] - side * uy + 0.2 * extent * ux, fork[1] + side * ux + 0.2 * extent * uy),
    ]
    dark = shade(body.colour, -rng.randint(80, 150))
    pen = draw_on(body.image)
    width = rng.randint(thinnest(canvas), max(2, round(0.01 * canvas.side)))
    pen.line(points, fill=dark, width=width, joint="curve")
    pen.line(branch, fill=dark, width=width)
    return bounds(points + branch, width)


def _hole(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A round or frayed opening that shows what is behind."""
    rng = canvas.rng
    colour = rng.choice((grey(rng.randint(0, 30)), body.behind, grey(0)))
    if abs(sum(colour) - sum(body.colour)) < 120:
        colour = grey(0) if sum(body.colour) > 200 else grey(255)
    points = blob(canvas, x, y, extent * 0.9, 0.04 if rng.random() < 0.7 else 0.12)
    pen = draw_on(body.image)
    pen.polygon(points, fill=colour)
    if rng.random() < 0.5:
        pen.line([*points, points[0]], fill=shade(body.colour, rng.choice((-50, 50))), width=1)
    return bounds(points, 0)


def _dent(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A round hollow: dark on the side towards the light, bright on the far side, soft edges."""
    rng = canvas.rng
    angle = rng.uniform(0, 2 * math.pi)
    depth = rng.randint(45, 80)
    lift = extent * 0.42
    box = (x - extent, y - extent, x + extent, y + extent)
    for sign in (-1, 1):
        cx, cy = x + sign * lift * math.cos(angle), y + sign * lift * math.sin(angle)
        _soft(
            body.image, cx, cy, extent * 0.6, shade(body.colour, sign * depth), 210, extent * 0.22
        )
    return box


def _stain(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A soft brownish, dark or coloured patch."""
    rng = canvas.rng
    colour = near(
        rng, rng.choice(((95, 65, 30), (60, 45, 30), (120, 80, 20), (40, 40, 45), (90, 30, 30))), 15
    )
    if rng.random() < 0.2:
        box = (x - extent, y - extent * 0.8, x + extent, y + extent * 0.8)
        if max(colour) < 105:  # hard-edged and dark it would be a hole
            colour = (135, 85, 35)
        draw_on(body.image).ellipse(box, fill=colour)
        return box
    layer = Image.new("L", body.image.size, 0)
    points = blob(canvas, x, y, extent, 0.16)
    ImageDraw.Draw(layer).polygon(points, fill=rng.randint(130, 210))
    box = bounds(points, 0)
    paste_soft(body.image, layer, box, colour, max(1.0, extent * 0.12))
    return box


def _missing(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A bite out of the edge, filled with what is behind the part."""
    points = blob(canvas, x, y, extent * 1.15, 0.14)
    draw_on(body.image).polygon(points, fill=body.behind)
    left, top, right, bottom = body.outline
    box = bounds(points, 0)
    return max(left, box[0]), max(top, box[1]), min(right, box[2]), min(bottom, box[3])


def blob(
    canvas: Canvas, x: float, y: float, radius: float, rough: float
) -> list[tuple[float, float]]:
    """A closed outline of 18 corners; the radius varies by a share of `rough`."""
    rng = canvas.rng
    corners = []
    for i in range(18):
        r = radius * (1 + rng.uniform(-rough, rough))
        corners.append((x + r * math.cos(i * math.pi / 9), y + r * math.sin(i * math.pi / 9)))
    return corners


def _soft(
    image: Image.Image, x: float, y: float, radius: float, colour: RGB, alpha: int, blur: float
) -> None:
    layer = Image.new("L", image.size, 0)
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(layer).ellipse(box, fill=alpha)
    paste_soft(image, layer, box, colour, max(1.0, blur))


def paste_soft(image: Image.Image, layer: Image.Image, box: Box, colour: RGB, blur: float) -> None:
    """Lay `colour` on the image through the blurred layer, in the box and the blur's reach."""
    reach = 2 * blur + 2
    region = (
        max(0, int(box[0] - reach)),
        max(0, int(box[1] - reach)),
        min(image.width, int(box[2] + reach) + 1),
        min(image.height, int(box[3] + reach) + 1),
    )
    if region[0] >= region[2] or region[1] >= region[3]:
        return
    mask = layer.crop(region).filter(ImageFilter.BoxBlur(blur))
    image.paste(colour, region, mask)


def bounds(points: list[tuple[float, float]], width: float) -> Box:
    """The box around lines of that width."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    half = width / 2
    return min(xs) - half, min(ys) - half, max(xs) + half, max(ys) + half


MARKS: dict[str, Callable[[Canvas, Body, float, float, float], Box]] = {
    "scratch": _scratch,
    "dent": _dent,
    "crack": _crack,
    "hole": _hole,
    "stain": _stain,
    "missing piece": _missing,
}
