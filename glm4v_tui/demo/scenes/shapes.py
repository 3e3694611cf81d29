"""Family 1: one to six coloured shapes on a background."""

import math
import random
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageFilter

from glm4v_tui.demo.scenes.canvas import (
    Box,
    Canvas,
    blotches,
    box_of,
    draw_on,
    gradient,
    grey,
    near,
    place_of,
    shade,
)
from glm4v_tui.demo.scenes.colours import COLOURS, CSS, RGB, distance
from glm4v_tui.demo.scenes.layouts import any_layout

_Points: TypeAlias = list[tuple[float, float]]

KINDS = ("circle", "square", "triangle", "rectangle", "oval", "star", "diamond", "hexagon", "cross")
SIZES = ("small", "medium", "large")

_RADIUS = {"small": (0.045, 0.075), "medium": (0.10, 0.14), "large": (0.185, 0.34)}
"""Radius of each size as a share of the shorter side; the gaps keep the words unambiguous."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One drawn shape.

    `x` and `y` are its centre as shares of the image, `area` is its radius squared in pixels.
    """

    kind: str
    colour: str
    size: str
    place: str
    x: float
    y: float
    area: float
    box: list[int]


@dataclass(frozen=True, slots=True)
class ShapesFacts:
    """What one image of family 1 shows; shapes in reading order."""

    shapes: tuple[Shape, ...]
    background: str | None
    """Name of the background's colour, None where it has no single one."""


def draw_shapes(canvas: Canvas) -> tuple[Image.Image, ShapesFacts]:
    """A new scene: the image and its facts."""
    if canvas.varied():
        return _draw_varied(canvas)
    rng = canvas.rng
    image, base, name = _background(canvas)
    count = 0 if rng.random() < 0.02 else rng.choices((1, 2, 3, 4, 5, 6), (3, 5, 5, 4, 3, 2))[0]
    usable = [c for c in COLOURS if c != name]
    if rng.random() < 0.35:
        usable = rng.sample(usable, 2)
    plain = rng.random() < 0.5
    kinds = KINDS if rng.random() < 0.7 else tuple(rng.sample(KINDS, 2))
    placed: list[tuple[float, float, float]] = []
    shapes: list[Shape] = []
    for _ in range(count):
        size = rng.choice(SIZES)
        spot = _free_spot(canvas, size, placed)
        if spot is None:
            continue
        placed.append(spot)
        colour = rng.choice(usable)
        fill = canvas.look.palette.pick(rng, colour)
        if distance(fill, base) < 48:
            fill = CSS[colour]
        plan = _Plan(rng.choice(kinds), colour, size, fill, *spot, plain)
        shapes.append(_draw(canvas, image, plan))
    if not plain and rng.random() < 0.4:
        image = blotches(canvas, image, rng.randint(10, 40))
    shapes.sort(key=lambda s: (int(3 * s.y), s.x))
    return image, ShapesFacts(tuple(shapes), name)


def _draw_varied(canvas: Canvas) -> tuple[Image.Image, ShapesFacts]:
    """A row, column, grid, overlapping pair or free scene in one of more drawing styles."""
    rng = canvas.rng
    by_hand = rng.random() < 0.5
    image, base, name = _hand_background(canvas) if by_hand else _background(canvas)
    style = _style(rng, by_hand)
    usable = [c for c in COLOURS if c != name and distance(CSS[c], base) >= 60]
    if style.hollow:
        usable = [c for c in usable if c not in {"white", "black"}]
    colours = rng.sample(usable, rng.choices((1, 2, 3, len(usable)), (3, 2, 2, 6))[0])
    kinds = rng.sample(KINDS, rng.choices((1, 2, 3, len(KINDS)), (4, 2, 2, 6))[0])
    shapes: list[Shape] = []
    for size, (x, y, radius), other in any_layout(canvas):
        colour = rng.choice(colours)
        if other is not None and colour == shapes[other].colour:
            colour = rng.choice([c for c in usable if c != colour])
        fill = CSS[colour] if by_hand else canvas.look.palette.pick(rng, colour)
        if distance(fill, base) < 48:
            fill = CSS[colour]
        plan = _Plan(rng.choice(kinds), colour, size, fill, x, y, radius, by_hand, style)
        shapes.append(_draw(canvas, image, plan))
    if rng.random() < 0.07:
        image = image.filter(ImageFilter.BoxBlur(canvas.side * rng.uniform(0.003, 0.009)))
    elif not by_hand and rng.random() < 0.3:
        image = blotches(canvas, image, rng.randint(10, 40))
    shapes.sort(key=lambda s: (int(3 * s.y), s.x))
    return image, ShapesFacts(tuple(shapes), name)


