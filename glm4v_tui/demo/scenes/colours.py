"""Named colours and the RGB values that carry each name.

Every name owns a fixed set of RGB values sampled once from its HSV region. A quarter of them is
kept for evaluation and never used in training.
"""

import colorsys
import random
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

RGB: TypeAlias = tuple[int, int, int]

COLOURS = (
    "red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white",
    "gray", "cyan",
)  # fmt: skip

# Hue in degrees, saturation and value in percent: (low, high) of each. Several regions may share
# a name.
_REGIONS: dict[str, tuple[tuple[int, int, int, int, int, int], ...]] = {
    "red": ((354, 365, 75, 100, 72, 100),),
    "green": ((95, 145, 55, 100, 40, 90), (115, 125, 90, 100, 95, 100)),
    "blue": ((212, 242, 65, 100, 55, 100), (235, 242, 90, 100, 45, 60)),
    "yellow": ((50, 60, 70, 100, 90, 100),),
    "orange": ((22, 39, 80, 100, 90, 100),),
    "purple": ((268, 302, 50, 100, 40, 72),),
    "pink": ((325, 352, 22, 62, 92, 100),),
    "brown": ((14, 30, 55, 85, 32, 65), (0, 3, 72, 76, 62, 67)),
    "black": ((0, 360, 0, 20, 0, 10),),
    "white": ((0, 360, 0, 4, 95, 100),),
    "gray": ((0, 360, 0, 6, 40, 68),),
    "cyan": ((176, 190, 60, 100, 85, 100),),
}

# What a person who draws by colour name gets (CSS values, as Pillow's ImageColor knows them).
CSS: dict[str, RGB] = {
    "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "orange": (255, 165, 0), "purple": (128, 0, 128), "pink": (255, 192, 203),
    "brown": (165, 42, 42), "black": (0, 0, 0), "white": (255, 255, 255),
    "gray": (128, 128, 128), "cyan": (0, 255, 255),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """RGB values by colour name, either the training or the held-out part of each region."""

    values: dict[str, tuple[RGB, ...]]

    def pick(self, rng: random.Random, name: str) -> RGB:
        """One RGB value that is called `name`."""
        return rng.choice(self.values[name])


def distance(a: RGB, b: RGB) -> int:
    """Largest difference of a channel, 0-255."""
    return max(abs(p - q) for p, q in zip(a, b, strict=True))


@cache
def palettes() -> tuple[Palette, Palette]:
    """The training and the held-out palette; no value is in both."""
    rng = random.Random(4)
    train: dict[str, tuple[RGB, ...]] = {}
    held_out: dict[str, tuple[RGB, ...]] = {}
    for name in COLOURS:
        values = sorted(
            {_sample(rng, rng.choice(_REGIONS[name])) for _ in range(160)} - {CSS[name]}
        )
        rng.shuffle(values)
        cut = len(values) // 4
        held_out[name] = tuple(values[:cut])
        train[name] = (*values[cut:], *(CSS[name],) * 30)
    return Palette(train), Palette(held_out)


def _sample(rng: random.Random, region: tuple[int, int, int, int, int, int]) -> RGB:
    h0, h1, s0, s1, v0, v1 = region
    hue, sat, val = (
        rng.uniform(h0, h1) % 360 / 360,
        rng.uniform(s0, s1) / 100,
        rng.uniform(v0, v1) / 100,
    )
    r, g, b = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, sat, val))
    return r, g, b
