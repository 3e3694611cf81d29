"""More images of none of the families: charts, maps, animals, landscapes, screens and patterns."""

import math
from collections.abc import Callable

from PIL import Image, ImageFilter

from glm4v_tui.demo.scenes.canvas import Canvas, draw_on, gradient, grey, near, shade
from glm4v_tui.demo.scenes.colours import RGB

_SKIES = ((135, 206, 235), (150, 200, 250), (250, 180, 120), (30, 35, 80), (200, 220, 235))
_GREENS = ((34, 139, 34), (70, 140, 60), (107, 142, 35), (0, 100, 0), (154, 205, 50))
_FURS = (grey(60), grey(140), (160, 110, 60), (210, 150, 90), (235, 215, 185), grey(240))


def _any(canvas: Canvas) -> RGB:
    r, g, b = canvas.rng.randbytes(3)
    return r, g, b


def _blank(canvas: Canvas, colour: RGB) -> Image.Image:
    return Image.new("RGB", (canvas.width, canvas.height), colour)


def _paper(canvas: Canvas) -> Image.Image:
    return _blank(canvas, canvas.rng.choice((grey(255), grey(248), (250, 245, 230), grey(30))))


def _disc(
    image: Image.Image, x: float, y: float, r: float, fill: RGB | None, line: RGB | None = None
) -> None:
    draw_on(image).ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=line, width=2)


def _axes(canvas: Canvas, image: Image.Image) -> None:
    pen, w, h = draw_on(image), canvas.width, canvas.height
    for i in range(canvas.rng.choice((0, 0, 5))):
        y = h * (0.1 + 0.15 * i)
        pen.line((w * 0.1, y, w * 0.96, y), fill=grey(190))
    pen.line((w * 0.1, h * 0.06, w * 0.1, h * 0.88, w * 0.96, h * 0.88), fill=grey(120), width=2)


def _bars(canvas: Canvas) -> Image.Image:
    """Upright or lying bars in one or many colours, with a title or none."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _paper(canvas)
    pen, count, colours = draw_on(image), rng.randint(3, 8), [_any(canvas) for _ in range(8)]
    if rng.random() < 0.6:
        colours = colours[:1] * 8
    lying, thick = rng.random() < 0.3, rng.uniform(0.5, 0.9)
    for i in range(count):
        share = rng.uniform(0.1, 0.95)
        if lying:
            y = h * (0.08 + 0.78 * i / count)
            bar = (w * 0.1, y, w * (0.1 + 0.85 * share), y + 0.78 * h / count * thick)
        else:
            x = w * (0.13 + 0.82 * i / count)
            bar = (x, h * (0.88 - 0.75 * share), x + 0.82 * w / count * thick, h * 0.88)
        pen.rectangle(bar, fill=colours[i])
        if not lying and rng.random() < 0.7:
            font = canvas.font(h * 0.05, "A")
            pen.text((bar[0], h * 0.9), f"{'ABCDEFGH'[i]}", font=font, fill=grey(120))
    _axes(canvas, image)
    if rng.random() < 0.4:
        font = canvas.font(h * 0.07, "Sales")
        pen.text((w * 0.4, h * 0.01), rng.choice(("Sales", "Results", "2024", "Votes")), font=font,
                 fill=grey(120))  # fmt: skip
    return image


def _lines(canvas: Canvas) -> Image.Image:
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _paper(canvas)
    _axes(canvas, image)
    for _ in range(rng.randint(1, 4)):
        count, y, colour = rng.randint(5, 16), rng.uniform(0.2, 0.8), _any(canvas)
        points = []
        for i in range(count):
            y = min(0.85, max(0.08, y + rng.uniform(-0.17, 0.17)))
            points.append((w * (0.1 + 0.86 * i / (count - 1)), h * y))
        draw_on(image).line(points, fill=colour, width=rng.randint(1, 4))
        if rng.random() < 0.4:
            for x, y_at in points:
                _disc(image, x, y_at, canvas.side * 0.012, colour)
    return image


def _pie(canvas: Canvas) -> Image.Image:
    rng = canvas.rng
    image, r = _paper(canvas), canvas.side * rng.uniform(0.28, 0.45)
    x, y, at = canvas.width / 2, canvas.height / 2, rng.uniform(0, 360)
    shares = [rng.uniform(0.4, 2) for _ in range(rng.randint(3, 7))]
    for share in shares:
        end = at + 360 * share / sum(shares)
        draw_on(image).pieslice(
            (x - r, y - r, x + r, y + r), at, end, fill=_any(canvas), outline=grey(255), width=2
        )
        at = end
    return image


def _map(canvas: Canvas) -> Image.Image:
    """Land in water, or streets between blocks."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    if rng.random() < 0.5:
        image = _blank(canvas, near(rng, (160, 200, 235), 20))
        for _ in range(rng.randint(2, 5)):
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            coast = []
            for i in range(24):
                r = canvas.side * rng.uniform(0.16, 0.34)
                coast.append(
                    (x + r * math.cos(i * math.pi / 12), y + r * math.sin(i * math.pi / 12))
                )
            land = rng.choice((*_GREENS, (222, 205, 150), (200, 180, 120)))
            draw_on(image).polygon(coast, fill=near(rng, land, 15), outline=grey(90))
        return image
    image = _blank(canvas, (235, 230, 215))
    pen = draw_on(image)
    for _ in range(rng.randint(2, 4)):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        pen.rectangle((x, y, x + w * 0.2, y + h * 0.2), fill=rng.choice(((190, 220, 170),
                      (170, 205, 235), (220, 210, 200))))  # fmt: skip
    for _ in range(rng.randint(8, 14)):
        ends = (
            (0, rng.uniform(0, h), w, rng.uniform(0, h)),
            (rng.uniform(0, w), 0, rng.uniform(0, w), h),
        )
        pen.line(rng.choice(ends), fill=rng.choice((grey(255), grey(255), (250, 210, 90))),
                 width=rng.randint(2, 7))  # fmt: skip
    return image