def _hand_background(canvas: Canvas) -> tuple[Image.Image, RGB, str | None]:
    """White, or the exact value of another named colour."""
    name = "white" if canvas.rng.random() < 0.5 else canvas.rng.choice(COLOURS)
    return Image.new("RGB", (canvas.width, canvas.height), CSS[name]), CSS[name], name


def _style(rng: random.Random, by_hand: bool) -> "_Style":
    """How every shape of a varied scene is drawn."""
    kind = rng.random()
    if kind < 0.08:
        return _Style(hollow=rng.uniform(0.1, 0.28), turned=not by_hand)
    if kind < (0.65 if by_hand else 0.35):
        return _Style(turned=rng.random() < 0.25)
    edge = rng.choice((grey(0), grey(0), grey(0), grey(255), grey(60)))
    stroke = rng.uniform(0.12, 0.24) if kind > 0.88 else rng.uniform(0.03, 0.1)
    return _Style(edge=edge, stroke=stroke, turned=rng.random() < 0.5)


def _background(canvas: Canvas) -> tuple[Image.Image, RGB, str | None]:
    """A background, its mean colour and the name of it where it has one."""
    rng = canvas.rng
    size = (canvas.width, canvas.height)
    kind = rng.random()
    if kind < 0.35:
        base = rng.choice(
            ((255, 255, 255), (255, 255, 255), canvas.look.palette.pick(rng, "white"))
        )
        return Image.new("RGB", size, base), base, "white"
    if kind < 0.62:
        name = rng.choice(COLOURS)
        base = canvas.look.palette.pick(rng, name)
        return Image.new("RGB", size, base), base, name
    pale = rng.random() < 0.6
    base = near(rng, grey(205 if pale else 40), 35)
    if kind < 0.85:
        return gradient(canvas, base, near(rng, base, 35)), base, None
    image = Image.new("RGB", size, base)
    _pattern(canvas, image, near(rng, base, 18))
    return image, base, None


