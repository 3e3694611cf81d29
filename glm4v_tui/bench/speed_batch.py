"""Images a minute when several are answered about together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glm4v_tui.bench.speed_row import Row
    from glm4v_tui.inference.language.batch import Batch
    from glm4v_tui.inference.language.writer import Writer
    from glm4v_tui.inference.prompt import Prompt

COUNTS = (1, 4, 8, 16)
NEW = 128
"""Tokens about each image."""


def measure_batch(writer: Writer, model: Any, row: Row, facts: dict[str, Any]) -> None:
    """Each image is another one and none is known; reading them is part of the time.

    Adds ``images_per_minute``: one by one, and by the number of images that are at work together.
    """
    from glm4v_tui.inference.language.batch import Batch

    prompts = _prompts(model, row, max(COUNTS))
    batch = Batch(writer)
    found = {"one_by_one": per_minute(len(prompts), _one_by_one(writer, prompts))}
    started = time.perf_counter()
    _together(batch, prompts)  # in which its steps are captured
    facts["batch_first_s"] = round(time.perf_counter() - started, 2)
    for count in COUNTS:
        some = prompts[:count]
        found[str(count)] = per_minute(count, _together(batch, some))
    facts["images_per_minute"] = found
    facts["batch_rows"] = batch.most_at_once
    facts["batch_kv_gib"] = round(batch.nbytes / (1 << 30), 3)
    batch.step_back()


def per_minute(images: int, seconds: float) -> float:
    return round(60 * images / seconds, 1)


def _together(batch: Batch, prompts: list[Prompt]) -> float:
    """Seconds until all are answered about."""
    from glm4v_tui.inference.language.batch import Row as Answer
    from glm4v_tui.inference.language.choice import Settings

    started = time.perf_counter()
    answers = [
        Answer(prompt, Settings(), NEW, None, lambda _: False, lambda: False) for prompt in prompts
    ]
    for answer in answers:
        batch.add(answer)
    while not batch.is_idle:
        batch.work()
    for answer in answers:
        if answer.error is not None:
            raise answer.error
        assert len(answer.tokens) == NEW
    return time.perf_counter() - started


def _one_by_one(writer: Writer, prompts: list[Prompt]) -> float:
    from glm4v_tui.inference.language.choice import Settings

    started = time.perf_counter()
    for prompt in prompts:
        writer.forget()
        begun = writer.begin(prompt, NEW, lambda: False)
        assert len(list(writer.tokens(begun, Settings(), [], NEW, None))) == NEW
    return time.perf_counter() - started


def _prompts(model: Any, row: Row, count: int) -> list[Prompt]:
    import torch

    from glm4v_tui.bench.memory_row import inputs
    from glm4v_tui.inference.prompt import Prompt

    first = {name: value.cpu() for name, value in inputs(model, row).items()}
    generator = torch.Generator().manual_seed(2)
    prompts = []
    for number in range(count):
        pixels = torch.randn(first["pixel_values"].shape, generator=generator)
        own = {**first, "pixel_values": pixels.to(first["pixel_values"].dtype)}
        tokens = first["input_ids"].shape[1]
        prompts.append(Prompt(own, tokens, 0, opens_thinking=False, keys=(f"image {number}",)))
    return prompts
