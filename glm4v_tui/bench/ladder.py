"""Whether a question is answered when a GPU's memory runs out, with the allocator really capped.

A model of random weights in float32, so that its greedy answer can be compared token by token: each
question is asked without a cap, then with one that is felt while an image is encoded, while a long
prompt is read, or in the middle of an answer. Two harder caps leave nothing but another precision,
or layers in host memory; there the answer must be whole, and cannot be the same.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.chat import Attachment, Message, Role
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.engine.protocol import (
    Eased,
    Generate,
    LoadModel,
    PutImage,
    RgbImage,
    Sampling,
    TextDelta,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.inference.backend import Backend

    Tell = Callable[[dict[str, Any]], None]

_SIDE = 784
_STEPS = 64 << 20
"""The allocator takes memory in steps of 20 MiB, of each kind."""
_PICTURE = "picture"


class Size(msgspec.Struct, frozen=True):
    """Of the model."""

    hidden: int = 2048
    layers: int = 12
    heads: int = 16
    vision_hidden: int = 1024
    vision_layers: int = 12
    side: int = _SIDE
    """Pixels of the largest square image that is seen whole."""


class Case(msgspec.Struct, frozen=True):
    """One question and the memory that it gets."""

    name: str
    words: int
    """Of the question, a few tokens each."""
    new: int
    share: float
    """Of what the question takes beside the weights; of the weights where ``hard``."""
    image: bool = False
    precision: str = "fp32"
    hard: bool = False
    in_decode: bool = False
    """The cap is what was taken until the first token: the rest of the answer takes no more, since
    room for all of it is made before."""
    kv_in_host: bool = False
    """No cap: only whether keys and values in host memory give the same."""


CASES = (
    Case("vision", 8, 48, 0.5, image=True),
    Case("prefill", 700, 48, 0.5),
    Case("decode", 8, 400, 1.0, in_decode=True),
    Case("keys and values in host memory", 300, 96, 1.0, kv_in_host=True),
    Case("precision", 600, 48, 0.6, hard=True),
    Case("offload", 30, 24, 0.65, precision="int4-compact", hard=True),
)


class Allocator:
    """torch's, of the first GPU; in bytes."""

    def settle(self) -> None:
        import gc

        import torch

        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def allocated(self) -> int:
        import torch

        return torch.cuda.memory_allocated()

    def peak(self) -> int:
        import torch

        return torch.cuda.max_memory_allocated()

    def cap(self, nbytes: int | None) -> None:
        import torch

        total = torch.cuda.get_device_properties(0).total_memory
        share = 1.0 if nbytes is None else min(1.0, nbytes / total)
        torch.cuda.set_per_process_memory_fraction(share, 0)


@dataclass
class Asked:
    """A question's answer and what it took."""

    text: str = ""
    tokens: int = 0
    rungs: list[str] = field(default_factory=list)
    tokens_before: int = 0
    """Written when the memory ran out first."""
    before: int = 0
    first: int = 0
    """Peak until the first token."""
    peak: int = 0
    seconds: float = 0.0


def measure_ladder(tell: Tell) -> None:
    """Ask all cases; tell a row for each.

    Raises:
        UsageError: there is no GPU.
    """
    from glm4v_tui.inference.placement import require_cuda

    title = "The memory of a GPU is to run out, and there is none"
    require_cuda(title, "or run this on a machine with a GPU.")
    with tempfile.TemporaryDirectory() as home:
        folder = make_checkpoint(Path(home) / "random", Size())
        for case in CASES:
            tell(run_case(case, folder, Allocator()))


def run_case(case: Case, folder: Path, allocator: Allocator, side: int = _SIDE) -> dict[str, Any]:
    """One case's row; a failure is told as well."""
    facts: dict[str, Any] = {"case": case.name, "precision": case.precision}
    try:
        free, capped, cap = _ask_twice(case, folder, allocator, side)
    except Exception as error:  # noqa: BLE001 - a failure is a result here
        return facts | {"failed": f"{type(error).__name__}: {error}"[:900], "ok": False}
    finally:
        allocator.cap(None)
    is_whole = capped.tokens == case.new
    is_same = capped.text == free.text
    was_short = bool(capped.rungs) != case.in_decode or case.kv_in_host
    return facts | {
        "weights_mib": free.before >> 20,
        "peak_mib": free.peak >> 20,
        "cap_mib": None if cap is None else cap >> 20,
        "rungs": capped.rungs,
        "tokens_before": capped.tokens_before,
        "tokens": capped.tokens,
        "whole": is_whole,
        "same": is_same,
        "seconds": round(capped.seconds, 2),
        "uncapped_seconds": round(free.seconds, 2),
        "ok": is_whole and was_short and (is_same or case.hard),
    }


