"""The parts of family 2 in other drawing styles: flat, outlined, with features that are no defects.

Such features are regular: at every corner, on a circle, or in rows.
"""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

from glm4v_tui.demo.scenes.bodies import Body
from glm4v_tui.demo.scenes.canvas import (
    Box,
    Canvas,
    draw_on,
    gradient,
    grey,
    ink_on,
    near,
    shade,
)
from glm4v_tui.demo.scenes.colours import CSS, RGB, distance

_GROUNDS = (grey(255), grey(255), grey(0), grey(235), grey(40), (60, 80, 110), (210, 225, 235),
            (120, 85, 55), (245, 240, 220))  # fmt: skip
_METALS = (
    grey(128), grey(169), grey(192), grey(211), (176, 196, 222), (119, 136, 153), (184, 134, 11),
    (205, 127, 50), (218, 165, 32), (160, 160, 175),
)  # fmt: skip


def _behind(canvas: Canvas, part: RGB) -> RGB:
    """What lies behind the part, clearly different from it."""
    return canvas.rng.choice([g for g in _GROUNDS if distance(g, part) > 60])


def _outline_of(canvas: Canvas, colour: RGB) -> RGB | None:
    """A colour for outlines, None for none."""
    return canvas.rng.choice((None, grey(0), grey(40), shade(colour, -60), shade(colour, -90)))


def _flat(canvas: Canvas, colour: RGB) -> Image.Image:
    """The plain colour, or that colour lighter towards one end."""
    if canvas.rng.random() < 0.65:
        return Image.new("RGB", (canvas.width, canvas.height), colour)
    return gradient(canvas, shade(colour, -18), shade(colour, 18))


def _sheet(canvas: Canvas, colour: RGB, texture: Image.Image, round_off: bool = True) -> Body:
    """The texture on a rectangle, with or without rounded corners and an outline."""
    rng = canvas.rng
    behind = _behind(canvas, colour)
    box: Box = (0, 0, canvas.width - 1, canvas.height - 1)
    if rng.random() < 0.8:
        dx, dy = (side * rng.uniform(0.03, 0.2) for side in (canvas.width, canvas.height))
        box = (dx, dy, canvas.width - dx, canvas.height - dy)
    image = Image.new("RGB", (canvas.width, canvas.height), behind)
    mask = Image.new("L", image.size, 0)
    corner = canvas.side * rng.choice((0, 0, 0.03, 0.06, 0.1)) if round_off else 0.0
    ImageDraw.Draw(mask).rounded_rectangle(box, corner, fill=255)
    image.paste(texture, (0, 0), mask)
    line = _outline_of(canvas, colour)
    if line is not None:
        draw_on(image).rounded_rectangle(box, corner, outline=line, width=rng.randint(1, 4))
    return Body(image, colour, behind, box)


def _disc(body: Body, x: float, y: float, r: float, fill: RGB | None, line: RGB | None) -> None:
    draw_on(body.image).ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=line)


def _corners(body: Body, inset: float) -> list[tuple[float, float]]:
    left, top, right, bottom = body.outline
    return [(x, y) for x in (left + inset, right - inset) for y in (top + inset, bottom - inset)]


def _keep(body: Body, x: float, y: float, r: float) -> None:
    body.features.append((x - r, y - r, x + r, y + r))


def _plate(canvas: Canvas) -> Body:
    rng = canvas.rng
    colour = near(rng, rng.choice(_METALS), 8)
    texture = _flat(canvas, colour)
    if rng.random() < 0.2:
        pen = draw_on(texture)
        for y in range(0, canvas.height, 3):
            pen.line((0, y, canvas.width, y), fill=shade(colour, rng.randint(-10, 10)))
    body = _sheet(canvas, colour, texture)
    kind = rng.random()
    if kind < 0.3:
        _screws(canvas, body)
    elif kind < 0.5:
        _bolt_holes(canvas, body)
    elif kind < 0.65:
        _rivets(canvas, body)
    if rng.random() < 0.15:
        left, top, right, bottom = body.outline
        inset = 0.03 * canvas.side
        draw_on(body.image).rectangle(
            (left + inset, top + inset, right - inset, bottom - inset), outline=shade(colour, -40)
        )
    if rng.random() < 0.3:
        _part_number(canvas, body)
    return body


