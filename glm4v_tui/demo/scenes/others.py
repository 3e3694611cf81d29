"""Images of none of the families, so that the model learns to say that it does not know them."""

import math
from collections.abc import Callable

from PIL import Image

from glm4v_tui.demo.scenes.canvas import Canvas, draw_on, gradient, grey, near
from glm4v_tui.demo.scenes.colours import RGB
from glm4v_tui.demo.scenes.pictures import PICTURES


def draw_other(canvas: Canvas) -> Image.Image:
    """A face, a house, a chart, a page of text, a scribble or noise, or one of `PICTURES`."""
    if canvas.look.variety and canvas.rng.random() < 0.75:
        return canvas.rng.choice(PICTURES)(canvas)
    return canvas.rng.choice(_DRAWINGS)(canvas)


def _any_colour(canvas: Canvas) -> RGB:
    r, g, b = canvas.rng.randbytes(3)
    return r, g, b


def _ground(canvas: Canvas) -> Image.Image:
    base = _any_colour(canvas)
    return gradient(canvas, base, near(canvas.rng, base, 90))


def _noise(canvas: Canvas) -> Image.Image:
    cells = canvas.rng.randint(4, 40)
    image = Image.frombytes("RGB", (cells, cells), canvas.rng.randbytes(3 * cells * cells))
    return image.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)


def _scribble(canvas: Canvas) -> Image.Image:
    image = _ground(canvas)
    rng, pen = canvas.rng, draw_on(image)
    for _ in range(rng.randint(1, 4)):
        points = [
            (rng.uniform(0, canvas.width), rng.uniform(0, canvas.height))
            for _ in range(rng.randint(4, 12))
        ]
        pen.line(points, fill=_any_colour(canvas), width=rng.randint(2, 9), joint="curve")
    return image


def _page(canvas: Canvas) -> Image.Image:
    """Lines of meaningless words."""
    image = Image.new("RGB", (canvas.width, canvas.height), grey(canvas.rng.randint(225, 255)))
    rng, pen = canvas.rng, draw_on(image)
    size = canvas.side * rng.uniform(0.04, 0.07)
    for row in range(int(canvas.height / size / 1.4)):
        words = " ".join(
            "".join(rng.choice("abcdefghiklmnoprstuv") for _ in range(rng.randint(2, 8)))
            for _ in range(9)
        )
        pen.text((size, row * size * 1.4), words, font=canvas.font(size, words), fill=grey(20))
    return image


def _chart(canvas: Canvas) -> Image.Image:
    """Bars on two axes."""
    image = Image.new("RGB", (canvas.width, canvas.height), grey(250))
    rng, pen = canvas.rng, draw_on(image)
    count = rng.randint(7, 14)
    left, bottom = canvas.width * 0.1, canvas.height * 0.9
    step = canvas.width * 0.85 / count
    colour = _any_colour(canvas)
    for i in range(count):
        top = bottom - canvas.height * rng.uniform(0.1, 0.75)
        pen.rectangle((left + i * step, top, left + (i + 0.7) * step, bottom), fill=colour)
    pen.line((left, canvas.height * 0.05, left, bottom), fill=grey(0), width=2)
    pen.line((left, bottom, canvas.width * 0.97, bottom), fill=grey(0), width=2)
    return image


def _face(canvas: Canvas) -> Image.Image:
    image = _ground(canvas)
    pen, r = draw_on(image), canvas.side * canvas.rng.uniform(0.25, 0.42)
    x, y = canvas.width / 2, canvas.height / 2
    pen.ellipse(
        (x - r, y - r, x + r, y + r), fill=near(canvas.rng, (235, 195, 150), 40), outline=grey(20)
    )
    for sign in (-1, 1):
        eye, e = x + sign * r * 0.4, r * 0.12
        pen.ellipse((eye - e, y - r * 0.3 - e, eye + e, y - r * 0.3 + e), fill=grey(10))
    pen.arc((x - r / 2, y - r / 4, x + r / 2, y + r * 0.6), 20, 160, fill=grey(10), width=3)
    return image


def _house(canvas: Canvas) -> Image.Image:
    image = gradient(canvas, (150, 200, 250), (225, 240, 255))
    pen, w, h = draw_on(image), canvas.width, canvas.height
    pen.rectangle((0, h * 0.75, w, h), fill=(70, 140, 60))
    left, right, top = w * canvas.rng.uniform(0.15, 0.3), w * canvas.rng.uniform(0.6, 0.8), h * 0.4
    pen.rectangle((left, top, right, h * 0.8), fill=_any_colour(canvas))
    pen.polygon(
        [(left - 9, top), ((left + right) / 2, h * 0.15), (right + 9, top)],
        fill=_any_colour(canvas),
    )
    for i in range(3):
        x = left + (i + 0.6) * (right - left) / 4
        pen.rectangle((x, h * 0.5, x + w * 0.06, h * 0.6), fill=grey(235), outline=grey(30))
    sun = canvas.side * 0.07
    pen.ellipse(
        (w * 0.88 - sun, h * 0.12 - sun, w * 0.88 + sun, h * 0.12 + sun), fill=(255, 220, 60)
    )
    for i in range(8):
        dx, dy = math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)
        ray = (
            (w * 0.88 + sun * 1.2 * dx, h * 0.12 + sun * 1.2 * dy),
            (w * 0.88 + sun * 1.8 * dx, h * 0.12 + sun * 1.8 * dy),
        )
        pen.line(ray, fill=(255, 220, 60), width=2)
    return image


_DRAWINGS: tuple[Callable[[Canvas], Image.Image], ...] = (
    _noise,
    _scribble,
    _page,
    _chart,
    _face,
    _house,
)
