"""How often a result is there when the reviewer comes to its image: the real model, a steady hand.

Parts are drawn in the colors that training never saw and written to files; the defect task is asked
about them as triage does. The reviewer accepts or goes on at a fixed pace, whatever is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm4v_tui import demo, paths
from glm4v_tui.bench.task_scenes import SCENES, drawn
from glm4v_tui.config import load_settings
from glm4v_tui.demo.scenes.canvas import Look
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import Failed, Loaded, LoadModel, error_of
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.plugins import load_plugins
from glm4v_tui.tasks.task import Language, Task
from glm4v_tui.triage.asking import Asker
from glm4v_tui.triage.identity import model_key
from glm4v_tui.triage.look_ahead import LookAhead
from glm4v_tui.triage.queue import Queue
from glm4v_tui.triage.review import Review

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glm4v_tui.engine.engine import Engine


@dataclass(frozen=True)
class Arrivals:
    """What became of a reviewer's walk through a queue."""

    images: int
    """That he came to."""
    there: int
    """Whose result was there."""
    asked: int
    """Results that the model gave meanwhile."""
    seconds: float

    @property
    def share(self) -> float:
        return self.there / self.images if self.images else 0.0


async def walk(review: Review, ahead: LookAhead, count: int, interval_s: float) -> Arrivals:
    """Go from image to image at a fixed pace. ``ahead`` must be running.

    Args:
        count: Images to come to, the first one, where he begins, not among them.
        interval_s: Seconds at each.
    """
    there, began = 0, time.monotonic()
    asked = sum(map(ahead.is_done, range(review.queue.total)))
    for step in range(1, count + 1):
        await asyncio.sleep(max(0.0, began + step * interval_s - time.monotonic()))
        if not review.queue.move(1):
            break
        there += ahead.is_done(review.index)
        ahead.moved()
    asked = sum(map(ahead.is_done, range(review.queue.total))) - asked
    return Arrivals(step, there, asked, time.monotonic() - began)


async def measure(
    count: int = 30, interval_s: float = 1.0, *, wants_result: bool = True
) -> Arrivals:
    """The embedded model on this machine.

    Args:
        wants_result: Whether the task's whole result is asked for, or the labels alone.

    Raises:
        EngineError: the model cannot be run.
    """
    task = load_plugins(load_settings().plugins).task("defect")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _draw(folder / "parts", count + 1)
        database = Database(folder / "database.sqlite3")
        async with _engine() as (engine, at_once):
            asker = Asker(
                *(engine, database, task, task.options_type(), Language.EN),
                model_key(LoadModel(str(demo.CHECKPOINT), "auto", "auto")),
                wants_result=wants_result,
            )
            asker.at_once = at_once
            return await _walked(engine, asker, task, database, folder / "parts", count, interval_s)


async def _walked(
    engine: Engine,
    asker: Asker,
    task: Task[Any, Any],
    database: Database,
    folder: Path,
    count: int,
    interval_s: float,
) -> Arrivals:
    review = Review(database, task, Queue.of([folder]), session="bench")
    ahead = LookAhead(asker, review, lambda path, judged: None)  # noqa: ARG005 - only counted
    ahead.at_once = asker.at_once
    jobs = [asyncio.ensure_future(_listen(engine, asker)), asyncio.ensure_future(ahead.run())]
    try:
        ahead.moved()
        return await walk(review, ahead, count, interval_s)
    finally:
        for job in jobs:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job


@contextlib.asynccontextmanager
async def _engine() -> AsyncIterator[tuple[Engine, int]]:
    """The embedded model, loaded, and the images that it takes at a time."""
    at_once = 1
    engine = LocalEngine(paths.worker_log_file())
    try:
        await engine.load(LoadModel(str(demo.CHECKPOINT), "auto", "auto"))
        async for event in engine.events():
            if isinstance(event, Failed):
                raise error_of(event)
            if isinstance(event, Loaded):
                at_once = event.model.at_once
                break
        yield engine, at_once
    finally:
        await engine.close()


async def _listen(engine: Engine, asker: Asker) -> None:
    async for event in engine.events():
        asker.handle(event)


def _draw(folder: Path, count: int) -> None:
    folder.mkdir()
    look = Look(palettes()[1])
    for seed in range(count):
        image, _ = drawn(SCENES["defect"], seed, look)
        image.save(folder / f"part{seed}.png")
