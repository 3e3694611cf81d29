"""How often the embedded model's results are right and whole: an image file in, a result out.

Every image is written to a file and asked about as ``glm4v-tui ask --task`` does: through the
task, the session, the model's process and the reading of its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui import demo, paths
from glm4v_tui.bench.task_scenes import SCENES, drawn
from glm4v_tui.config import Settings, load_settings
from glm4v_tui.demo.scenes.canvas import Look, looks
from glm4v_tui.demo.scenes.colours import palettes
from glm4v_tui.engine.local import LocalEngine
from glm4v_tui.engine.protocol import FinishReason, LoadModel, RgbImage, Sampling
from glm4v_tui.session import ChatSession, Turn
from glm4v_tui.tasks.asking import TaskQuestion, ask_about
from glm4v_tui.tasks.outcome import Outcome, outcome_of
from glm4v_tui.tasks.plugins import load_plugins
from glm4v_tui.tasks.task import Generation, Language, Task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from glm4v_tui.chat import Attachment, Box

_ROW = "  {:<20} {:>6.1%} of {}"

RANDOM = Generation(max_new_tokens=1024, temperature=1.5, top_p=1.0)
"""Any token that the form allows may come: the hardest for the form."""


@dataclass(frozen=True)
class Answered:
    """A question of a task and what came of it."""

    asked: TaskQuestion
    turn: Turn
    outcome: Outcome


@dataclass
class Tally:
    """What became of the questions of one task."""

    task: str
    images: int = 0
    right: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    """whole, cut, wrong, or what failed."""
    problems: list[str] = field(default_factory=list)
    tokens: int = 0
    longest: int = 0
    """Tokens of the longest result."""
    seconds: float = 0.0

    def count(self, answered: Answered) -> None:
        turn, outcome = answered.turn, answered.outcome
        self.images += 1
        self.tokens += turn.usage.completion_tokens
        self.longest = max(self.longest, turn.usage.completion_tokens)
        self.states[outcome.result.state.value] += 1
        if outcome.value is None:
            self.problems.append(f"{outcome.result.reason} {turn.raw[:2000]}")

    def judge(self, facts: Any, result: Mapping[str, Any]) -> None:
        for name, is_right in SCENES[self.task].judge(facts, result):
            self.judged[name] += 1
            self.right[name] += is_right


def table(tally: Tally) -> str:
    """For people to read."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()))
    lines = [
        f"{tally.task}: {tally.images} images, results: {states}; {tally.seconds:.0f} s,"
        f" {tally.tokens / max(1, tally.images):.0f} tokens each, at most {tally.longest}"
    ]
    lines += [_ROW.format(name, tally.right[name] / of, of) for name, of in tally.judged.items()]
    return "\n".join([*lines, *tally.problems])


def measure_task(
    name: str,
    images: int,
    fonts: Path | None,
    folder: Path,
    *,
    is_random: bool = False,
    first_seed: int = 0,
    tell: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Ask a task about this many images.

    Args:
        fonts: Fonts to draw with; training's are left out. None draws with Pillow's own.
        folder: Where the images are written.
        is_random: Draw tokens at a high temperature in place of the most probable ones.
        tell: Called with the number of images done.
    """
    task = load_plugins(load_settings().plugins).task(name)
    measuring = _measure(task, images, fonts, folder, is_random, first_seed, tell)
    return asyncio.run(measuring)


async def _measure(
    task: Task[Any, Any],
    images: int,
    fonts: Path | None,
    folder: Path,
    is_random: bool,
    first_seed: int,
    tell: Callable[[int], None],
) -> Tally:
    look = looks(fonts)[1] if fonts else Look(palettes()[1])
    tally = Tally(task.name)
    async with embedded_model() as asking:
        started = time.monotonic()
        for seed in range(first_seed, first_seed + images):
            image, facts = drawn(SCENES[task.name], seed, look)
            path = folder / f"{task.name}-{seed}.png"
            image.save(path)
            answered = await asking.ask(task, path, seed=seed if is_random else None)
            tally.count(answered)
            if answered.outcome.value is not None:
                tally.judge(facts, answered.outcome.value)
            tell(tally.images)
        tally.seconds = time.monotonic() - started
    return tally


class Asking:
    """One question after the other, each in a new conversation."""

    def __init__(self, engine: LocalEngine) -> None:
        self._opened: TaskQuestion | None = None
        self._events = engine.events()
        self.session = ChatSession(engine, self._pixels)

    async def load(self) -> None:
        await self.session.load(LoadModel(str(demo.CHECKPOINT), device="cpu"))

    async def ask(
        self,
        task: Task[Any, Any],
        path: Path,
        crop: Box | None = None,
        *,
        seed: int | None = None,
        options: msgspec.Struct | None = None,
    ) -> Answered:
        """Ask the task's question about a file and wait for the answer.

        Args:
            seed: Of random tokens; None for the most probable ones.

        Raises:
            GlmError: what the file, the task, the model or loading it failed with.
        """
        files, english = [(path, crop)], Language.EN
        asked = await asyncio.to_thread(ask_about, task, files, english, options=options)
        self._opened, call = asked, asked.call
        if seed is not None:
            call = msgspec.structs.replace(call, generation=RANDOM)
            self.session.sampling = Sampling(top_k=0, seed=seed)
        self.session.turns.clear()
        turn = await self.session.submit(asked.text, asked.attachments, call)
        await self._answered(turn)
        is_finished = turn.reason is FinishReason.STOP
        return Answered(asked, turn, outcome_of(task, call, turn.raw, is_finished=is_finished))

    async def _answered(self, turn: Turn) -> None:
        session = self.session
        while not turn.state.is_over:
            await session.handle(await anext(self._events))
            if session.model_error is not None:
                raise session.model_error
        if turn.error is not None:
            raise turn.error

    def _pixels(self, attachment: Attachment) -> RgbImage:
        assert self._opened is not None
        assert attachment == self._opened.opened[0].attachment
        image = self._opened.opened[0].image
        return RgbImage(image.width, image.height, image.tobytes())


@contextlib.asynccontextmanager
async def embedded_model() -> AsyncIterator[Asking]:
    """The embedded model in its process, ready to be asked; gone at the end."""
    patience = Settings().engine
    engine = LocalEngine(
        paths.worker_log_file(),
        silent_after_s=patience.silent_after_s,
        abort_within_s=patience.abort_within_s,
    )
    asking = Asking(engine)
    try:
        await asking.load()
        yield asking
    finally:
        await engine.close()
