"""Where the shapes of a varied scene lie: rows, columns, grids, overlapping pairs, or anywhere."""

import math
from typing import TypeAlias

from glm4v_tui.demo.scenes.canvas import Canvas

Spot: TypeAlias = tuple[float, float, float]
"""Centre and radius in pixels."""
Placed: TypeAlias = tuple[str, Spot, int | None]
"""Size, spot, and the number of the shape that it partly covers."""

_RADIUS = {"small": (0.035, 0.075), "medium": (0.10, 0.14), "large": (0.185, 0.34)}
"""As of plain scenes, with smaller small ones."""
_HUGE = (0.34, 0.46)
_GRIDS = ((2, 2), (2, 3), (3, 2), (3, 3), (2, 4), (3, 1), (2, 1))
"""Rows and columns."""
_CLEAR = 0.022
"""Shapes in rows lie at least this share of the side from a border of the nine fields."""


def any_layout(canvas: Canvas) -> list[Placed]:
    """Shapes in the order in which they are drawn."""
    rng = canvas.rng
    kind = rng.random()
    if kind < 0.34:
        found = _rows(canvas, 1, rng.choices((2, 3, 4, 5, 6, 7), (2, 4, 5, 5, 4, 2))[0])
    elif kind < 0.42:
        found = _rows(canvas, rng.choices((2, 3, 4, 5, 6, 7), (2, 4, 5, 4, 3, 1))[0], 1)
    elif kind < 0.56:
        found = _rows(canvas, *rng.choice(_GRIDS))
    else:
        found = []
    return found or _free(canvas, overlapping=kind > 0.86)


def _rows(canvas: Canvas, rows: int, columns: int) -> list[Placed]:
    """A regular grid; a single line may stand anywhere and its shapes may differ in size."""
    rng = canvas.rng
    for _ in range(12):
        width, height = canvas.width * rng.uniform(0.72, 1.0), canvas.height * rng.uniform(0.72, 1)
        left, top = rng.uniform(0, canvas.width - width), rng.uniform(0, canvas.height - height)
        cell = min(width / columns, height / rows)
        sizes = [s for s, (low, _) in _RADIUS.items() if low * canvas.side < 0.46 * cell]
        if not sizes:
            return []
        if rows == 1:
            top = rng.uniform(0, canvas.height - cell)
            height = cell
        elif columns == 1:
            left = rng.uniform(0, canvas.width - cell)
            width = cell
        centres = [
            (left + (i + 0.5) * width / columns, top + (j + 0.5) * height / rows)
            for j in range(rows)
            for i in range(columns)
        ]
        if all(_clear(x / canvas.width) and _clear(y / canvas.height) for x, y in centres):
            break
    else:
        return []
    equal = rng.random() < 0.6
    size = rng.choice(sizes[-2:])
    radius = _radius(canvas, size, cell)
    found: list[Placed] = []
    for x, y in centres:
        if not equal:
            size = rng.choice(sizes)
            radius = _radius(canvas, size, cell)
        found.append((size, (x, y, radius), None))
    return found


def _radius(canvas: Canvas, size: str, cell: float) -> float:
    low, high = (share * canvas.side for share in _RADIUS[size])
    return canvas.rng.uniform(low, min(high, 0.47 * cell))


def _clear(at: float) -> bool:
    return abs(at - 1 / 3) > _CLEAR and abs(at - 2 / 3) > _CLEAR


def _free(canvas: Canvas, overlapping: bool) -> list[Placed]:
    """One to seven shapes anywhere; the second one covers a part of the first if they overlap."""
    rng = canvas.rng
    count = rng.choices((1, 2, 3, 4, 5, 6, 7), (4, 4, 5, 4, 3, 2, 2))[0]
    found: list[Placed] = []
    if overlapping:
        found = _pair(canvas)
    for _ in range(count - len(found)):
        size = rng.choice(tuple(_RADIUS))
        shares = _HUGE if size == "large" and count < 3 and rng.random() < 0.4 else _RADIUS[size]
        radius = rng.uniform(*shares) * canvas.side
        for _ in range(30):
            x, y = canvas.spot(radius * 1.05, radius * 1.05)
            if _free_of(found, x, y, radius):
                found.append((size, (x, y, radius), None))
                break
    return found


def _free_of(found: list[Placed], x: float, y: float, radius: float) -> bool:
    return all(math.hypot(x - a, y - b) > 1.08 * (radius + r) for _, (a, b, r), _ in found)


def _pair(canvas: Canvas) -> list[Placed]:
    """Two shapes of similar size, of which the second covers less than half of the first."""
    rng = canvas.rng
    for _ in range(20):
        sizes = rng.choice((("medium", "medium"), ("large", "large"), ("medium", "large")))
        first, second = (rng.uniform(*_RADIUS[s]) * canvas.side for s in sizes)
        x, y = canvas.spot(first * 1.03, first * 1.03)
        angle = rng.uniform(0, 2 * math.pi)
        far = (first + second) * rng.uniform(0.62, 0.85)
        if far < 0.9 * max(first, second):
            continue
        a, b = x + far * math.cos(angle), y + far * math.sin(angle)
        inside = second < a < canvas.width - second and second < b < canvas.height - second
        if inside and _clear(a / canvas.width) and _clear(b / canvas.height):
            return [(sizes[0], (x, y, first), None), (sizes[1], (a, b, second), 0)]
    return []
