"""The defects of family 2 in other styles than those of `marks`."""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from glm4v_tui.demo.scenes.bodies import Body
from glm4v_tui.demo.scenes.canvas import Box, Canvas, draw_on, grey, near, shade
from glm4v_tui.demo.scenes.colours import RGB, distance
from glm4v_tui.demo.scenes.marks import blob, bounds, paste_soft, thinnest

_STAINS: tuple[RGB, ...] = (
    (139, 69, 19), (160, 82, 45), (120, 75, 30), (184, 115, 51), (150, 100, 20), (128, 128, 0),
    (110, 40, 120), (178, 60, 40), (40, 90, 170), (60, 130, 60), (200, 160, 30),
)  # fmt: skip
"""Of hard-edged stains: never near black, which a hole may be."""


def _scratch(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """One long line, or a bundle of parallel ones."""
    rng = canvas.rng
    angle, count = rng.uniform(0, math.pi), rng.choice((1, 2, 3, 4))
    ux, uy = math.cos(angle), math.sin(angle)
    gap = max(3.0, extent * rng.uniform(0.1, 0.22))
    bright = sum(body.colour) / 3
    colour = shade(body.colour, rng.choice((-120, -90, -60) if bright > 110 else (70, 100, 130)))
    if rng.random() < 0.3:
        colour = grey(255) if bright < 170 else grey(40)
    width = rng.randint(thinnest(canvas), max(1, round(0.009 * canvas.side)))
    ends: list[tuple[float, float]] = []
    for i in range(count):
        off, reach = (i - (count - 1) / 2) * gap, 1.5 * extent * rng.uniform(0.75, 1)
        line = [
            (x - reach * ux - off * uy, y - reach * uy + off * ux),
            (x + reach * ux - off * uy, y + reach * uy + off * ux),
        ]
        draw_on(body.image).line(line, fill=colour, width=width)
        ends += line
    return bounds(ends, width)


def _crack(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A thin jagged line with up to three branches, or a star of them."""
    rng = canvas.rng
    angle, steps = rng.uniform(0, math.pi), rng.randint(5, 10)
    dark = grey(0) if rng.random() < 0.4 else shade(body.colour, -130)
    if distance(dark, body.colour) < 70:
        dark = grey(0) if sum(body.colour) > 240 else shade(body.colour, 130)
    width = rng.randint(thinnest(canvas), max(1, round(0.008 * canvas.side)))
    start = (x - 1.4 * extent * math.cos(angle), y - 1.4 * extent * math.sin(angle))
    pen, points = draw_on(body.image), _jagged(canvas, start, angle, 2.8 * extent, steps)
    pen.line(points, fill=dark, width=width)
    corners = list(points)
    for _ in range(rng.randint(1, 3)):
        fork = rng.choice(points[1:-1])
        turn = angle + rng.choice((-1, 1)) * rng.uniform(0.5, 1.1)
        branch = _jagged(canvas, fork, turn, extent * rng.uniform(0.5, 1.0), 3)
        pen.line(branch, fill=dark, width=width)
        corners += branch
    return bounds(corners, width)


def _jagged(
    canvas: Canvas, start: tuple[float, float], angle: float, length: float, steps: int
) -> list[tuple[float, float]]:
    points, off = [start], 0.0
    for i in range(1, steps + 1):
        off = canvas.rng.uniform(-0.09, 0.09) * length if i < steps else 0.0
        along = length * i / steps
        points.append((
            start[0] + along * math.cos(angle) - off * math.sin(angle),
            start[1] + along * math.sin(angle) + off * math.cos(angle),
        ))  # fmt: skip
    return points


def _ellipse(
    canvas: Canvas, x: float, y: float, extent: float, flat: float
) -> list[tuple[float, float]]:
    """A smooth oval in any direction; its short axis is `flat` of the long one."""
    turn = canvas.rng.uniform(0, math.pi)
    c, s = math.cos(turn), math.sin(turn)
    points = []
    for i in range(30):
        a, b = extent * math.cos(i * math.pi / 15), extent * flat * math.sin(i * math.pi / 15)
        points.append((x + a * c - b * s, y + a * s + b * c))
    return points


def _hole(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A round, oval or torn opening: black, or what is behind."""
    rng = canvas.rng
    colour = rng.choice((grey(0), grey(10), body.behind))
    if distance(colour, body.colour) < 70:
        colour = body.behind if distance(body.behind, body.colour) >= 70 else grey(0)
    if rng.random() < 0.75:
        points = _ellipse(canvas, x, y, extent, rng.uniform(0.5, 1.0))
    else:
        points = blob(canvas, x, y, extent * 0.9, 0.22)
    pen = draw_on(body.image)
    pen.polygon(points, fill=colour)
    if rng.random() < 0.4:
        pen.line([*points, points[0]], fill=shade(body.colour, rng.choice((-70, 60))), width=2)
    return bounds(points, 0)


def _dent(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A darker round of the part's own colour with a bright and a dark rim on opposite sides."""
    rng = canvas.rng
    box = (x - extent, y - extent * rng.uniform(0.75, 1), x + extent, y + extent * 0.9)
    pen, light = draw_on(body.image), rng.choice((30, 120, 210, 300))
    width = max(2, round(extent * rng.uniform(0.1, 0.22)))
    for step in range(4):
        grow = extent * 0.2 * step
        inner = (box[0] + grow, box[1] + grow, box[2] - grow, box[3] - grow)
        pen.ellipse(inner, fill=shade(body.colour, -12 - 11 * step))
    pen.arc(box, light, light + 150, fill=shade(body.colour, rng.randint(40, 75)), width=width)
    pen.arc(
        box, light + 180, light + 330, fill=shade(body.colour, -rng.randint(60, 90)), width=width
    )
    return box


def _stain(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A hard-edged or soft coloured patch, a ring, a patch with drips, or splashes."""
    rng = canvas.rng
    fits = [c for c in _STAINS if distance(c, body.colour) > 65]
    colour = near(rng, rng.choice(fits), 12)
    pen, kind = draw_on(body.image), rng.random()
    if kind < 0.3:
        layer = Image.new("L", body.image.size, 0)
        points = blob(canvas, x, y, extent, 0.2)
        ImageDraw.Draw(layer).polygon(points, fill=rng.randint(150, 230))
        paste_soft(body.image, layer, bounds(points, 0), colour, max(1.0, extent * 0.1))
        return bounds(points, 0)
    if kind < 0.5:
        box = (x - extent, y - extent, x + extent, y + extent)
        pen.ellipse(box, outline=colour, width=max(2, round(extent * rng.uniform(0.1, 0.25))))
        return box
    if kind < 0.7:
        points = blob(canvas, x, y, extent, 0.18)
        pen.polygon(points, fill=colour)
        return bounds(points, 0)
    points = _ellipse(canvas, x, y - extent * 0.3, extent * 0.8, rng.uniform(0.7, 1))
    pen.polygon(points, fill=colour)
    for _ in range(rng.randint(2, 4)):
        r = extent * rng.uniform(0.08, 0.16)
        dx, low = extent * rng.uniform(-0.45, 0.45), y + extent * rng.uniform(0.4, 1.0)
        if kind < 0.85:
            pen.line((x + dx, y, x + dx, low), fill=colour, width=max(2, round(2 * r)))
        drop = [(x + dx - r, low - r), (x + dx + r, low + r)]
        pen.ellipse((*drop[0], *drop[1]), fill=colour)
        points += drop
    return bounds(points, 0)


def _missing(canvas: Canvas, body: Body, x: float, y: float, extent: float) -> Box:
    """A bite with a round, pointed or straight edge, or a broken-off corner."""
    rng = canvas.rng
    left, top, right, bottom = body.outline
    kind = rng.random()
    if not body.hole and kind < 0.35:
        x, y = (left if x < canvas.width / 2 else right), (top if y < canvas.height / 2 else bottom)
        dx = 1.7 * extent * (1 if x == left else -1)
        dy = 1.7 * extent * rng.uniform(0.7, 1.0) * (1 if y == top else -1)
        points = [(x, y), (x + dx, y), (x, y + dy)]
        draw_on(body.image).polygon([(x - dx / 9, y - dy / 9), *_beyond(points)], fill=body.behind)
    else:
        if kind < 0.65:
            points = _ellipse(canvas, x, y, extent * 1.1, rng.uniform(0.85, 1))
        else:
            corners = rng.choice((3, 4))
            turn = rng.choice((0.0, math.pi / 4)) if corners == 4 else rng.uniform(0, math.pi)
            if body.hole:
                turn = rng.uniform(0, math.pi)
            points = [
                (x + 1.25 * extent * math.cos(turn + i * 2 * math.pi / corners),
                 y + 1.25 * extent * math.sin(turn + i * 2 * math.pi / corners))
                for i in range(corners)
            ]  # fmt: skip
        draw_on(body.image).polygon(points, fill=body.behind)
    box = bounds(points, 0)
    return max(left, box[0]), max(top, box[1]), min(right, box[2]), min(bottom, box[3])


def _beyond(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A corner's triangle, its legs a little outside of the part so that no outline remains."""
    (x, y), (x1, _), (_, y2) = points
    dx, dy = (x1 - x) / 9, (y2 - y) / 9
    return [(x1 + dx, y - dy), (x1 + dx, y - dy), (x - dx, y2 + dy)]


def lose_teeth(body: Body, first: int, count: int) -> Box:
    """Remove `count` neighbouring teeth of a gear."""
    corners: list[tuple[float, float]] = []
    left, top, right, bottom = body.outline
    cx, cy, root = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
    for i in range(count):
        tooth = body.teeth[(first + i) % len(body.teeth)]
        grown = [(cx + (x - cx) * 1.03, cy + (y - cy) * 1.03) for x, y in tooth]
        centre = (sum(x for x, _ in grown) / 4, sum(y for _, y in grown) / 4)
        wide = [(x + 0.12 * (x - centre[0]), y + 0.12 * (y - centre[1])) for x, y in grown]
        for at in (0, 3):
            far = math.hypot(wide[at][0] - cx, wide[at][1] - cy)
            wide[at] = (
                cx + (wide[at][0] - cx) * root / far,
                cy + (wide[at][1] - cy) * root / far,
            )
        draw_on(body.image).polygon(wide, fill=body.behind)
        corners += tooth
    return bounds(corners, 0)


DAMAGE: dict[str, Callable[[Canvas, Body, float, float, float], Box]] = {
    "scratch": _scratch,
    "dent": _dent,
    "crack": _crack,
    "hole": _hole,
    "stain": _stain,
    "missing piece": _missing,
}
