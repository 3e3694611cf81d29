"""The packages of family 3 before anything is printed on them."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from glm4v_tui.demo.scenes.canvas import Box, Canvas, draw_on, grey, near, shade
from glm4v_tui.demo.scenes.colours import RGB


@dataclass(frozen=True, slots=True)
class Package:
    """A drawn package: where text may be printed on it, and its colour there."""

    panel: Box
    colour: RGB


def _span(canvas: Canvas, bottom: float, aspect: tuple[float, float]) -> Box:
    """A package's outline: as tall as the room allows, its width a share of it."""
    rng = canvas.rng
    top = canvas.height * rng.uniform(0.01, 0.08)
    height = bottom - top
    width = min(
        canvas.width * 0.96,
        max(height * rng.uniform(*aspect), canvas.width * rng.uniform(0.55, 0.85)),
    )
    left = (canvas.width - width) * rng.uniform(0.2, 0.8)
    return left, top, left + width, bottom


def _box(canvas: Canvas, image: Image.Image, fill: RGB, bottom: float) -> Package:
    """Cardboard: a front, often with a side and a top seen at an angle."""
    left, top, right, bottom = _span(canvas, bottom, (0.6, 1.0))
    pen = draw_on(image)
    if canvas.rng.random() < 0.75:
        depth = canvas.side * canvas.rng.uniform(0.03, 0.08)
        right -= depth
        top += depth * 0.7
        lift = depth * 0.7
        side = [
            (right, top),
            (right + depth, top - lift),
            (right + depth, bottom - lift),
            (right, bottom),
        ]
        lid = [(left, top), (left + depth, top - lift), (right + depth, top - lift), (right, top)]
        pen.polygon(side, fill=shade(fill, -45))
        pen.polygon(lid, fill=shade(fill, 30))
    pen.rectangle((left, top, right, bottom), fill=fill)
    return Package((left, top, right, bottom), fill)


def _jar(canvas: Canvas, image: Image.Image, fill: RGB, bottom: float) -> Package:
    """Glass: a rounded see-through body with a neck, a lid, bright streaks and a coloured label."""
    rng = canvas.rng
    left, top, right, bottom = _span(canvas, bottom, (0.5, 0.8))
    width, height = right - left, bottom - top
    glass = near(rng, rng.choice(((205, 230, 225), (185, 215, 190), (160, 110, 60))), 10)
    pen = draw_on(image)
    neck = width * rng.uniform(0.15, 0.27)
    shoulder = top + height * 0.2
    pen.rectangle(
        (left + neck, top + height * 0.07, right - neck, shoulder + 5), fill=shade(glass, -12)
    )
    pen.rectangle(
        (left + neck - 3, top, right - neck + 3, top + height * 0.08), fill=shade(fill, -50)
    )
    pen.rounded_rectangle(
        (left, top + height * 0.14, right, bottom),
        width * 0.13,
        fill=glass,
        outline=shade(glass, -50),
    )
    for at in (0.03, 0.94):
        x = left + at * width
        pen.line(
            (x, shoulder, x, bottom - height * 0.06),
            fill=shade(glass, 45),
            width=max(2, round(width * 0.018)),
        )
    panel = (left + width * 0.03, top + height * 0.25, right - width * 0.03, bottom - height * 0.07)
    pen.rectangle(panel, fill=fill)
    return Package(panel, fill)


def _can(canvas: Canvas, image: Image.Image, fill: RGB, bottom: float) -> Package:
    """Metal: a cylinder with grey rims and round ends."""
    left, top, right, bottom = _span(canvas, bottom, (0.6, 0.85))
    curve = min((right - left) * 0.09, (bottom - top) * 0.08)
    pen = draw_on(image)
    steel = near(canvas.rng, grey(180), 12)
    pen.ellipse((left, bottom - 2 * curve, right, bottom), fill=shade(steel, -25))
    pen.rectangle((left, top + curve, right, bottom - curve), fill=fill)
    rim = (bottom - top) * 0.05
    pen.rectangle((left, bottom - curve - rim, right, bottom - curve), fill=shade(steel, -15))
    pen.rectangle((left, top + curve, right, top + curve + rim), fill=shade(steel, -15))
    pen.ellipse((left, top, right, top + 2 * curve), fill=steel, outline=shade(steel, -60))
    inset = curve * 0.4
    pen.ellipse(
        (left + inset * 2, top + inset, right - inset * 2, top + 2 * curve - inset),
        outline=shade(steel, -40),
    )
    return Package((left, top + 2 * curve + rim * 0.3, right, bottom - curve - rim), fill)


def _pouch(canvas: Canvas, image: Image.Image, fill: RGB, bottom: float) -> Package:
    """Plastic: a bag with zigzag seals and glossy streaks."""
    left, top, right, bottom = _span(canvas, bottom, (0.6, 0.9))
    height, teeth = bottom - top, 14
    step = (right - left) / (2 * teeth)
    tooth = height * 0.02
    upper = [(left + i * step, top + (tooth if i % 2 else 0)) for i in range(2 * teeth + 1)]
    lower = [(right - i * step, bottom - (tooth if i % 2 else 0)) for i in range(2 * teeth + 1)]
    pen = draw_on(image)
    pen.polygon(upper + lower, fill=fill)
    for y in (top + height * 0.06, bottom - height * 0.06):
        pen.line((left, y, right, y), fill=shade(fill, -40), width=2)
        pen.line((left, y - 3, right, y - 3), fill=shade(fill, 35), width=1)
    shine = left + (right - left) * canvas.rng.uniform(0.03, 0.06)
    pen.line(
        (shine, top + height * 0.1, shine, bottom - height * 0.1), fill=shade(fill, 60), width=3
    )
    return Package((left, top + height * 0.08, right, bottom - height * 0.08), fill)


def _bag(canvas: Canvas, image: Image.Image, _fill: RGB, bottom: float) -> Package:
    """Paper: a kraft bag with a folded top and creases."""
    left, top, right, bottom = _span(canvas, bottom, (0.6, 0.9))
    kraft = near(canvas.rng, (196, 160, 112), 14)
    fold = (bottom - top) * canvas.rng.uniform(0.1, 0.15)
    pen = draw_on(image)
    pen.rectangle((left, top, right, bottom), fill=kraft)
    pen.rectangle((left, top, right, top + fold), fill=shade(kraft, -28))
    pen.line((left, top + fold, right, top + fold), fill=shade(kraft, -60), width=2)
    for at in (0.04, 0.96):
        x = left + (right - left) * at
        pen.line((x, top + fold, x, bottom), fill=shade(kraft, -22), width=2)
    return Package((left, top + fold, right, bottom), kraft)


PACKAGES: dict[str, Callable[[Canvas, Image.Image, RGB, float], Package]] = {
    "cardboard": _box,
    "glass": _jar,
    "metal": _can,
    "plastic": _pouch,
    "paper": _bag,
}
