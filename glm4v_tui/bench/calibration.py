"""Whether the embedded model is as sure as it is right, and what looking at the unsure first gains.

Parts are drawn in colors that training never saw, and asked about as a triage does: image file,
store, the model's process, the probability of each label. The drawing tells the right label. On
clean drawings the model hardly errs; spoiled ones show whether it knows when it may.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui import demo, paths
from glm4v_tui.bench.task_scenes import SCENES, drawn
from glm4v_tui.config import Settings, load_settings, task_options
from glm4v_tui.demo.scenes.canvas import Look
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.plugins import load_plugins
from glm4v_tui.tasks.task import Language
from glm4v_tui.triage.asking import Asker
from glm4v_tui.triage.identity import model_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from PIL.Image import Image

BINS = 10
_SHARES = (0.25, 0.5)
"""Of the work, after which the errors that were found are counted."""


class Answer(msgspec.Struct, frozen=True):
    """The model's label of one image and the right one."""

    label: str
    probability: float
    """Of ``label``."""
    right: str

    @property
    def is_right(self) -> bool:
        return self.label == self.right


class Bin(msgspec.Struct, frozen=True):
    """Answers whose probability lies in one interval."""

    low: float
    high: float
    images: int
    probability: float
    """Mean of what the model says."""
    accuracy: float
    """Share that is right."""


class Gain(msgspec.Struct, frozen=True):
    """Shares of the wrong labels that a reviewer has met after a share of the work."""

    share: float
    by_name: float
    uncertain_first: float


class Calibration(msgspec.Struct, frozen=True):
    """What was measured."""

    images: int
    errors: int
    accuracy: float
    most_frequent: float
    """Accuracy of always saying the most frequent label."""
    expected_error: float
    """Expected calibration error."""
    bins: tuple[Bin, ...]
    gains: tuple[Gain, ...]
    seconds_each: float
    """That the model took for one image, mean."""


def measure_calibration(
    images: int,
    folder: Path,
    *,
    first: int = 0,
    is_spoiled: bool = False,
    tell: Callable[[int], None] = lambda _: None,
) -> Calibration:
    """Ask about this many parts.

    Args:
        folder: Where images and database are written.
        first: Number of the first drawing.
        is_spoiled: Make them worse, see :func:`spoiled`.
        tell: Called with the number of images done.
    """
    return asyncio.run(_measure(range(first, first + images), folder, is_spoiled, tell))


async def _measure(
    numbers: range, folder: Path, is_spoiled: bool, tell: Callable[[int], None]
) -> Calibration:
    right = dict(_draw(folder, number, is_spoiled) for number in numbers)
    patience = Settings().engine
    engine = LocalEngine(
        paths.worker_log_file(),
        silent_after_s=patience.silent_after_s,
        abort_within_s=patience.abort_within_s,
    )
    command = LoadModel(str(demo.CHECKPOINT), device="cpu")
    task = load_plugins(load_settings().plugins).task("defect")
    database = Database(folder / "store.sqlite3")
    asker = Asker(
        *(engine, database, task, task_options(task.name, task.options_type), Language.EN),
        model_key(command),
        wants_result=False,
    )
    listening = asyncio.create_task(_listen(engine, asker))
    try:
        await engine.load(command)
        answers, seconds = list[Answer](), 0.0
        for path, label in right.items():
            judged = await asker.judge(path)
            answers.append(Answer(judged.label or "", max(judged.probabilities.values()), label))
            seconds += judged.seconds
            tell(len(answers))
    finally:
        listening.cancel()
        await engine.close()
        database.close()
    return calibration_of(answers, seconds / len(numbers))


async def _listen(engine: LocalEngine, asker: Asker) -> None:
    async for event in engine.events():
        asker.handle(event)


def spoiled(image: Image, number: int) -> Image:
    """The picture out of focus, with little contrast and noise, each at a random strength."""
    import numpy as np
    from PIL import ImageEnhance, ImageFilter
    from PIL.Image import fromarray

    rng = random.Random(f"spoiled {number}")
    radius = rng.uniform(0, 0.016) * min(image.size)
    image = image.filter(ImageFilter.GaussianBlur(radius))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.25, 1.0))
    pixels = np.asarray(image)
    noise = np.random.default_rng(number).normal(0, rng.uniform(0, 40), pixels.shape)
    return fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _draw(folder: Path, number: int, is_spoiled: bool) -> tuple[Path, str]:
    """Write a part into a file; its right label by the words of the task's label question."""
    image, facts = drawn(SCENES["defect"], number, Look(palettes()[1]))
    if is_spoiled:
        image = spoiled(image, number)
    path = folder / f"part-{number:05}.png"
    image.save(path)
    return path, "fail" if facts.defects else "pass"


# What comes of it -------------------------------------------------------------------------------


def calibration_of(answers: Sequence[Answer], seconds_each: float = 0.0) -> Calibration:
    """Sum answers up.

    Args:
        answers: At least one, in the order of their names.
    """
    count = len(answers)
    labels = [one.right for one in answers]
    bins = tuple(_bins(answers))
    return Calibration(
        images=count,
        errors=sum(not one.is_right for one in answers),
        accuracy=sum(one.is_right for one in answers) / count,
        most_frequent=max(map(labels.count, labels)) / count,
        expected_error=sum(one.images * abs(one.accuracy - one.probability) for one in bins)
        / count,
        bins=bins,
        gains=tuple(_gain(answers, share) for share in _SHARES),
        seconds_each=seconds_each,
    )


def _bins(answers: Sequence[Answer]) -> Iterator[Bin]:
    """Intervals of equal width, as in Guo et al., "On Calibration of Modern Neural Networks"
    (2017), section 2, which the expected calibration error is taken from; empty ones are left out.
    """
    for number in range(BINS):
        inside = [one for one in answers if min(int(one.probability * BINS), BINS - 1) == number]
        if inside:
            yield Bin(
                *(number / BINS, (number + 1) / BINS, len(inside)),
                sum(one.probability for one in inside) / len(inside),
                sum(one.is_right for one in inside) / len(inside),
            )


def _gain(answers: Sequence[Answer], share: float) -> Gain:
    unsure = sorted(answers, key=lambda one: one.probability)
    return Gain(share, _found(answers, share), _found(unsure, share))


def _found(order: Sequence[Answer], share: float) -> float:
    """Share of all errors that stand in the first part of an order; 1 where there is none."""
    errors = sum(not one.is_right for one in order)
    seen = order[: round(len(order) * share)]
    return sum(not one.is_right for one in seen) / errors if errors else 1.0


def table(found: Calibration) -> str:
    """For people to read."""
    lines = [
        f"{found.images} parts, {found.errors} labels wrong: accuracy {found.accuracy:.1%}"
        f" (always the most frequent label: {found.most_frequent:.1%});"
        f" {found.seconds_each * 1000:.0f} ms each",
        f"expected calibration error {found.expected_error:.3f}",
        "",
        "  probability   images   mean   right",
    ]
    lines += [
        f"  {one.low:.1f} to {one.high:.1f}    {one.images:>6}  {one.probability:5.2f}"
        f"  {one.accuracy:6.1%}  {'#' * round(one.accuracy * 20)}"
        for one in found.bins
    ]
    if not found.errors:
        return "\n".join(lines)
    lines += ["", "  errors found after   by name   uncertain first"]
    lines += [
        f"  {one.share:>4.0%} of the work     {one.by_name:>7.0%}   {one.uncertain_first:>15.0%}"
        for one in found.gains
    ]
    return "\n".join(lines)
