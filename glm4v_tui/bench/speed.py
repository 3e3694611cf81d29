"""How fast a model answers at each precision, and plain transformers beside it in the same run.

Each row runs in a fresh process. Shapes of random weights (``glm-4.1v``, ``glm-4v-9b``) are made as
for ``bench memory``; a folder is measured as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.bench.memory import Wishes, make, place_for
from glm4v_tui.bench.shapes import config_of, shapes
from glm4v_tui.bench.speed_batch import NEW, per_minute
from glm4v_tui.bench.speed_row import Row
from glm4v_tui.bench.speed_worker import against_bare
from glm4v_tui.checkpoint import inspect_checkpoint
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.errors import CheckpointError, UsageError
from glm4v_tui.plan import shape_of
from glm4v_tui.plan.image_size import seen_size, tokens_of
from glm4v_tui.plan.known import built_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tell = Callable[[dict[str, Any]], None]

_LONGEST_ROW_S = 280


class SpeedWishes(msgspec.Struct, frozen=True):
    """What is to be measured."""

    model: str
    """A shape of random weights, or a checkpoint's folder; the embedded model when empty."""
    precisions: tuple[str, ...] = ()
    """All that the device is good for when empty."""
    vs_transformers: bool = False
    device: str = "auto"
    pixels: int = 1120
    text: int = 74
    new: int = 512
    rounds: int = 5
    seconds: float = 480.0
    """No row is begun after so many."""
    extra: tuple[str, ...] = ()
    """Further measurements: ``contexts``, ``passes``, ``batch``, ``worker``."""


def measure_speed(wishes: SpeedWishes, tell: Tell) -> None:
    """Measure row by row; each is told as soon as it is known."""
    wishes = _settled(wishes)
    end = time.monotonic() + wishes.seconds
    if wishes.model not in shapes():
        _measure(Path(wishes.model), wishes, end, tell)
        return
    with place_for(wishes.model, Wishes((wishes.model,))) as folder:
        tell(make(wishes.model, folder, wishes.device))
        _measure(folder, wishes, end, tell)


def _settled(wishes: SpeedWishes) -> SpeedWishes:
    import torch

    from glm4v_tui.inference.placement import require_cuda

    device = wishes.device
    if device == "cuda":
        require_cuda("A GPU is to be measured, and there is none", "or measure with --device cpu.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if not wishes.model:
        # The embedded model sees 280 pixels at most, and its answers are short.
        wishes = msgspec.structs.replace(wishes, pixels=280, new=min(wishes.new, 128))
    elif wishes.model not in shapes():
        _require_model(Path(wishes.model))
    usual = ("bf16", "int8", "mixed", "int4") if device == "cuda" else ("fp32", "bf16")
    settled = msgspec.structs.replace(
        wishes,
        model=wishes.model or str(CHECKPOINT),
        device=device,
        precisions=wishes.precisions or usual,
    )
    _require_room(settled)
    return settled


def _require_model(folder: Path) -> None:
    """Nothing of a folder that can be loaded; where there is none, the shapes are told as well.

    Raises:
        CheckpointError: it cannot be loaded.
    """
    try:
        inspect_checkpoint(folder).require_loadable()
    except CheckpointError as error:
        if folder.exists():
            raise
        known = ", ".join(shapes())
        remedy = f"{error.remedy} Shapes that can be made of random weights: {known}."
        raise CheckpointError(error.title, error.body, remedy) from None


def _require_room(wishes: SpeedWishes) -> None:
    """Nothing of a prompt and an answer that the model can read.

    Raises:
        UsageError: they are too long for it.
    """
    name = wishes.model
    shape = built_shape(name, config_of(name)) if name in shapes() else shape_of(Path(name))
    limit = shape.language.max_context
    image = 0
    if shape.vision is not None:
        side = wishes.pixels, wishes.pixels
        image = tokens_of(shape.vision, seen_size(shape.vision, side))
    needed = image + wishes.text + wishes.new
    if limit is not None and needed > limit:
        raise UsageError(
            "More is to be measured than this model reads",
            f"{image:,} tokens of the image, {wishes.text:,} of text and {wishes.new:,} of the"
            f" answer are {needed:,}; the model reads {limit:,}.",
            "Ask for less --text, --new or --pixels.",
        )


def _measure(folder: Path, wishes: SpeedWishes, end: float, tell: Tell) -> None:
    ours: dict[str, Any] = {}
    for row in _rows(folder, wishes):
        if time.monotonic() >= end:
            tell({"precision": row.precision, "by": row.by, "skipped": "no time left"})
            continue
        facts = _run(row)
        if row.by == "glm4v-tui" and "worker" in wishes.extra and "failed" not in facts:
            found = _facts_of("speed_worker", row, "worker_failed")
            facts |= against_bare(found, facts["bare_tokens_per_s"])
        if row.by == "transformers" and "batch" in wishes.extra:
            facts |= _against(facts, ours)
        tell(facts)
        ours = facts


def _against(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """What plain transformers takes for the images of the batch, one by one, and how often that is
    in ours: its first token, then the others at its speed."""
    if "tokens_per_s" not in theirs or "images_per_minute" not in ours:
        return {}
    seconds = theirs["first_token_s"] + (NEW - 1) / theirs["tokens_per_s"]
    plain = per_minute(1, seconds)
    times = {name: round(found / plain, 2) for name, found in ours["images_per_minute"].items()}
    return {"images_per_minute": plain, "ours_are": times}


def _rows(folder: Path, wishes: SpeedWishes) -> Iterator[Row]:
    for precision in wishes.precisions:
        row = Row(
            str(folder), precision,
            device=wishes.device,  # type: ignore[arg-type]
            pixels=wishes.pixels, text=wishes.text, new=wishes.new, rounds=wishes.rounds,
            extra=wishes.extra,
        )  # fmt: skip
        yield row
        if wishes.vs_transformers and precision != "mixed":  # which no setting of theirs can say
            yield msgspec.structs.replace(row, by="transformers", new=min(row.new, 64), rounds=2)


def _run(row: Row) -> dict[str, Any]:
    """One row's facts, and how long it took."""
    started = time.monotonic()
    told = {"precision": row.precision, "by": row.by}
    facts = told | _facts_of("speed_row", row, "failed")
    return facts | {"row_s": round(time.monotonic() - started, 1)}


def _facts_of(module: str, row: Row, failed: str) -> dict[str, Any]:
    """What a process tells of a row; one that ends without any facts tells that it ``failed``."""
    what = msgspec.json.encode(row).decode()
    command = [sys.executable, "-m", f"glm4v_tui.bench.{module}", what]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST_ROW_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {failed: "took too long"}
    try:
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {failed: f"exit code {done.returncode}: {done.stderr[-900:]}"}
    return facts