def _ask_twice(
    case: Case, folder: Path, allocator: Allocator, side: int
) -> tuple[Asked, Asked, int | None]:
    import torch

    from glm4v_tui.inference.backend import Backend

    # Which kernel cuDNN takes depends on the memory there is; they must not round differently.
    torch.backends.cudnn.allow_tf32 = False
    backend = Backend()
    try:
        backend.load(LoadModel(str(folder), case.precision), lambda _: None)
        put = PutImage(_PICTURE, RgbImage(side, side, bytes(range(256)) * (side * side * 3 // 256)))
        backend.put_image(put.key, put.image)
        _ask(case, backend, allocator, side)  # loads the libraries' kernels
        free = _ask(case, backend, allocator, side)
        if case.kv_in_host:
            backend.keeps_kv_in_host = True
            return free, _ask(case, backend, allocator, side), None
        cap = _cap(case, free)
        allocator.settle()
        allocator.cap(cap)
        return free, _ask(case, backend, allocator, side), cap
    finally:
        backend.unload()
        allocator.settle()


def _cap(case: Case, free: Asked) -> int:
    if case.hard:
        return int(free.before * case.share)
    if case.in_decode:
        return free.first + _STEPS
    return free.before + int((free.first - free.before) * case.share)


def _ask(case: Case, backend: Backend, allocator: Allocator, side: int) -> Asked:
    asked = Asked()
    parts: list[str] = []

    def take(event: Event) -> None:
        if isinstance(event, TextDelta):
            if not parts:
                asked.first = allocator.peak()
            parts.append(event.text)
            asked.tokens += event.tokens
        elif isinstance(event, Eased) and event.message:
            if not asked.rungs:
                asked.tokens_before = asked.tokens
            asked.rungs.append(event.rung)

    for kept in backend.kept:  # else it would be read from what is kept
        kept.release()
    allocator.settle()
    asked.before = allocator.allocated()
    images = (Attachment("", _PICTURE, side, side),) if case.image else ()
    question = Message(Role.USER, " ".join(f"shape {n}" for n in range(case.words)), images)
    started = time.monotonic()
    backend.generate(
        Generate("r", (question,), Sampling(case.new, temperature=0)), take, lambda: False
    )
    asked.seconds = time.monotonic() - started
    asked.peak, asked.text = allocator.peak(), "".join(parts)
    return asked


def make_checkpoint(folder: Path, size: Size) -> Path:
    """Random weights of a given size, with the embedded model's tokenizer and processor."""
    import torch
    from transformers import AutoModelForImageTextToText, Glm4vConfig

    shutil.copytree(CHECKPOINT, folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    _let_it_see(folder / "preprocessor_config.json", size.side)
    config = Glm4vConfig(**_config(folder, size))
    torch.manual_seed(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model: Any = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name:
                # Keeps the size of what passes through, so that rounding does not grow.
                weight.normal_(std=weight[0].numel() ** -0.5)
        model.get_output_embeddings().weight[:64] = 0.0  # no answer ends before its length
    generation = (folder / "generation_config.json").read_bytes()
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_bytes(generation)
    return folder


def _let_it_see(file: Path, side: int) -> None:
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["size"] = {"shortest_edge": 56 * 56 * 2, "longest_edge": side * side * 2}
    file.write_text(json.dumps(settings), encoding="utf-8")


def _config(folder: Path, size: Size) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    quarter = size.hidden // size.heads // 4
    config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = False
    config["text_config"] |= {
        "hidden_size": size.hidden,
        "intermediate_size": 2 * size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads,
        "max_position_embeddings": 8192,
    }
    rope = config["text_config"]["rope_parameters"]
    rope["mrope_section"] = [quarter - 2 * (quarter // 3), quarter // 3, quarter // 3]
    config["vision_config"] |= {
        "hidden_size": size.vision_hidden,
        "intermediate_size": 4 * size.vision_hidden,
        "out_hidden_size": size.hidden,
        "depth": size.vision_layers,
        "num_heads": size.heads,
    }
    config["dtype"] = "float32"
    return config
