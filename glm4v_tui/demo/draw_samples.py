"""Draw the sample images: `python -m glm4v_tui.demo.draw_samples --fonts DIR`."""

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from glm4v_tui.demo import SAMPLES
from glm4v_tui.demo.scenes.canvas import Canvas, looks
from glm4v_tui.demo.scenes.chest import draw_chest
from glm4v_tui.demo.scenes.parts import draw_part
from glm4v_tui.demo.scenes.products import draw_product
from glm4v_tui.demo.scenes.shapes import draw_shapes
from glm4v_tui.demo.scenes.sheets import draw_sheet

_Draw = Callable[[Canvas], tuple[Image.Image, object]]
_SAMPLES: dict[str, tuple[_Draw, int, tuple[int, int]]] = {
    "shapes-1.png": (draw_shapes, 100, (640, 480)),
    "shapes-2.png": (draw_shapes, 101, (640, 480)),
    "shapes-3.png": (draw_shapes, 104, (640, 480)),
    "shapes-4.png": (draw_shapes, 106, (640, 480)),
    "shapes-5.png": (draw_shapes, 117, (640, 480)),
    "part-tile-1.png": (draw_part, 103, (640, 480)),
    "part-tile-2.png": (draw_part, 106, (640, 480)),
    "part-washer.png": (draw_part, 107, (640, 480)),
    "part-gear.png": (draw_part, 109, (640, 480)),
    "part-fabric.png": (draw_part, 112, (640, 480)),
    "part-plate.png": (draw_part, 113, (640, 480)),
    "product-can.png": (draw_product, 135, (480, 600)),
    "product-box.png": (draw_product, 104, (480, 600)),
    "product-bag.png": (draw_product, 116, (480, 600)),
    "sheet.png": (draw_sheet, 102, (640, 480)),
    "chest-phantom-1.png": (draw_chest, 100, (512, 512)),
    "chest-phantom-2.png": (draw_chest, 101, (512, 512)),
    "chest-phantom-3.png": (draw_chest, 108, (512, 512)),
    "chest-phantom-4.png": (draw_chest, 114, (512, 512)),
}
"""File name, family, seed, and width and height in pixels."""


def main() -> None:
    """Parse the command line and write every sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--fonts", type=Path, required=True, help="folder of .ttf and .otf files")
    parser.add_argument("--out", type=Path, default=SAMPLES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    look = replace(looks(options.fonts)[1], variety=0.0)
    for name, (draw, seed, (width, height)) in _SAMPLES.items():
        image, _ = draw(Canvas(random.Random(seed), width, height, look))
        image.save(options.out / name, optimize=True)


if __name__ == "__main__":
    main()
