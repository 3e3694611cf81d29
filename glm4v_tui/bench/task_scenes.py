"""The embedded model's own scenes as questions of the bundled tasks: what is drawn, what is right.

Scenes are drawn in the colors and fonts that training never saw.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glm4v_tui.demo.scenes.canvas import Canvas, overlap
from glm4v_tui.demo.scenes.chest import draw_chest
from glm4v_tui.demo.scenes.parts import draw_part
from glm4v_tui.demo.scenes.products import draw_product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from PIL.Image import Image

    from glm4v_tui.demo.scenes.canvas import Look
    from glm4v_tui.demo.scenes.chest import ChestFacts
    from glm4v_tui.demo.scenes.parts import Defect, PartFacts
    from glm4v_tui.demo.scenes.products import ProductFacts

    Judged = Iterator[tuple[str, bool]]
    """What was judged, and whether it is right."""

SIZES = ((640, 480), (480, 640), (512, 512), (720, 405), (600, 400), (480, 600))
"""Widths and heights of the images, in pixels."""
_BOX = 0.5
"""A box is right above this intersection over union."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a task is measured on."""

    draw: Callable[[Canvas], tuple[Image, Any]]
    """An image and its facts."""
    judge: Callable[[Any, Mapping[str, Any]], Judged]
    """Gets the facts and the result as JSON values."""


def drawn(scene: Scene, seed: int, look: Look) -> tuple[Image, Any]:
    """The image of that seed and its facts."""
    rng = random.Random(f"task {seed}")
    width, height = rng.choice(SIZES)
    return scene.draw(Canvas(rng, width, height, look))


def _judge_part(facts: PartFacts, result: Mapping[str, Any]) -> Judged:
    found = result["defects"]
    yield "product", result["product"] == facts.part
    yield "number of defects", len(found) == len(facts.defects)
    yield "grade", result["grade"] == facts.grade
    whole = [(one["type"], one["place"], one["severity"]) for one in found]
    yield (
        "all but boxes",
        (result["product"], result["grade"], whole)
        == (
            *(facts.part, facts.grade),
            [(one.kind, one.place, one.severity) for one in facts.defects],
        ),
    )
    for defect in facts.defects:
        yield from _judge_defect(defect, found)


def _judge_defect(defect: Defect, found: list[Mapping[str, Any]]) -> Judged:
    """Against the reported defect that overlaps most; all wrong where none overlaps."""
    shares = [overlap(defect.box, one["box"]) for one in found]
    best = max(shares, default=0.0)
    nearest = found[shares.index(best)] if best > 0 else {}
    yield "defect: type", nearest.get("type") == defect.kind
    yield "defect: place", nearest.get("place") == defect.place
    yield "defect: box", best > _BOX
    yield "defect: severity", nearest.get("severity") == defect.severity


def _judge_product(facts: ProductFacts, result: Mapping[str, Any]) -> Judged:
    names = ("brand", "name", "price", "weight", "category", "material")
    right = [result[name] == getattr(facts, name) for name in names]
    yield from zip(names, right, strict=True)
    yield "all six", all(right)


def _judge_chest(facts: ChestFacts, result: Mapping[str, Any]) -> Judged:
    yield "texture", result["texture"].lower() == facts.texture
    sides = {"nodule": facts.nodule_side, "effusion": facts.effusion}
    for name, side in sides.items():
        found = [one for one in result["findings"] if name in one["what"].lower()]
        yield f"{name} or none", bool(found) == (side is not None)
        if side is not None:
            yield f"{name}: side", any(one["side"] == side for one in found)


SCENES = {
    "defect": Scene(draw_part, _judge_part),
    "medical": Scene(draw_chest, _judge_chest),
    "retail": Scene(draw_product, _judge_product),
}
"""By the task's name."""