def _screws(canvas: Canvas, body: Body) -> None:
    """A screw at every corner, its head slotted, crossed or plain."""
    rng = canvas.rng
    r = canvas.side * rng.uniform(0.022, 0.04)
    head = shade(body.colour, rng.choice((-60, -35, 35)))
    line = shade(head, -60)
    slot, turn = rng.randint(0, 2), rng.uniform(0, math.pi)
    for x, y in _corners(body, r * rng.choice((2.0, 2.5))):
        _disc(body, x, y, r, head, line)
        for i in range(slot):
            dx = 0.75 * r * math.cos(turn + i * math.pi / 2)
            dy = 0.75 * r * math.sin(turn + i * math.pi / 2)
            draw_on(body.image).line((x - dx, y - dy, x + dx, y + dy), fill=line, width=2)
        _keep(body, x, y, r)


def _bolt_holes(canvas: Canvas, body: Body) -> None:
    """A small bored hole at every corner."""
    rng = canvas.rng
    r = canvas.side * rng.uniform(0.018, 0.036)
    fill = rng.choice((body.behind, body.behind, grey(0), grey(30)))
    line = rng.choice((None, shade(body.colour, -70), grey(0)))
    for x, y in _corners(body, r * 2.4):
        _disc(body, x, y, r, fill, line)
        _keep(body, x, y, r)


def _rivets(canvas: Canvas, body: Body) -> None:
    """Equal rivets in a row along two opposite edges."""
    rng = canvas.rng
    r = canvas.side * rng.uniform(0.012, 0.02)
    left, top, right, bottom = body.outline
    count, fill = rng.randint(4, 9), shade(body.colour, rng.choice((-45, 40)))
    for i in range(count):
        x = left + (i + 0.5) * (right - left) / count
        for y in (top + 2.5 * r, bottom - 2.5 * r):
            _disc(body, x, y, r, fill, shade(body.colour, -70))
            _keep(body, x, y, r)


def _part_number(canvas: Canvas, body: Body) -> None:
    """A number or maker's name, printed or stamped."""
    rng = canvas.rng
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTVX") for _ in range(rng.randint(2, 4)))
    number = rng.randint(10, 99999)
    text = rng.choice((f"{letters}-{number}", letters, f"PN {number}", f"No. {number}"))
    font = canvas.font(canvas.side * rng.uniform(0.05, 0.1), text)
    left, top, right, bottom = body.outline
    x, y = (left + right) / 2, top + (bottom - top) * rng.choice((0.2, 0.5, 0.8))
    fill = rng.choice((shade(body.colour, -60), ink_on(rng, body.colour)))
    draw_on(body.image).text((x, y), text, font=font, fill=fill, anchor="mm")
    body.is_printed = True
    a, b, c, d = font.getbbox(text, anchor="mm")
    body.features.append((x + a, y + b, x + c, y + d))


def _washer(canvas: Canvas) -> Body:
    return _ring(canvas, 0)


def _gear(canvas: Canvas) -> Body:
    return _ring(canvas, canvas.rng.choice((6, 8, 8, 10, 12, 12, 14, 16, 16, 18, 20, 24)))


