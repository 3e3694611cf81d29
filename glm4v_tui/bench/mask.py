"""What it costs to bind an answer to a task's form: the same answers, bound and free, in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui import demo
from glm4v_tui.bench.figures import Figure, median
from glm4v_tui.chat import Message, Role
from glm4v_tui.engine.protocol import (
    Generate,
    LoadModel,
    ResultForm,
    RgbImage,
    Sampling,
    TextDelta,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.chat import Attachment
    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.inference.backend import Backend

_LIMIT = 5.0
"""Percent of the decode speed."""
_GREEDY = Sampling(max_new_tokens=512, temperature=0)


def measure_mask(model: str = "", rounds: int = 15) -> Iterator[Figure]:
    """Decode speed of the defect task's results with and without their form.

    Only images count whose free answer is the bound one token by token: the rest of the work is
    then the same.

    Args:
        model: A folder or hub id; the embedded one when empty.
        rounds: Pairs of runs over all images.
    """
    from glm4v_tui.inference.environment import prepare_environment

    prepare_environment()
    from glm4v_tui.inference.backend import Backend

    backend = Backend()
    backend.load(LoadModel(model or str(demo.CHECKPOINT)), lambda _: None)
    requests = [pair for pair in _requests(backend) if _same(backend, *pair)]
    if not requests:
        raise RuntimeError("This model's free answers are not those that the form allows.")
    speeds = [_speeds(backend, requests) for _ in range(rounds + 1)][1:]  # the first one warms up
    free, bound = median([one for one, _ in speeds]), median([two for _, two in speeds])
    cost = median([100 * (1 - two / one) for one, two in speeds])
    yield Figure("decode of free answers, median", free, "tok/s", samples=rounds)
    yield Figure("decode of the same answers, bound, median", bound, "tok/s", samples=rounds)
    yield Figure("cost of the form, median of pairs", cost, "%", _LIMIT, rounds)


def _requests(backend: Backend) -> Iterator[tuple[Generate, Generate]]:
    """For each sample of a part: the task's question, free and bound."""
    from glm4v_tui.config import PluginSettings
    from glm4v_tui.tasks.asking import ask_about
    from glm4v_tui.tasks.plugins import load_plugins
    from glm4v_tui.tasks.task import Language

    task = load_plugins(PluginSettings()).task("defect")
    for path in sorted(demo.SAMPLES.glob("part-*.png")):
        asked = ask_about(task, [(path, None)], Language.EN)
        (opened,) = asked.opened
        image = opened.image
        pixels = RgbImage(image.width, image.height, image.tobytes())
        backend.put_image(opened.attachment.key, pixels)
        messages = _messages(asked.call.system_prompt, asked.text, opened.attachment)
        yield (
            Generate("free", messages, _GREEDY),
            Generate("bound", messages, _GREEDY, ResultForm(asked.call.schema)),
        )


def _messages(system: str, question: str, attachment: Attachment) -> tuple[Message, ...]:
    return Message(Role.SYSTEM, system), Message(Role.USER, question, (attachment,))


def _same(backend: Backend, free: Generate, bound: Generate) -> bool:
    return _text(backend, free) == _text(backend, bound)


def _text(backend: Backend, request: Generate) -> str:
    written: list[str] = []

    def take(event: Event) -> None:
        if isinstance(event, TextDelta):
            written.append(event.text)

    backend.generate(request, take, lambda: False)
    return "".join(written)


def _speeds(backend: Backend, requests: list[tuple[Generate, Generate]]) -> tuple[float, float]:
    """Tokens per second of the free and of the bound answers, each over all images."""
    return (
        _speed(backend, [free for free, _ in requests]),
        _speed(backend, [bound for _, bound in requests]),
    )


def _speed(backend: Backend, requests: list[Generate]) -> float:
    tokens, seconds = 0, 0.0
    for request in requests:
        done = backend.generate(request, lambda _: None, lambda: False)
        count, speed = done.usage.completion_tokens - 1, done.timing.decode_tokens_per_s
        assert speed is not None
        tokens, seconds = tokens + count, seconds + count / speed
    return tokens / seconds
