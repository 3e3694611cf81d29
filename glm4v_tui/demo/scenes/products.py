"""Family 3: packaged products with a printed brand, name, weight and price."""

from dataclasses import dataclass

from PIL import Image

from glm4v_tui.demo.scenes.canvas import (
    Canvas,
    Font,
    blotches,
    draw_on,
    gradient,
    grey,
    ink_on,
    near,
    resized,
    shade,
)
from glm4v_tui.demo.scenes.colours import COLOURS, RGB, distance
from glm4v_tui.demo.scenes.packages import PACKAGES, Package
from glm4v_tui.demo.scenes.words import (
    any_brand,
    any_name,
    any_price,
    any_weight,
    varied_brand,
    varied_name,
    varied_weight,
)

MATERIALS = ("cardboard", "glass", "metal", "plastic", "paper")


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What one image of family 3 shows.

    `price` and `weight` are as printed, None where not printed.
    """

    brand: str
    name: str
    price: str | None
    weight: str | None
    category: str
    material: str
    colour: str
    lines: tuple[str, ...]
    """Every printed line from the top down."""


def draw_product(canvas: Canvas) -> tuple[Image.Image, ProductFacts]:
    """A new package: the image and its facts."""
    rng = canvas.rng
    material = rng.choice(MATERIALS)
    colour = rng.choice([c for c in COLOURS if c != "brown"]) if material != "paper" else "brown"
    fill = near(rng, canvas.look.palette.pick(rng, colour), 4)
    image, ground = _ground(canvas, fill)
    shelf_tag = rng.random() < 0.35
    bottom = canvas.height * (rng.uniform(0.78, 0.84) if shelf_tag else rng.uniform(0.93, 0.99))
    package = PACKAGES[material](canvas, image, fill, bottom)
    varied = canvas.varied()
    name, category = varied_name(rng) if varied else any_name(rng)
    brand = varied_brand(rng) if varied and rng.random() < 0.7 else any_brand(rng)
    price = any_price(rng) if rng.random() < 0.9 else None
    weight = any_weight(rng) if rng.random() < 0.9 else None
    printed = weight
    if varied and weight is not None:
        weight, printed = varied_weight(rng)
    rows: list[tuple[float, str]] = []
    _print_label(canvas, image, package, brand, name, printed, rows)
    if price is not None:
        top = bottom if shelf_tag else None
        _print_price(canvas, image, package, price, top, rows)
    if rng.random() < 0.25:
        image = blotches(canvas, image, rng.randint(8, 30))
    if rng.random() < 0.2:
        image = image.rotate(rng.uniform(-6, 6), Image.Resampling.BILINEAR, fillcolor=ground)
    lines = tuple(text for _, text in sorted(rows))
    return image, ProductFacts(brand, name, price, weight, category, material, colour, lines)


def _ground(canvas: Canvas, fill: RGB) -> tuple[Image.Image, RGB]:
    """A plain or blended ground that differs from the package."""
    rng = canvas.rng
    for _ in range(9):
        base = near(rng, grey(rng.choice((250, 235, 215, 190, 150, 90, 45))), 12)
        if distance(base, fill) > 40:
            break
    if rng.random() < 0.5:
        return Image.new("RGB", (canvas.width, canvas.height), base), base
    return gradient(canvas, base, shade(base, rng.randint(-35, 35))), base


def _print_label(
    canvas: Canvas,
    image: Image.Image,
    package: Package,
    brand: str,
    name: str,
    weight: str | None,
    rows: list[tuple[float, str]],
) -> None:
    """Brand, name and weight on the panel, from the top down."""
    rng = canvas.rng
    left, top, right, bottom = package.panel
    ink = ink_on(rng, package.colour)
    height = bottom - top
    brand_size = min(canvas.side * rng.uniform(0.1, 0.18), height * 0.22)
    at = top + height * rng.uniform(0.12, 0.2)
    if rng.random() < 0.2:
        ink = _banner(canvas, image, package, at, brand_size, ink)
    _write(canvas, image, (left, right), at, brand, brand_size, ink, rows)
    words = name.split(" ")
    name_lines = [name] if len(words) < 3 or rng.random() < 0.4 else [words[0], " ".join(words[1:])]
    if canvas.look.variety and len(words) > 1 and (len(name) > 18 or rng.random() < 0.2):
        name_lines = _halves(words)
    size = min(
        canvas.side * rng.uniform(0.06, 0.1), height * (0.15 if len(name_lines) == 1 else 0.115)
    )
    at = top + height * rng.uniform(0.36, 0.4)
    start = len(rows)
    for line in name_lines:
        _write(canvas, image, (left, right), at, line, size, ink_on(rng, package.colour), rows)
        at += size * 1.15
    if len(name_lines) == 2:
        rows[start:] = [(rows[start][0], name)]
    if weight is not None:
        at = bottom - height * rng.uniform(0.08, 0.12)
        span = (left, left + (right - left) * 0.45) if rng.random() < 0.6 else (left, right)
        if len(weight) > 8:
            span = (left, left + (right - left) * 0.9)
        size = min(canvas.side * rng.uniform(0.055, 0.085), height * 0.12)
        _write(canvas, image, span, at, weight, size, ink_on(rng, package.colour), rows)


def _halves(words: list[str]) -> list[str]:
    """The words in two lines of about equal length."""
    splits = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words))]
    return list(min(splits, key=lambda lines: max(map(len, lines))))


def _banner(
    canvas: Canvas, image: Image.Image, package: Package, at: float, size: float, ink: RGB
) -> RGB:
    """A bar behind the brand; returns the ink for it."""
    left, _, right, _ = package.panel
    draw_on(image).rectangle((left, at - size * 0.7, right, at + size * 0.7), fill=ink)
    return ink_on(canvas.rng, ink)


def _print_price(
    canvas: Canvas,
    image: Image.Image,
    package: Package,
    price: str,
    shelf: float | None,
    rows: list[tuple[float, str]],
) -> None:
    """The price on a shelf tag below the package, or on a sticker or plain on its lower half."""
    rng = canvas.rng
    left, top, right, bottom = package.panel
    size = min(canvas.side * rng.uniform(0.075, 0.13), (bottom - top) * 0.15)
    pen = draw_on(image)
    if shelf is not None:
        at, half = (shelf + canvas.height) / 2, (canvas.height - shelf) * 0.4
        size = min(size, half * 1.6)
        x = canvas.width * rng.uniform(0.35, 0.65)
    else:
        at = top + (bottom - top) * rng.uniform(0.7, 0.75)
        half, x = size * 0.75, left + (right - left) * rng.uniform(0.55, 0.66)
    width = size * 0.33 * len(price) + size * 0.3
    x = min(x, canvas.width - width - 2)
    tag = rng.choice((grey(255), grey(255), (255, 235, 60), (250, 220, 0), (200, 20, 30), grey(20)))
    plain = rng.random() < 0.25
    if not plain or shelf is not None:
        shape = pen.rectangle if rng.random() < 0.65 else pen.ellipse
        grow = 1.0 if shape == pen.rectangle else 1.25
        shape(
            (x - width * grow, at - half, x + width * grow, at + half),
            fill=tag,
            outline=rng.choice((None, grey(0))),
        )
    ink = ink_on(rng, package.colour if plain and shelf is None else tag)
    _write(canvas, image, (x - width, x + width), at, price, size, ink, rows)


def _write(
    canvas: Canvas,
    image: Image.Image,
    span: tuple[float, float],
    at: float,
    text: str,
    size: float,
    ink: RGB,
    rows: list[tuple[float, str]],
) -> None:
    """One centred line that fits between the left and right of `span`."""
    room = (span[1] - span[0]) * 0.94
    font: Font = canvas.font(max(11, size), text)
    length = font.getlength(text)
    if length > room:
        font = resized(font, max(9, size * room / length))
    middle = (span[0] + span[1]) / 2
    slack = max(0.0, room - min(length, room)) / 2
    x = middle + canvas.rng.uniform(-0.4, 0.4) * slack
    draw_on(image).text((x, at), text, font=font, fill=ink, anchor="mm")
    rows.append((at, text))
