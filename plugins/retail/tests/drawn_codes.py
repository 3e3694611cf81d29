"""Codes to look at: zxing-cpp's own, and EAN-13 with any check digit, which it refuses to draw."""

import numpy as np
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

_L = (
    "0001101", "0011001", "0010011", "0111101", "0100011",
    "0110001", "0101111", "0111011", "0110111", "0001011",
)  # fmt: skip
_R = [bits.translate(str.maketrans("01", "10")) for bits in _L]
_SETS = {"L": _L, "G": [bits[::-1] for bits in _R]}
_PARITY = (
    "LLLLLL", "LLGLGG", "LLGGLG", "LLGGGL", "LGLLGG",
    "LGGLLG", "LGGGLL", "LGLGLG", "LGLGGL", "LGGLGL",
)  # fmt: skip
"""Number sets of the left half by the first digit (GS1 General Specifications, section 5.2)."""

PHOTO = (4000, 3000)


def code(text, name, scale=3, **options):
    """A code as zxing-cpp draws it, quiet zones included; RGB."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, name), **options)
    return Image.fromarray(np.array(made.to_image(scale=scale))).convert("RGB")


def ean13(number, module=3, height=120):
    """An EAN-13 with the check digit that it is given; RGB."""
    halves = zip(_PARITY[int(number[0])], number[1:7], strict=True)
    left = "".join(_SETS[kind][int(digit)] for kind, digit in halves)
    bits = f"101{left}01010{''.join(_R[int(digit)] for digit in number[7:])}101"
    image = Image.new("RGB", ((len(bits) + 22) * module, height + 40), "white")
    pen = ImageDraw.Draw(image)
    for at, bit in enumerate(bits, 11):
        if bit == "1":
            pen.rectangle((at * module, 20, (at + 1) * module - 1, 20 + height), fill="black")
    return image


def photo(size=PHOTO, seed=1):
    """Light, grain, packages and print, as on a shelf; no code."""
    rng = np.random.default_rng(seed)
    width, height = size
    light = np.zeros((height, width), np.float32)
    for cells in (6, 40, 300):
        coarse = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
        light += np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)) * (60 + 2000 / cells)
    light += rng.normal(0, 6, (height, width)).astype(np.float32)
    image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(120):
        left, top = (int(rng.integers(0, side)) for side in size)
        color = tuple(int(value) for value in rng.integers(0, 255, 3))
        wide, high = int(rng.integers(40, 500)), int(rng.integers(40, 600))
        pen.rectangle((left, top, left + wide, top + high), fill=color, outline="black")
        pen.text((left + 5, top + 5), "Organic Muesli 500 g", fill="white", font_size=40)
    return image.filter(ImageFilter.GaussianBlur(0.8))


def noisy(image, spread=25, seed=1):
    grain = np.random.default_rng(seed).normal(0, spread, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def on_paper(*placed, size=(800, 600)):
    """Codes at places of a white page."""
    page = Image.new("RGB", size, "white")
    for image, at in placed:
        page.paste(image, at)
    return page