def _ring(canvas: Canvas, teeth: int) -> Body:
    """A washer, or a gear with square, trapezoid or pointed teeth."""
    rng = canvas.rng
    colour = near(rng, rng.choice(_METALS), 8)
    behind = _behind(canvas, colour)
    radius = rng.uniform(0.33, 0.48) * canvas.side
    bore = radius * (rng.uniform(0.12, 0.35) if teeth else rng.uniform(0.25, 0.55))
    cx = canvas.width / 2 + rng.uniform(-1, 1) * max(0, canvas.width / 2 - radius * 1.03)
    cy = canvas.height / 2 + rng.uniform(-1, 1) * max(0, canvas.height / 2 - radius * 1.03)
    image = Image.new("RGB", (canvas.width, canvas.height), behind)
    mask = Image.new("L", image.size, 0)
    root = radius * rng.uniform(0.76, 0.87) if teeth else radius
    pen = ImageDraw.Draw(mask)
    pen.ellipse((cx - root, cy - root, cx + root, cy + root), fill=255)
    shape = rng.choice(((0.2, 0.2), (0.26, 0.26), (0.3, 0.18), (0.28, 0.12), (0.3, 0.22)))
    body = Body(
        image, colour, behind, (cx - root, cy - root, cx + root, cy + root), bore, teeth > 0
    )
    phase = rng.uniform(0, 2 * math.pi)
    for i in range(teeth):
        at = phase + i * 2 * math.pi / teeth
        body.teeth.append(_tooth(cx, cy, (root, radius), shape, at, 2 * math.pi / teeth))
        pen.polygon(body.teeth[-1], fill=255)
    pen.ellipse((cx - bore, cy - bore, cx + bore, cy + bore), fill=0)
    image.paste(_flat(canvas, colour), (0, 0), mask)
    _rings(canvas, body, (cx, cy), root, bore)
    return body


def _rings(
    canvas: Canvas, body: Body, centre: tuple[float, float], root: float, bore: float
) -> None:
    """Outlines, chamfer circles, a hub, and bores on a circle."""
    rng, (cx, cy) = canvas.rng, centre
    line = _outline_of(canvas, body.colour)
    if line is not None:
        pen, width = draw_on(body.image), rng.randint(1, 3)
        pen.ellipse((cx - bore, cy - bore, cx + bore, cy + bore), outline=line, width=width)
        if not body.teeth:
            pen.ellipse((cx - root, cy - root, cx + root, cy + root), outline=line, width=width)
    chamfer = shade(body.colour, rng.choice((-60, -35, 30)))
    for at in rng.sample((0.06, 0.12, 0.5, 0.88, 0.94), rng.choice((0, 0, 1, 2, 2))):
        _disc(body, cx, cy, bore + at * (root - bore), None, chamfer)
    spokes = rng.choice((0, 0, 0, 4, 5, 6)) if body.teeth else 0
    if spokes:
        middle, r = (bore + root) / 2, (root - bore) * rng.uniform(0.13, 0.2)
        for i in range(spokes):
            x = cx + middle * math.cos(i * 2 * math.pi / spokes)
            y = cy + middle * math.sin(i * 2 * math.pi / spokes)
            _disc(body, x, y, r, body.behind, line)
            _keep(body, x, y, r)


def _tooth(
    cx: float, cy: float, radii: tuple[float, float], shape: tuple[float, float], at: float,
    pitch: float,
) -> list[tuple[float, float]]:  # fmt: skip
    """Corners of a tooth; `shape` is half its width at the root and the tip, as shares of pitch."""
    root, tip = radii
    corners = (
        (root * 0.96, -shape[0]), (tip, -shape[1]), (tip, shape[1]), (root * 0.96, shape[0])
    )  # fmt: skip
    return [
        (cx + r * math.cos(at + a * pitch), cy + r * math.sin(at + a * pitch)) for r, a in corners
    ]