def _landscape(canvas: Canvas) -> Image.Image:
    """Sky with hills, trees and perhaps a sun, or the sea."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    sky = rng.choice(_SKIES)
    image = gradient(canvas, sky, shade(sky, 40))
    if rng.random() < 0.6:
        _disc(image, w * rng.uniform(0.1, 0.9), h * 0.16, canvas.side * 0.08, (255, 220, 80))
    for layer in range(rng.randint(1, 3)):
        base = h * (0.45 + 0.15 * layer)
        tops = [(w * i / 8, base + h * rng.uniform(-0.15, 0.1)) for i in range(9)]
        colour = near(rng, rng.choice((*_GREENS, grey(110), (120, 100, 90), (60, 90, 140))), 15)
        draw_on(image).polygon([(0, h), *tops, (w, h)], fill=colour)
    for _ in range(rng.choice((0, 0, 2, 4, 7))):
        _tree_at(
            canvas,
            image,
            rng.uniform(0, w),
            h * rng.uniform(0.75, 0.98),
            h * rng.uniform(0.15, 0.3),
        )
    return image


def _tree_at(canvas: Canvas, image: Image.Image, x: float, foot: float, tall: float) -> None:
    """A leafy tree or a fir."""
    rng, pen, green = canvas.rng, draw_on(image), near(canvas.rng, canvas.rng.choice(_GREENS), 15)
    pen.rectangle((x - tall * 0.06, foot - tall * 0.5, x + tall * 0.06, foot), fill=(101, 67, 33))
    if rng.random() < 0.5:
        for i in range(3):
            y, half = foot - tall * (0.3 + 0.22 * i), tall * (0.33 - 0.07 * i)
            pen.polygon([(x - half, y), (x + half, y), (x, y - tall * 0.36)], fill=green)
        return
    for _ in range(5):
        dx, dy = rng.uniform(-0.18, 0.18) * tall, rng.uniform(-0.18, 0.12) * tall
        _disc(
            image, x + dx, foot - tall * 0.72 + dy, tall * 0.2, shade(green, rng.randint(-12, 12))
        )


def _tree(canvas: Canvas) -> Image.Image:
    sky = canvas.rng.choice(_SKIES)
    image = _blank(canvas, sky)
    w, h = canvas.width, canvas.height
    draw_on(image).rectangle((0, h * 0.82, w, h), fill=canvas.rng.choice(_GREENS))
    _tree_at(canvas, image, w * canvas.rng.uniform(0.35, 0.65), h * 0.88, h * 0.8)
    return image


def _car(canvas: Canvas) -> Image.Image:
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _blank(canvas, rng.choice((*_SKIES, grey(255))))
    pen, paint, s = draw_on(image), _any(canvas), canvas.side * rng.uniform(0.32, 0.45)
    x, y = w / 2, h * 0.58
    pen.rectangle((0, y + s * 0.45, w, h), fill=grey(rng.randint(90, 150)))
    roof = [
        (x - s * 0.6, y),
        (x - s * 0.38, y - s * 0.42),
        (x + s * 0.3, y - s * 0.42),
        (x + s * 0.62, y),
    ]
    pen.polygon(roof, fill=shade(paint, -25))
    pen.rectangle((x - s * 0.28, y - s * 0.34, x, y - s * 0.04), fill=(200, 225, 240))
    pen.rectangle((x + s * 0.06, y - s * 0.34, x + s * 0.28, y - s * 0.04), fill=(200, 225, 240))
    pen.rounded_rectangle((x - s, y, x + s, y + s * 0.36), s * 0.1, fill=paint)
    for at in (-0.55, 0.55):
        _disc(image, x + at * s, y + s * 0.38, s * 0.2, grey(20))
        _disc(image, x + at * s, y + s * 0.38, s * 0.09, grey(180))
    return image


def _animal(canvas: Canvas) -> Image.Image:
    """A cat's head, a fish, or a four-legged animal."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _blank(canvas, rng.choice((*_SKIES, *_GREENS, grey(255))))
    pen, fur, s = draw_on(image), near(rng, rng.choice(_FURS), 12), canvas.side * 0.3
    x, y, kind = w / 2, h / 2, rng.random()
    dark = grey(20) if sum(fur) > 250 else grey(230)
    if kind < 0.35:
        for sign in (-1, 1):
            pen.polygon([(x + sign * s * 0.95, y - s * 1.25), (x + sign * s * 0.95, y - s * 0.2),
                         (x + sign * s * 0.2, y - s * 0.85)], fill=fur)  # fmt: skip
        _disc(image, x, y, s, fur)
        for sign in (-1, 1):
            _disc(image, x + sign * s * 0.4, y - s * 0.2, s * 0.14, (120, 180, 60), dark)
            for i in (-1, 0, 1):
                whisker = (x + sign * s * 1.2, y + s * (0.3 + 0.15 * i))
                pen.line((x + sign * s * 0.3, y + s * 0.3, *whisker), fill=dark)
        pen.polygon([(x - s * 0.1, y + s * 0.15), (x + s * 0.1, y + s * 0.15), (x, y + s * 0.3)],
                    fill=(230, 130, 140))  # fmt: skip
    elif kind < 0.6:
        fish = _any(canvas)
        pen.polygon(
            [(x + s * 0.8, y), (x + s * 1.4, y - s * 0.5), (x + s * 1.4, y + s * 0.5)], fill=fish
        )
        pen.ellipse((x - s, y - s * 0.55, x + s, y + s * 0.55), fill=fish)
        pen.arc(
            (x - s * 0.8, y - s * 0.4, x - s * 0.2, y + s * 0.4),
            -60,
            60,
            fill=shade(fish, -60),
            width=2,
        )
        _disc(image, x - s * 0.65, y - s * 0.12, s * 0.09, grey(255), grey(0))
    else:
        for at in (-0.75, -0.5, 0.5, 0.75):
            pen.rectangle((x + at * s - 4, y, x + at * s + 4, y + s * 0.95), fill=shade(fur, -20))
        pen.ellipse((x - s, y - s * 0.4, x + s, y + s * 0.4), fill=fur)
        pen.line((x + s * 0.95, y - s * 0.1, x + s * 1.3, y - s * 0.6), fill=fur, width=5)
        _disc(image, x - s * 1.05, y - s * 0.45, s * 0.32, fur)
        pen.ellipse((x - s * 1.5, y - s * 0.5, x - s * 1.05, y - s * 0.2), fill=fur)
        for ear in (-1.2, -0.9):
            pen.polygon([(x + ear * s, y - s * 1.0), (x + (ear - 0.1) * s, y - s * 0.6),
                         (x + (ear + 0.12) * s, y - s * 0.6)], fill=shade(fur, -30))  # fmt: skip
        _disc(image, x - s * 1.12, y - s * 0.5, 3, dark)
    return image


