"""Family 4: stylised chest phantoms, drawn and labelled as synthetic."""

import math
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from glm4v_tui.demo.scenes.canvas import Canvas, draw_on, grey

TEXTURES = ("clear", "reticular", "ground glass")
SIDES = ("left", "right")
"""Sides of the image, not of a body."""
NODULE_SIZES = ("small", "medium", "large")
_RADIUS = {"small": (0.026, 0.034), "medium": (0.045, 0.055), "large": (0.072, 0.095)}
"""Radius of a nodule as a share of the shorter side."""


@dataclass(frozen=True, slots=True)
class ChestFacts:
    """What one phantom shows; sides are those of the image."""

    nodule_side: str | None
    nodule_size: str | None
    effusion: str | None
    texture: str

    @property
    def urgency(self) -> str:
        """`urgent` with a large nodule or an effusion, `soon` with anything else, or `routine`."""
        if self.effusion or self.nodule_size == "large":
            return "urgent"
        return "routine" if self.normal else "soon"

    @property
    def normal(self) -> bool:
        """Whether nothing is to be reported."""
        return self.nodule_side is None and self.effusion is None and self.texture == "clear"


@dataclass(frozen=True, slots=True)
class _Lung:
    """An upright half-ellipse: centre and half axes in pixels."""

    x: float
    y: float
    rx: float
    ry: float


def draw_chest(canvas: Canvas) -> tuple[Image.Image, ChestFacts]:
    """A new phantom: the image and its facts."""
    rng = canvas.rng
    nodule_side = rng.choice(SIDES) if rng.random() < 0.55 else None
    nodule_size = rng.choice(NODULE_SIZES) if nodule_side else None
    effusion = rng.choice(SIDES) if rng.random() < 0.4 else None
    facts = ChestFacts(nodule_side, nodule_size, effusion, rng.choices(TEXTURES, (2, 1, 1))[0])
    varied = canvas.varied()
    size = (canvas.width, canvas.height)
    tissue, air = rng.randint(120, 175), rng.randint(28, 60)
    if varied:
        tissue, air = rng.randint(105, 180), rng.randint(12, 55)
    image = Image.new("L", size, rng.randint(0, 18))
    pen = ImageDraw.Draw(image)
    cx, cy = canvas.width * rng.uniform(0.46, 0.54), canvas.height * rng.uniform(0.48, 0.54)
    half = min(canvas.width * 0.46, canvas.height * rng.uniform(0.5, 0.62))
    pen.ellipse(
        (cx - half, cy - canvas.height * 0.56, cx + half, cy + canvas.height * 0.75), fill=tissue
    )
    lungs = _lungs(canvas, cx, cy, half)
    mask = _lung_mask(size, lungs)
    inside = _lung_field(canvas, facts.texture, air)
    image.paste(inside, (0, 0), mask)
    if facts.effusion:
        _effusion(canvas, image, mask, lungs[facts.effusion], tissue)
    _bones(canvas, image, cx, cy, half, tissue)
    if facts.nodule_side and facts.nodule_size:
        _nodule(canvas, image, lungs[facts.nodule_side], facts, tissue)
    picture = image.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.2))).convert("RGB")
    if varied:
        picture = _toned(canvas, picture)
    if rng.random() < 0.8:
        text = rng.choice(("SYNTHETIC", "PHANTOM", "SYNTHETIC PHANTOM", "NOT A PATIENT"))
        font = canvas.font(canvas.side * 0.045, text)
        draw_on(picture).text((4, canvas.height - 4), text, font=font, fill=grey(210), anchor="ls")
    return picture, facts


def _toned(canvas: Canvas, picture: Image.Image) -> Image.Image:
    """Another contrast, a blue or warm tone as of film, or rarely dark for bright."""
    rng = canvas.rng
    gain, lift = rng.uniform(0.75, 1.15), rng.randint(-8, 25)
    steps = [min(255, max(0, round(v * gain + lift))) for v in range(256)]
    if rng.random() < 0.12:
        steps = [255 - v for v in steps]
    tints = [1.0, 1.0, 1.0]
    if rng.random() < 0.2:
        tints[rng.choice((0, 2))] = 0.85
    return picture.point([min(255, round(v * tint)) for tint in tints for v in steps])


def _lungs(canvas: Canvas, cx: float, cy: float, half: float) -> dict[str, _Lung]:
    rng = canvas.rng
    rx, ry = half * rng.uniform(0.34, 0.4), canvas.height * rng.uniform(0.32, 0.38)
    gap = half * rng.uniform(0.46, 0.52)
    if canvas.varied():
        rx, ry = half * rng.uniform(0.3, 0.4), canvas.height * rng.uniform(0.29, 0.4)
        gap = rx + half * rng.uniform(0.08, 0.16)
    return {side: _Lung(cx + sign * gap, cy, rx, ry) for side, sign in (("left", -1), ("right", 1))}