def _board(canvas: Canvas) -> Body:
    """Traces in rows, chips on legs, round and square pads, mounting holes, white print."""
    rng = canvas.rng
    mask_colours = ((0, 100, 0), (0, 128, 0), (34, 139, 34), (20, 90, 60), (0, 60, 130),
                    (130, 20, 30), (30, 30, 35), (75, 30, 100))  # fmt: skip
    colour = near(rng, rng.choice(mask_colours), 8)
    body = _sheet(canvas, colour, _flat(canvas, colour))
    pen, unit = draw_on(body.image), canvas.side / 20
    left, top, right, bottom = body.outline
    gold = rng.choice(((218, 165, 32), (200, 170, 90), grey(192), (255, 215, 0)))
    trace = rng.choice((shade(colour, 35), shade(colour, 50), gold))
    x, width = left + 3 * unit, max(1, round(unit * rng.uniform(0.08, 0.25)))
    for _ in range(rng.randint(2, 5)):
        y = top + (bottom - top) * rng.uniform(0.12, 0.88)
        end, drop = right - rng.uniform(2, 6) * unit, rng.choice((-1.5, 0, 1.5)) * unit
        knee = (x + end) / 2
        y = min(bottom - 2.5 * unit, max(top + 2.5 * unit, y))
        points = [(x, y), (knee, y), (knee + abs(drop), y + drop), (end, y + drop)]
        pen.line(points, fill=trace, width=width)
        for px, py in (points[0], points[-1]):
            _disc(body, px, py, unit * 0.3, gold, None)
    if rng.random() < 0.5:
        columns, square = rng.randint(3, 8), rng.random() < 0.5
        for i in range(columns):
            px, py = left + (2.5 + i) * unit, bottom - 1.2 * unit
            box = (px - unit * 0.3, py - unit * 0.3, px + unit * 0.3, py + unit * 0.3)
            (pen.rectangle if square else pen.ellipse)(box, fill=gold)
    if rng.random() < 0.4:
        for px, py in _corners(body, unit * 1.1):
            _disc(body, px, py, unit * 0.65, gold, None)
            _disc(body, px, py, unit * 0.4, body.behind, None)
            _keep(body, px, py, unit * 0.65)
    for _ in range(rng.randint(1, 4)):
        _chip(canvas, body, unit, gold)
    return body


def _chip(canvas: Canvas, body: Body, unit: float, gold: RGB) -> None:
    """A black chip with legs, a round capacitor or a small resistor, and its printed name."""
    rng, pen = canvas.rng, draw_on(body.image)
    left, top, right, bottom = body.outline
    w, h = rng.uniform(1.6, 4) * unit, rng.uniform(1.4, 3) * unit
    x = rng.uniform(left + 2 * unit, max(left + 2 * unit, right - w - 2 * unit))
    y = rng.uniform(top + 2 * unit, max(top + 2 * unit, bottom - h - 2 * unit))
    near_it = (x - unit, y - unit, x + w + unit, y + h + unit)
    if any(
        near_it[0] < b[2] and b[0] < near_it[2] and near_it[1] < b[3] and b[1] < near_it[3]
        for b in body.features
    ):
        return
    kind, name = rng.random(), f"{rng.choice('URCQD')}{rng.randint(1, 29)}"
    metal = rng.choice((grey(192), grey(160), gold))
    if kind < 0.6:
        legs = max(3, round(w / unit / 0.6))
        for i in range(legs):
            at = x + (i + 0.5) * w / legs
            pen.line((at, y - unit * 0.4, at, y + h + unit * 0.4), fill=metal, width=2)
        pen.rectangle((x, y, x + w, y + h), fill=grey(rng.choice((15, 30, 45, 60))))
        pen.ellipse((x + 3, y + 3, x + 5 + unit * 0.15, y + 5 + unit * 0.15), fill=grey(130))
        if w > 2.5 * unit:
            body.is_printed = True
            font = canvas.font(unit * 0.9, name)
            pen.text((x + w / 2, y + h / 2), name, font=font, fill=grey(210), anchor="mm")
    elif kind < 0.8:
        r = 0.9 * unit
        case = rng.choice((grey(170), (60, 70, 140), grey(40)))
        _disc(body, x + r, y + r, r, case, grey(90))
        pen.chord((x, y, x + 2 * r, y + 2 * r), 120, 240, fill=shade(case, -45))
    else:
        w, h = 1.6 * unit, 0.8 * unit
        pen.rectangle((x - unit * 0.3, y, x + w + unit * 0.3, y + h), fill=metal)
        pen.rectangle((x, y, x + w, y + h), fill=rng.choice((grey(40), (190, 150, 100))))
    body.features.append((x - 2, y - 2, x + w + 2, y + h + 2))


