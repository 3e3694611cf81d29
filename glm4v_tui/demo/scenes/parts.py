"""Family 2: machined, woven and printed parts with none to three defects."""

import math
from dataclasses import dataclass

from PIL import Image

from glm4v_tui.demo.scenes.bodies import BODIES, Body
from glm4v_tui.demo.scenes.canvas import Box, Canvas, blotches, box_of, place_of
from glm4v_tui.demo.scenes.damage import DAMAGE, lose_teeth
from glm4v_tui.demo.scenes.marks import MARKS
from glm4v_tui.demo.scenes.styles import STYLED_BODIES

DEFECTS = ("scratch", "dent", "crack", "hole", "stain", "missing piece")
PARTS: dict[str, tuple[str, ...]] = {
    "metal plate": DEFECTS,
    "washer": ("scratch", "dent", "crack", "stain", "missing piece"),
    "gear": ("scratch", "dent", "crack", "stain", "missing piece"),
    "fabric": ("hole", "stain", "scratch", "missing piece"),
    "circuit board": ("scratch", "crack", "hole", "stain", "missing piece"),
    "ceramic tile": ("scratch", "crack", "hole", "stain", "missing piece"),
}
"""Each part with the defects that occur on it."""

SEVERITIES = ("minor", "moderate", "severe")
_PENALTY = {"minor": 1, "moderate": 3, "severe": 5}
_EXTENT = {"minor": (0.045, 0.065), "moderate": (0.09, 0.12), "severe": (0.16, 0.23)}
"""Half the size of a round defect as a share of the shorter side; lines are twice as long."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect; `box` is [x1, y1, x2, y2] in 0-999."""

    kind: str
    place: str
    box: list[int]
    severity: str


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What one image of family 2 shows; defects from the top down."""

    part: str
    defects: tuple[Defect, ...]
    is_printed: bool = False
    """Whether there is print on the part, which nobody asks about."""

    @property
    def grade(self) -> int:
        """10 without defects, less 1, 3 or 5 for each minor, moderate or severe one, at least 1."""
        return max(1, 10 - sum(_PENALTY[d.severity] for d in self.defects))


def draw_part(canvas: Canvas) -> tuple[Image.Image, PartFacts]:
    """A new part: the image and its facts."""
    rng = canvas.rng
    name = rng.choice(tuple(PARTS))
    body = (STYLED_BODIES if canvas.varied() else BODIES)[name](canvas)
    count = rng.choices((0, 1, 2, 3), (8, 11, 3, 2))[0]
    defects: list[Defect] = []
    taken = list(body.features)
    for _ in range(count):
        drawn = _add_defect(canvas, body, rng.choice(PARTS[name]), taken)
        if drawn is not None:
            defects.append(drawn)
    if rng.random() < 0.35:
        body.image = blotches(canvas, body.image, rng.randint(8, 26))
    defects.sort(key=lambda d: (d.box[1] + d.box[3], d.box[0]))
    return body.image, PartFacts(name, tuple(defects), body.is_printed)


def _add_defect(canvas: Canvas, body: Body, kind: str, taken: list[Box]) -> Defect | None:
    rng = canvas.rng
    if kind == "missing piece" and body.teeth and rng.random() < 0.7:
        return _lost_teeth(canvas, body, taken)
    hidden = body.is_toothed and kind == "missing piece"
    severity = rng.choice(SEVERITIES[1:] if hidden else SEVERITIES)
    extent = rng.uniform(*_EXTENT[severity]) * canvas.side
    for _ in range(30):
        spot = (
            _rim_spot(canvas, body)
            if kind == "missing piece"
            else _inner_spot(canvas, body, extent)
        )
        if spot is None:
            return None
        x, y = spot
        if all(
            x < b[0] - extent or x > b[2] + extent or y < b[1] - extent or y > b[3] + extent
            for b in taken
        ):
            break
    else:
        return None
    narrow = body.hole > 0 and kind in {"dent", "stain"} and extent > 0.09 * canvas.side
    draw = (DAMAGE if not narrow and canvas.varied() else MARKS)[kind]
    return _found(canvas, kind, severity, draw(canvas, body, x, y, extent), taken)


def _lost_teeth(canvas: Canvas, body: Body, taken: list[Box]) -> Defect | None:
    """One missing tooth, which is moderate, or two that are severe."""
    if any(d not in body.features for d in taken):
        return None
    count = 1 if canvas.rng.random() < 0.75 else 2
    box = lose_teeth(body, canvas.rng.randrange(len(body.teeth)), count)
    return _found(canvas, "missing piece", SEVERITIES[count], box, taken)


def _found(canvas: Canvas, kind: str, severity: str, box: Box, taken: list[Box]) -> Defect:
    box = (
        max(0, box[0]),
        max(0, box[1]),
        min(canvas.width - 1, box[2]),
        min(canvas.height - 1, box[3]),
    )
    taken.append(box)
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Defect(kind, place_of(cx, cy, canvas), box_of(box, canvas), severity)


def _inner_spot(canvas: Canvas, body: Body, extent: float) -> tuple[float, float] | None:
    """A point well inside the part."""
    left, top, right, bottom = body.outline
    cx, cy, outer = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
    for _ in range(60):
        x, y = canvas.spot(extent, extent)
        if body.hole:
            ring = math.hypot(x - cx, y - cy)
            if body.hole + extent * 0.5 < ring < outer - extent * 0.5:
                return x, y
        elif left + extent < x < right - extent and top + extent < y < bottom - extent:
            return x, y
    return None


def _rim_spot(canvas: Canvas, body: Body) -> tuple[float, float] | None:
    """A point on the edge of the part."""
    rng = canvas.rng
    left, top, right, bottom = body.outline
    for _ in range(60):
        if body.hole:
            angle = rng.uniform(0, 2 * math.pi)
            r = (right - left) / 2
            x, y = (
                (left + right) / 2 + r * math.cos(angle),
                (top + bottom) / 2 + r * math.sin(angle),
            )
        else:
            along = rng.random()
            x, y = rng.choice(
                (
                    (left + along * (right - left), top),
                    (left + along * (right - left), bottom),
                    (left, top + along * (bottom - top)),
                    (right, top + along * (bottom - top)),
                )
            )
        cells = (x / canvas.width, y / canvas.height)
        if all(abs(c - 1 / 3) > 0.04 and abs(c - 2 / 3) > 0.04 for c in cells):
            return x, y
    return None