def _lung_mask(size: tuple[int, int], lungs: dict[str, _Lung]) -> Image.Image:
    mask = Image.new("L", size, 0)
    pen = ImageDraw.Draw(mask)
    for lung in lungs.values():
        pen.ellipse(
            (lung.x - lung.rx, lung.y - lung.ry, lung.x + lung.rx, lung.y + lung.ry), fill=255
        )
    return mask


def _lung_field(canvas: Canvas, texture: str, air: int) -> Image.Image:
    """Dark air with the texture's pattern over the whole canvas."""
    rng = canvas.rng
    size = (canvas.width, canvas.height)
    if texture == "ground glass":
        cells = rng.randint(7, 11)
        haze = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells)).resize(
            size, Image.Resampling.BICUBIC
        )
        level = rng.uniform(0.28, 0.4)
        return haze.point([round(air + 34 + v * level * 0.3) for v in range(256)])
    field = Image.new("L", size, air)
    if texture == "reticular":
        pen = ImageDraw.Draw(field)
        step = canvas.side * rng.uniform(0.035, 0.05)
        line = min(255, air + rng.randint(45, 70))
        for i in range(int((canvas.width + canvas.height) / step)):
            at = i * step
            pen.line((at, 0, at - canvas.height, canvas.height), fill=line, width=1)
            pen.line(
                (canvas.width - at, 0, canvas.width - at + canvas.height, canvas.height),
                fill=line,
                width=1,
            )
    return field


def _effusion(
    canvas: Canvas, image: Image.Image, lungs: Image.Image, lung: _Lung, tissue: int
) -> None:
    """Bright fluid in the lower part of a lung, its surface curved upwards at the sides."""
    level = lung.y + lung.ry * canvas.rng.uniform(0.1, 0.5)
    fluid = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(fluid)
    pen.rectangle((lung.x - lung.rx, level, lung.x + lung.rx, lung.y + lung.ry), fill=255)
    dip = lung.ry * canvas.rng.uniform(0.08, 0.2)
    pen.ellipse((lung.x - lung.rx, level - dip, lung.x + lung.rx, level + dip), fill=0)
    image.paste(
        min(255, tissue + canvas.rng.randint(5, 25)), (0, 0), ImageChops.multiply(fluid, lungs)
    )


def _bones(
    canvas: Canvas, image: Image.Image, cx: float, cy: float, half: float, tissue: int
) -> None:
    """Spine, heart shadow, ribs and clavicles."""
    rng = canvas.rng
    pen = ImageDraw.Draw(image)
    spine = half * rng.uniform(0.06, 0.09)
    pen.rectangle((cx - spine, 0, cx + spine, canvas.height), fill=tissue + 25)
    heart = half * rng.uniform(0.22, 0.28)
    hx, hy = cx + half * 0.08, cy + canvas.height * 0.16
    pen.ellipse((hx - heart, hy - heart * 1.1, hx + heart, hy + heart * 1.2), fill=tissue + 12)
    ribs = rng.randint(4, 7)
    width = max(1, round(canvas.side * rng.uniform(0.006, 0.014)))
    for i in range(ribs):
        y = cy - canvas.height * 0.34 + i * canvas.height * 0.62 / ribs
        for sign in (-1, 1):
            middle = cx + sign * half * 0.47
            reach = half * 0.44
            start, end = (185, 350) if sign < 0 else (190, 355)
            box = (middle - reach, y, middle + reach, y + canvas.height * 0.16)
            pen.arc(box, start, end, fill=min(255, tissue - rng.randint(15, 45)), width=width)


def _nodule(
    canvas: Canvas, image: Image.Image, lung: _Lung, facts: ChestFacts, tissue: int
) -> None:
    """A soft bright disc inside the lung, above any fluid."""
    rng = canvas.rng
    radius = rng.uniform(*_RADIUS[facts.nodule_size or "small"]) * canvas.side
    lowest = 0.0 if facts.effusion == facts.nodule_side else 0.6
    reach = max(0.05, 1 - 1.25 * radius / lung.rx)
    angle = rng.uniform(0, 2 * math.pi)
    x = lung.x + 0.75 * reach * lung.rx * math.cos(angle) * rng.random() ** 0.5
    y = lung.y + lung.ry * min(lowest - 0.1, 0.7 * math.sin(angle) * rng.random() ** 0.5)
    layer = Image.new("L", image.size, 0)
    ImageDraw.Draw(layer).ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=rng.randint(215, 255)
    )
    edge = max(0.6, radius * 0.12)
    area = (int(x - 2 * radius), int(y - 2 * radius), int(x + 2 * radius), int(y + 2 * radius))
    image.paste(
        min(255, tissue + rng.randint(40, 75)),
        area,
        layer.crop(area).filter(ImageFilter.BoxBlur(edge)),
    )