def _portrait(canvas: Canvas) -> Image.Image:
    """A head with hair and shoulders, or a smiley."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _blank(canvas, _any(canvas))
    pen, s, x, y = draw_on(image), canvas.side * rng.uniform(0.24, 0.32), w / 2, h * 0.46
    smiley = rng.random() < 0.3
    skin = (
        (255, 215, 50) if smiley else rng.choice(((245, 205, 170), (200, 150, 110), (120, 80, 55)))
    )
    if not smiley:
        hair = rng.choice(((40, 25, 15), (120, 75, 30), (220, 180, 90), grey(150), (150, 50, 20)))
        pen.ellipse((x - s * 1.6, y + s * 1.1, x + s * 1.6, y + s * 4), fill=_any(canvas))
        long = rng.choice((0.3, 1.4))
        pen.ellipse((x - s * 1.12, y - s * 1.25, x + s * 1.12, y + s * long), fill=hair)
        pen.rectangle((x - s * 0.25, y + s * 0.7, x + s * 0.25, y + s * 1.3), fill=shade(skin, -20))
    pen.ellipse((x - s * 0.9, y - s, x + s * 0.9, y + s), fill=skin, outline=shade(skin, -60))
    for sign in (-1, 1):
        ex = x + sign * s * 0.38
        pen.ellipse((ex - s * 0.16, y - s * 0.3, ex + s * 0.16, y - s * 0.1), fill=grey(255))
        _disc(image, ex, y - s * 0.2, s * 0.08, grey(10))
        pen.line((ex - s * 0.18, y - s * 0.42, ex + s * 0.18, y - s * 0.42), fill=grey(40), width=2)
    pen.line(
        (x, y - s * 0.1, x - s * 0.08, y + s * 0.25, x + s * 0.06, y + s * 0.25),
        fill=shade(skin, -70),
    )
    pen.arc(
        (x - s * 0.4, y + s * 0.1, x + s * 0.4, y + s * 0.65), 20, 160, fill=(150, 30, 40), width=3
    )
    return image


def _screen(canvas: Canvas) -> Image.Image:
    """A screenshot: windows with title bars, buttons and grey lines for text."""
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = gradient(canvas, _any(canvas), _any(canvas))
    pen = draw_on(image)
    pen.rectangle((0, h * 0.94, w, h), fill=grey(rng.choice((30, 60, 220))))
    for _ in range(rng.randint(1, 3)):
        x, y = w * rng.uniform(0.02, 0.4), h * rng.uniform(0.02, 0.35)
        right, low, bar = x + w * rng.uniform(0.4, 0.56), y + h * rng.uniform(0.4, 0.56), h * 0.06
        dark = rng.random() < 0.3
        pen.rectangle((x, y, right, low), fill=grey(40 if dark else 250), outline=grey(110))
        pen.rectangle((x, y, right, y + bar), fill=rng.choice((grey(70), grey(205), (40, 90, 180))))
        for i, colour in enumerate(((230, 80, 70), (240, 190, 60), (80, 190, 80))):
            _disc(image, right - bar * (0.6 + 0.8 * i), y + bar / 2, bar * 0.25, colour)
        row = y + bar * 1.6
        while row < low - bar:
            end = x + (right - x) * rng.uniform(0.3, 0.92)
            pen.line((x + w * 0.02, row, end, row), fill=grey(130), width=2)
            row += bar * 0.7
    return image


def _clouds(canvas: Canvas) -> Image.Image:
    """Noise at several scales, as of a blurred photo."""
    rng, size = canvas.rng, (canvas.width, canvas.height)
    low, high = _any(canvas), _any(canvas)
    mask = Image.new("L", size, 128)
    for cells in (4, 9, 22):
        noise = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
        mask = Image.blend(mask, noise.resize(size, Image.Resampling.BICUBIC), 0.45)
    mask = mask.point([max(0, min(255, (v - 60) * 2)) for v in range(256)])
    return Image.composite(_blank(canvas, low), _blank(canvas, high), mask)


def _checkers(canvas: Canvas) -> Image.Image:
    """A chessboard, with or without pieces."""
    rng = canvas.rng
    pairs = (
        (grey(0), grey(255)), ((110, 60, 30), (240, 215, 170)), ((60, 110, 60), (235, 235, 210)),
        ((200, 0, 0), grey(20)),
    )  # fmt: skip
    dark, light = rng.choice(pairs)
    image = _blank(canvas, light)
    pen, side, pieces = draw_on(image), canvas.side / 8, rng.random() < 0.4
    left, top = (canvas.width - 8 * side) / 2, (canvas.height - 8 * side) / 2
    for row in range(8):
        for column in range(8):
            x, y = left + column * side, top + row * side
            if (row + column) % 2:
                pen.rectangle((x, y, x + side, y + side), fill=dark)
                if pieces and row not in {3, 4}:
                    colour = grey(250) if row < 3 else (150, 20, 20)
                    _disc(image, x + side / 2, y + side / 2, side * 0.36, colour, grey(90))
    return image


def _code(canvas: Canvas) -> Image.Image:
    """A square of black and white modules with three finders, or bars of a barcode."""
    rng = canvas.rng
    image = _blank(canvas, grey(255))
    pen = draw_on(image)
    if rng.random() < 0.3:
        x, low = canvas.width * 0.1, canvas.height * 0.75
        while x < canvas.width * 0.9:
            wide = rng.choice((1, 2, 3, 4)) * canvas.width * 0.006
            pen.rectangle((x, canvas.height * 0.2, x + wide, low), fill=grey(0))
            x += wide + rng.choice((1, 2, 3)) * canvas.width * 0.006 + 1
        return image
    count = rng.choice((21, 25, 29))
    dots = Image.frombytes("L", (count, count), rng.randbytes(count * count))
    dots = dots.point([0] * 128 + [255] * 128)
    finder = draw_on(dots)
    for x, y in ((0, 0), (count - 7, 0), (0, count - 7)):
        finder.rectangle((x - 1, y - 1, x + 7, y + 7), fill=255)
        finder.rectangle((x, y, x + 6, y + 6), outline=0)
        finder.rectangle((x + 2, y + 2, x + 4, y + 4), fill=0)
    side = int(canvas.side * rng.uniform(0.6, 0.95))
    scaled = dots.resize((side, side), Image.Resampling.NEAREST)
    image.paste(scaled.convert("RGB"), ((canvas.width - side) // 2, (canvas.height - side) // 2))
    return image


def _handwriting(canvas: Canvas) -> Image.Image:
    """Loops of a pen in lines that nobody can read."""
    rng, w = canvas.rng, canvas.width
    image = _blank(canvas, rng.choice((grey(255), (250, 245, 225), (255, 250, 170))))
    ink, pitch = (
        rng.choice((grey(20), (20, 30, 120), (60, 30, 20))),
        canvas.side * rng.uniform(0.1, 0.2),
    )
    y = pitch
    while y < canvas.height - pitch * 0.4:
        x, points = w * 0.06, []
        end = w * rng.uniform(0.6, 0.95)
        while x < end:
            tall = pitch * rng.choice((0.2, 0.25, 0.3, 0.5))
            for turn in range(6):
                at = turn * math.pi / 3
                points.append((x + 0.16 * pitch * math.cos(at) + turn, y - tall * math.sin(at)))
            x += pitch * 0.22
            if rng.random() < 0.16:
                draw_on(image).line(points, fill=ink, width=2, joint="curve")
                x, points = x + pitch * 0.3, []
        draw_on(image).line(points, fill=ink, width=2, joint="curve")
        y += pitch
    return image


def _clock(canvas: Canvas) -> Image.Image:
    rng, x, y = canvas.rng, canvas.width / 2, canvas.height / 2
    image = _blank(canvas, _any(canvas))
    r = canvas.side * rng.uniform(0.32, 0.46)
    _disc(image, x, y, r, grey(255), grey(20))
    _disc(image, x, y, r * 0.95, None, grey(90))
    pen, digits = draw_on(image), rng.random() < 0.6
    font = canvas.font(r * 0.22, "12")
    for hour in range(1, 13):
        dx, dy = math.sin(hour * math.pi / 6), -math.cos(hour * math.pi / 6)
        if digits:
            pen.text(
                (x + 0.78 * r * dx, y + 0.78 * r * dy),
                str(hour),
                font=font,
                fill=grey(10),
                anchor="mm",
            )
        else:
            pen.line((x + 0.78 * r * dx, y + 0.78 * r * dy, x + 0.92 * r * dx, y + 0.92 * r * dy),
                     fill=grey(10), width=3)  # fmt: skip
    for reach, width in ((0.5, 5), (0.75, 3), (0.8, 1)):
        at = rng.uniform(0, 2 * math.pi)
        pen.line((x, y, x + reach * r * math.sin(at), y - reach * r * math.cos(at)),
                 fill=grey(10) if width > 1 else (200, 0, 0), width=width)  # fmt: skip
    return image


def _flower(canvas: Canvas) -> Image.Image:
    rng, w, h = canvas.rng, canvas.width, canvas.height
    image = _blank(canvas, rng.choice((*_SKIES, grey(255))))
    for _ in range(rng.randint(1, 4)):
        x, y, r = (
            w * rng.uniform(0.2, 0.8),
            h * rng.uniform(0.2, 0.5),
            canvas.side * rng.uniform(0.07, 0.11),
        )
        draw_on(image).line((x, y, x + r * 0.3, h), fill=rng.choice(_GREENS), width=5)
        petal, count = _any(canvas), rng.randint(5, 8)
        for i in range(count):
            at = i * 2 * math.pi / count
            _disc(
                image,
                x + r * math.cos(at),
                y + r * math.sin(at),
                r * 0.55,
                petal,
                shade(petal, -40),
            )
        _disc(image, x, y, r * 0.6, (250, 200, 40))
    return image


def _photo(canvas: Canvas) -> Image.Image:
    """Out-of-focus lights or a blurred scene."""
    rng = canvas.rng
    if rng.random() < 0.5:
        return _landscape(canvas).filter(ImageFilter.BoxBlur(canvas.side * rng.uniform(0.01, 0.04)))
    image = gradient(canvas, near(rng, grey(50), 40), near(rng, grey(90), 60))
    for _ in range(rng.randint(10, 30)):
        r = canvas.side * rng.uniform(0.02, 0.09)
        _disc(image, rng.uniform(0, canvas.width), rng.uniform(0, canvas.height), r, _any(canvas))
    return image.filter(ImageFilter.BoxBlur(canvas.side * rng.uniform(0.02, 0.05)))


PICTURES: tuple[Callable[[Canvas], Image.Image], ...] = (
    _bars, _bars, _lines, _pie, _map, _landscape, _tree, _car, _animal, _animal, _portrait,
    _screen, _clouds, _checkers, _code, _handwriting, _clock, _flower, _photo,
)  # fmt: skip
