"""Tokens a second as the chat gets them: from the worker's process, sampled, bound to a form.

A part of a row of ``bench speed`` in a process of its own, so that the GPU holds one model. Usage:
``python -m glm4v_tui.bench.speed_worker JSON`` with the fields of :class:`~.speed_row.Row`; prints
one JSON object.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.bench.speed_row import Row
from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.commands.start import make_engine
from glm4v_tui.config import Settings
from glm4v_tui.engine.protocol import (
    Eased,
    Failed,
    Finished,
    FinishReason,
    Generate,
    Loaded,
    LoadModel,
    ResultForm,
    RgbImage,
    Sampling,
    TextDelta,
    WorkerExited,
    error_of,
)
from glm4v_tui.errors import EngineError, GlmError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from glm4v_tui.engine.engine import Engine
    from glm4v_tui.engine.protocol import Event

_PICTURE = "picture"
_QUESTION = "Describe everything that is to be seen in this image, at length."
_MOST_LETTERS = 64
"""Of a token, on average: a text of more than that for each of them never is long enough."""
_STRETCH = 24
"""Letters that stood in the answer before, for a passage to count as said again."""


@dataclass
class Heard:
    """An answer as it reached the client. Times by ``time.perf_counter``."""

    first_at: float = 0.0
    last_at: float = 0.0
    after_first: int = 0
    """Tokens of all pieces of text but the first."""
    parts: list[str] = field(default_factory=list)
    rungs: list[str] = field(default_factory=list)
    """What was done for want of memory."""
    end: Finished | None = None

    def take(self, event: TextDelta) -> None:
        self.last_at = time.perf_counter()
        if self.parts:
            self.after_first += event.tokens
        else:
            self.first_at = self.last_at
        self.parts.append(event.text)

    @property
    def tokens_per_s(self) -> float | None:
        """From the first piece's arrival to the last one's; None where there was but one."""
        took = self.last_at - self.first_at
        return self.after_first / took if took > 0 else None

    @property
    def is_whole(self) -> bool:
        return self.end is not None and self.end.reason is FinishReason.LENGTH


def main() -> None:
    """Measure what the command line says; a failure is told as a fact."""
    row = msgspec.json.decode(sys.argv[1], type=Row)
    facts: dict[str, Any] = {}
    try:
        asyncio.run(measure_worker(row, facts))
    except GlmError as error:
        words = " ".join(filter(None, (f"{error.title}:", error.body, error.remedy)))
        facts["worker_failed"] = words[:900]
    except Exception as error:  # noqa: BLE001 - what fails is a result here
        facts["worker_failed"] = f"{type(error).__name__}: {error}"[:900]
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")


async def measure_worker(row: Row, facts: dict[str, Any]) -> None:
    """Start the engine as the chat does, ask three kinds of question, end it.

    Adds by kind of question ``worker_tokens_per_s``, ``worker_own_tokens_per_s`` (by the worker's
    clock, before the text is on its way) and ``worker_said_again`` (the share of the text that
    stood in the answer before, where several tokens may have been computed at a time). What the
    model has ended before ``row.new`` tokens is in ``worker_ended_after``: tokens, median.

    Raises:
        GlmError: the model could not be loaded, or a question failed.
    """
    engine = make_engine(Settings())
    events = engine.events()
    try:
        started = time.monotonic()
        await engine.load(LoadModel(row.folder, row.precision, row.device))
        while not isinstance(await _next(events), Loaded):
            pass
        facts["worker_load_s"] = round(time.monotonic() - started, 2)
        await engine.put_image(_PICTURE, _picture(row.pixels))
        for kind, request in requests(row).items():
            await _measure(kind, request, row, engine, events, facts)
    finally:
        await engine.close()


def requests(row: Row) -> dict[str, Generate]:
    """The three kinds of question: greedy, sampled, and sampled within a form.

    The form is one text that never is long enough, so that all of the answer is within it and next
    to nothing is forced; a task's results have forced parts, which come several tokens at a time.
    """
    image = Attachment("", _PICTURE, row.pixels, row.pixels)
    question = (Message(Role.USER, _QUESTION, (image,)),)
    # No top-k, whatever the checkpoint has: as the row's own sampled answers.
    sampled = Sampling(row.new, 0.8, top_p=0.6, top_k=0, repetition_penalty=1.1, seed=1)
    text = {"type": "string", "minLength": _MOST_LETTERS * row.new}
    schema = {
        "type": "object", "properties": {"text": text}, "required": ["text"],
        "additionalProperties": False,
    }  # fmt: skip
    form = ResultForm(msgspec.json.encode(schema).decode())
    return {
        "greedy": Generate("greedy", question, Sampling(row.new, temperature=0)),
        "sampled": Generate("sampled", question, sampled),
        "bound": Generate("bound", question, sampled, form),
    }


async def _measure(
    kind: str,
    request: Generate,
    row: Row,
    engine: Engine,
    events: AsyncIterator[Event],
    facts: dict[str, Any],
) -> None:
    """Ask once untimed, in which steps are captured for a cache of this size, then in earnest."""
    heard = [await _ask(engine, events, request) for _ in range(row.rounds + 1)]
    if rungs := [rung for one in heard for rung in one.rungs]:
        facts.setdefault("worker_eased", {})[kind] = rungs
    del heard[0]
    ends = [one.end for one in heard if one.end is not None]
    facts["worker_prompt_tokens"] = ends[0].usage.prompt_tokens
    told = {
        "worker_tokens_per_s": [one.tokens_per_s for one in heard],
        "worker_own_tokens_per_s": [end.timing.decode_tokens_per_s for end in ends],
    }
    for name, speeds in told.items():
        if known := [speed for speed in speeds if speed is not None]:
            facts.setdefault(name, {})[kind] = round(statistics.median(known), 1)
    again = statistics.median(said_again("".join(one.parts)) for one in heard)
    facts.setdefault("worker_said_again", {})[kind] = round(again, 3)
    if not all(one.is_whole for one in heard):
        count = statistics.median(end.usage.completion_tokens for end in ends)
        facts.setdefault("worker_ended_after", {})[kind] = int(count)


async def _ask(engine: Engine, events: AsyncIterator[Event], request: Generate) -> Heard:
    heard = Heard()
    await engine.generate(request)
    while heard.end is None:
        match await _next(events):
            case TextDelta() as event:
                heard.take(event)
            case Eased(message=str(message), rung=rung) if message:
                heard.rungs.append(rung)
            case Finished() as event:
                heard.end = event
    return heard


async def _next(events: AsyncIterator[Event]) -> Event:
    """The next event.

    Raises:
        GlmError: it is a failure.
    """
    event = await anext(events)
    if isinstance(event, Failed):
        raise error_of(event)
    if isinstance(event, WorkerExited):
        raise EngineError("The model's process ended", event.detail)
    return event


def against_bare(found: dict[str, Any], bare: float | None) -> dict[str, Any]:
    """The facts of :func:`measure_worker` with ``worker_loss_percent``: what is lost of the speed
    of the captured step alone, by kind of question. Only whole answers count."""
    speeds = found.get("worker_tokens_per_s")
    if not speeds or not bare:
        return found
    ended = found.get("worker_ended_after", {})
    lost = {
        kind: round(100 * (1 - speed / bare), 1)
        for kind, speed in speeds.items()
        if kind not in ended
    }
    return found | {"worker_loss_percent": lost}


def said_again(text: str) -> float:
    """The share of a text's passages of :data:`_STRETCH` letters that stood in it before."""
    passages = [text[start : start + _STRETCH] for start in range(len(text) - _STRETCH + 1)]
    return 1 - len(set(passages)) / len(passages) if passages else 0.0


def _picture(side: int) -> RgbImage:
    """Stripes of all shades."""
    size = side * side * 3
    return RgbImage(side, side, (bytes(range(256)) * (size // 256 + 1))[:size])


if __name__ == "__main__":
    main()