def _tile(canvas: Canvas) -> Body:
    """A tile with a border or glaze, or several of them with grout lines between."""
    rng = canvas.rng
    colour = near(rng, rng.choice((
        grey(255), grey(245), (245, 245, 220), (210, 180, 140), (176, 224, 230), (222, 184, 135),
        (188, 210, 190), (230, 200, 190), (205, 133, 63), (170, 195, 205), (90, 130, 160),
    )), 8)  # fmt: skip
    body = _sheet(canvas, colour, _flat(canvas, colour), round_off=False)
    left, top, right, bottom = body.outline
    pen, kind = draw_on(body.image), rng.random()
    grout = rng.choice((shade(colour, -55), shade(colour, -80), grey(150), grey(120)))
    width = max(1, round(canvas.side * rng.uniform(0.006, 0.018)))
    if kind < 0.4:
        count = rng.choice((2, 2, 3, 4))
        rows = max(2, round(count * (bottom - top) / (right - left)))
        for i in range(1, count):
            x = left + i * (right - left) / count
            pen.line((x, top, x, bottom), fill=grout, width=width)
        for i in range(1, rows):
            y = top + i * (bottom - top) / rows
            pen.line((left, y, right, y), fill=grout, width=width)
    elif kind < 0.75:
        inset = canvas.side * rng.uniform(0.02, 0.06)
        box = (left + inset, top + inset, right - inset, bottom - inset)
        pen.rectangle(box, outline=rng.choice((grout, (70, 100, 160), (90, 130, 90))), width=width)
    if rng.random() < 0.6:
        pen.rectangle(body.outline, outline=grout, width=max(2, width))
    return body


def _fabric(canvas: Canvas) -> Body:
    """Stripes, checks, twill or a fine or coarse weave."""
    rng = canvas.rng
    colour = rng.choice((
        CSS["blue"], (70, 90, 140), (178, 34, 34), (205, 92, 92), (85, 107, 47), (210, 180, 140),
        (230, 220, 200), (100, 149, 237), (147, 112, 219), (188, 143, 143), (60, 60, 90),
        grey(150), (95, 158, 160), (240, 230, 140),
    ))  # fmt: skip
    colour = near(rng, colour, 20)
    other = shade(colour, rng.choice((-1, 1)) * rng.randint(22, 55))
    texture = Image.new("RGB", (canvas.width, canvas.height), colour)
    pen, step = draw_on(texture), rng.randint(3, 22)
    kind, width = rng.random(), max(1, round(step * rng.uniform(0.2, 0.5)))
    across, down = range(0, canvas.width, step), range(0, canvas.height, step)
    if kind < 0.5:
        mix = (colour[0] + other[0]) // 2, (colour[1] + other[1]) // 2, (colour[2] + other[2]) // 2
        for x in across:
            pen.line((x, 0, x, canvas.height), fill=other, width=width)
        if kind < 0.35:
            for y in down:
                pen.line((0, y, canvas.width, y), fill=mix, width=width)
    elif kind < 0.65:
        for y in down:
            pen.line((0, y, canvas.width, y), fill=other, width=width)
    elif kind < 0.8:
        for x in range(-canvas.height, canvas.width, max(5, step)):
            pen.line((x, canvas.height, x + canvas.height, 0), fill=other, width=max(1, width // 2))
    else:
        step = max(step, 6)
        for j in range(0, canvas.height, step):
            for i in range(j // step % 2 * step, canvas.width, 2 * step):
                pen.rectangle((i, j, i + step - 1, j + step - 1), fill=other)
    return _sheet(canvas, colour, texture)


STYLED_BODIES: dict[str, Callable[[Canvas], Body]] = {
    "metal plate": _plate,
    "washer": _washer,
    "gear": _gear,
    "fabric": _fabric,
    "circuit board": _board,
    "ceramic tile": _tile,
}