def _pattern(canvas: Canvas, image: Image.Image, colour: RGB) -> None:
    """Faint stripes or dots."""
    pen = draw_on(image)
    step = canvas.rng.randint(8, 40)
    if canvas.rng.random() < 0.5:
        slant = canvas.rng.randint(-60, 60)
        for x in range(-60, canvas.width + 60, 2 * step):
            pen.line((x, 0, x + slant, canvas.height), fill=colour, width=step)
        return
    for x in range(0, canvas.width, step):
        for y in range(0, canvas.height, step):
            pen.ellipse((x, y, x + step // 3, y + step // 3), fill=colour)


def _free_spot(
    canvas: Canvas, size: str, placed: list[tuple[float, float, float]]
) -> tuple[float, float, float] | None:
    """Centre and radius of a new shape that at most touches the ones before it."""
    rng = canvas.rng
    radius = rng.uniform(*_RADIUS[size]) * canvas.side
    closeness = 0.95 if rng.random() < 0.15 else 1.1
    for _ in range(30):
        x, y = canvas.spot(radius * 1.03, radius * 1.03)
        if all(math.hypot(x - a, y - b) > closeness * (radius + r) for a, b, r in placed):
            return x, y, radius
    return None


@dataclass(frozen=True, slots=True)
class _Style:
    """How a varied scene is drawn; widths of lines are shares of a shape's radius."""

    edge: RGB | None = None
    stroke: float = 0.0
    hollow: float = 0.0
    """Width of the line of a shape that is drawn as a line only, 0 for filled ones."""
    turned: bool = False
    """Whether rectangles and ovals lie at any angle."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A shape about to be drawn: centre and radius in pixels; plain ones are upright and flat."""

    kind: str
    colour: str
    size: str
    fill: RGB
    x: float
    y: float
    radius: float
    plain: bool
    style: _Style | None = None


def _draw(canvas: Canvas, image: Image.Image, plan: _Plan) -> Shape:
    """Draw the shape and say what it is."""
    points = _outline(canvas, plan)
    _paint(canvas, image, plan, points)
    return Shape(
        kind=plan.kind,
        colour=plan.colour,
        size=plan.size,
        place=place_of(plan.x, plan.y, canvas),
        x=plan.x / canvas.width,
        y=plan.y / canvas.height,
        area=plan.radius**2,
        box=box_of(_bounds(points), canvas),
    )


def _paint(canvas: Canvas, image: Image.Image, plan: _Plan, points: _Points) -> None:
    """Fill the outline, now and then with a shadow, an edge, or only as a thick line."""
    if plan.style is not None:
        _paint_varied(image, plan, plan.style, points)
        return
    rng, fill, radius = canvas.rng, plan.fill, plan.radius
    pen = draw_on(image)
    if not plan.plain and rng.random() < 0.2:
        shadow = [(x + radius * 0.1, y + radius * 0.12) for x, y in points]
        pen.polygon(shadow, fill=shade(fill, -70))
    stroke = max(1, round(radius * rng.uniform(0.03, 0.1))) if rng.random() < 0.25 else 0
    edge = rng.choice((grey(0), grey(0), grey(255), shade(fill, -60)))
    hollow = rng.random() < 0.05 and plan.size != "small"
    if hollow and plan.colour not in {"white", "black"}:
        width = max(3, round(radius * 0.2))
        pen.line([*points, points[0], points[1]], fill=fill, width=width, joint="curve")
    elif plan.kind in {"circle", "oval"} and plan.plain:
        outline = edge if stroke else None
        pen.ellipse(_bounds(points), fill=fill, outline=outline, width=max(1, stroke))
    else:
        pen.polygon(points, fill=fill)
        if stroke:
            pen.line([*points, points[0]], fill=edge, width=stroke, joint="curve")


def _paint_varied(image: Image.Image, plan: _Plan, style: _Style, points: _Points) -> None:
    """Fill the outline, draw its edge, or draw it as a line only."""
    pen = draw_on(image)
    if style.hollow:
        width = max(2, round(plan.radius * style.hollow))
        if plan.kind == "circle":
            pen.ellipse(_bounds(points), outline=plan.fill, width=width)
        else:
            pen.line([*points, *points[:2]], fill=plan.fill, width=width, joint="curve")
        return
    if plan.kind == "circle":
        pen.ellipse(_bounds(points), fill=plan.fill)
    else:
        pen.polygon(points, fill=plan.fill)
    if style.edge is not None and distance(style.edge, plan.fill) > 60:
        width = max(1, round(plan.radius * style.stroke))
        pen.line([*points, *points[:2]], fill=style.edge, width=width, joint="curve")


def _bounds(points: _Points) -> Box:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def _outline(canvas: Canvas, plan: _Plan) -> _Points:
    """The corners of the shape around its centre, rotated a little unless it is drawn plainly."""
    rng, kind = canvas.rng, plan.kind
    long = rng.uniform(0.36, 0.64)
    flat = rng.random() < 0.65
    sx, sy = (1.0, long) if flat else (long, 1.0)
    turn = 0.0 if plan.plain or kind == "diamond" else math.radians(rng.uniform(-14, 14))
    if kind in {"triangle", "hexagon", "star"} and rng.random() < 0.25:
        turn = rng.uniform(0, 2 * math.pi)
    corners = _unit(kind, rng.uniform(0.36, 0.5), rng.uniform(0.26, 0.4))
    if plan.style is not None:
        if kind in {"oval", "rectangle"} and plan.style.turned:
            turn = rng.uniform(0, 2 * math.pi)
        if kind == "diamond":
            wide = rng.uniform(0.6, 1.0)
            corners = [(0.0, -1.0), (wide, 0.0), (0.0, 1.0), (-wide, 0.0)]
    if kind in {"oval", "rectangle"}:
        corners = [(px * sx, py * sy) for px, py in corners]
    c, s = math.cos(turn), math.sin(turn)
    turned = [(px * c - py * s, px * s + py * c) for px, py in corners]
    return [(plan.x + plan.radius * px, plan.y + plan.radius * py) for px, py in turned]


def _unit(kind: str, star: float, arm: float) -> _Points:
    """Corners of the shape in the unit circle.

    `star` is the inner radius of a star, `arm` half the width of a cross's bar.
    """
    if kind in {"circle", "oval"}:
        return _ring(36, 0.0)
    if kind in {"square", "rectangle"}:
        half = 0.85 if kind == "square" else 1.0
        return [(-half, -half), (half, -half), (half, half), (-half, half)]
    if kind == "triangle":
        return [(0.0, -0.95), (0.95, 0.8), (-0.95, 0.8)]
    if kind == "diamond":
        return [(0.0, -1.0), (0.72, 0.0), (0.0, 1.0), (-0.72, 0.0)]
    if kind == "hexagon":
        return _ring(6, 0.0)
    if kind == "star":
        outer, inner = _ring(5, -math.pi / 2), _ring(5, -math.pi / 2 + math.pi / 5)
        return [
            p for o, i in zip(outer, inner, strict=True) for p in (o, (i[0] * star, i[1] * star))
        ]
    a = arm
    return [
        (-a, -1),
        (a, -1),
        (a, -a),
        (1, -a),
        (1, a),
        (a, a),
        (a, 1),
        (-a, 1),
        (-a, a),
        (-1, a),
        (-1, -a),
        (-a, -a),
    ]


def _ring(corners: int, start: float) -> _Points:
    step = 2 * math.pi / corners
    return [(math.cos(start + i * step), math.sin(start + i * step)) for i in range(corners)]
