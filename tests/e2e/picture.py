"""A pyte screen as a picture, in true color: for people who look at what a test saw."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_FONTS = [
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"),
    Path("/usr/share/fonts/TTF/DejaVuSansMono.ttf"),
    Path("/Library/Fonts/DejaVuSansMono.ttf"),
]
_CELL = (9, 18)
_FOREGROUND, _BACKGROUND = (220, 220, 220), (16, 16, 16)
_NAMED = {
    "black": (0, 0, 0),
    "red": (205, 0, 0),
    "green": (0, 205, 0),
    "brown": (205, 205, 0),
    "blue": (0, 0, 238),
    "magenta": (205, 0, 205),
    "cyan": (0, 205, 205),
    "white": (229, 229, 229),
}


def draw(screen) -> Image.Image:
    """The screen's cells with their colors; half blocks and bars fill their cells exactly."""
    width, height = _CELL
    image = Image.new("RGB", (screen.columns * width, screen.lines * height), _BACKGROUND)
    pen, font = ImageDraw.Draw(image), _font()
    for row in range(screen.lines):
        for column in range(screen.columns):
            _draw_cell(pen, font, column * width, row * height, screen.buffer[row][column])
    return image


def _draw_cell(pen, font, x, y, cell):
    front, back = _color(cell.fg, _FOREGROUND), _color(cell.bg, _BACKGROUND)
    if cell.reverse:
        front, back = back, front
    width, height = _CELL
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=back)
    if part := _block(cell.data):
        left, top, right, bottom = part
        box = (x + left * width, y + top * height, x + right * width - 1, y + bottom * height - 1)
        if box[2] >= box[0]:
            pen.rectangle(box, fill=front)
    elif cell.data.strip():
        pen.text((x, y), cell.data, font=font, fill=front)
    if cell.underscore:
        pen.line((x, y + height - 2, x + width, y + height - 2), fill=front)


def _block(text: str) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a block character, as parts of the cell."""
    if text == "▀":
        return (0, 0, 1, 0.5)
    if text and "▁" <= text <= "█":
        return (0, 1 - (ord(text) - ord("▁") + 1) / 8, 1, 1)
    if text and "▉" <= text <= "▏":
        return (0, 0, 1 - (ord(text) - ord("█")) / 8, 1)
    return None


def _color(name: str, default: tuple[int, int, int]) -> tuple[int, int, int]:
    if name == "default":
        return default
    name = name.removeprefix("bright")
    if name in _NAMED:
        return _NAMED[name]
    return tuple(int(name[at : at + 2], 16) for at in (0, 2, 4))


def _font():
    for path in _FONTS:
        if path.exists():
            return ImageFont.truetype(path, 15)
    return ImageFont.load_default(15)
