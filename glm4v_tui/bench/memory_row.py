"""One row of ``bench memory``, in a process of its own: load, answer, print one JSON object.

Usage: ``python -m glm4v_tui.bench.memory_row JSON`` with the fields of :class:`Row`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from glm4v_tui.inference.environment import prepare_environment
from glm4v_tui.plan.cards import free_of
from glm4v_tui.plan.figures import CUDA_CONTEXT, CUDA_KERNELS, CUDA_KERNELS_MORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.inference.layout import Layout

GIB = 1 << 30
_EVERY_S = 0.02
_COMPARED = 16
"""Last positions of the prompt whose logits are compared between precisions."""


class Row(msgspec.Struct, frozen=True):
    """What is measured."""

    shape: str
    folder: str
    precision: str
    vision: Literal["auto", "resident", "parked", "streamed"] = "auto"
    card: float | None = None
    """GiB of the card that it must fit."""
    device: Literal["cuda", "cpu"] = "cuda"
    pixels: int = 1120
    text: int = 1000
    new: int = 128
    keep: bool = False
    """Save the packed weights after loading."""
    answer: bool = True
    reference: str = ""
    """A file for logits: written by the first row of a shape, compared with by the others."""


class Peaks:
    """Largest readings while a block runs, in bytes; sampled, since nobody counts them for us."""

    def __init__(self, *, gpu: bool) -> None:
        self.process_gpu: int | None = None
        """NVML's figure for this process: allocator, CUDA context, libraries."""
        self.host = 0
        """Memory of this process alone, mapped files not counted."""
        self._nvml = _nvml() if gpu else None
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.host = max(self.host, _anonymous())
            if self._nvml is not None and (used := _process_bytes(self._nvml)) is not None:
                self.process_gpu = max(self.process_gpu or 0, used)
            if self._stop.wait(_EVERY_S):
                return


def main() -> None:
    """Measure what the command line says; failures are told as a row as well."""
    prepare_environment()
    row = msgspec.json.decode(sys.argv[1], type=Row)
    facts: dict[str, Any] = {
        name: value
        for name, value in msgspec.structs.asdict(row).items()
        if name not in ("folder", "reference") and value is not None
    }
    try:
        _measure(row, facts)
    except Exception as error:  # noqa: BLE001 - an out-of-memory error is a result here
        facts["failed"] = f"{type(error).__name__}: {error}"[:400]
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")


def _measure(row: Row, facts: dict[str, Any]) -> None:
    import torch

    from glm4v_tui.inference.environment import compute_threads

    torch.set_num_threads(compute_threads(10**10))
    if row.device == "cuda":
        facts["gpu"] = torch.cuda.get_device_name()
        if row.card is not None:
            facts["cap"] = round(cap_of(row.card) / GIB, 3)
            total = torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, cap_of(row.card) / total))
        torch.zeros(1, device="cuda")
    model = _load(row, facts)
    if row.answer:
        _answer(row, model, facts)


def _load(row: Row, facts: dict[str, Any]) -> Any:
    import torch

    from glm4v_tui.inference import loading
    from glm4v_tui.inference.placement import choose_placement

    placement = choose_placement(row.precision, row.device, lambda itemsize: itemsize)
    placement = msgspec.structs.replace(placement, vision=row.vision)
    if row.card is not None:
        placement = msgspec.structs.replace(placement, gpus=((0, room_of(row.card)),))
    _reset()
    with Peaks(gpu=row.device == "cuda") as peaks:
        started = time.monotonic()
        loaded = loading.load(row.folder, placement, lambda *_: None, keep=row.keep)
        if row.device == "cuda":
            torch.cuda.synchronize()
        seconds = time.monotonic() - started - loaded.save_s
    nbytes, parameters = loading.count_weights(loaded.model)
    facts |= {
        "on": loaded.device,
        **_places(loaded.layout),
        "from_saved": loaded.from_saved,
        "parameters": parameters,
        "weights_gib": _gib(nbytes),
        "load_s": round(seconds, 2),
        **({"save_s": round(loaded.save_s, 2)} if row.keep else {}),
        **_peaks("load", peaks),
        "resident_gib": _gib(torch.cuda.memory_allocated()) if row.device == "cuda" else None,
    }
    return loaded.model


def room_of(card: float) -> int:
    """Bytes that a card of so many GiB has free for a process whose CUDA context is there."""
    return free_of(int(card * GIB)) - CUDA_CONTEXT


def cap_of(card: float) -> int:
    """Bytes that torch may take of it when the kernels are loaded as well."""
    return room_of(card) - CUDA_KERNELS - CUDA_KERNELS_MORE


def _places(layout: Layout | None) -> dict[str, Any]:
    if layout is None:
        return {}
    here = sum(not isinstance(place, str) for place in layout.layers)
    return {"tower": layout.vision, "layers_here": here, "layers": len(layout.layers)}


def _answer(row: Row, model: Any, facts: dict[str, Any]) -> None:
    import torch

    batch = inputs(model, row)
    facts["prompt_tokens"] = batch["input_ids"].shape[1]
    _reset()
    with Peaks(gpu=row.device == "cuda") as peaks:
        write = _writing(model, batch)
        write(4)  # compiles and loads the kernels
        first_s = min(write(1)[1] for _ in range(2))
        tokens, all_s = write(row.new)
    facts |= {
        "first_token_s": round(first_s, 3),
        "tokens_per_s": round((row.new - 1) / max(all_s - first_s, 1e-9), 1),
        **_peaks("answer", peaks),
        "first_tokens": tokens[:8],
    }
    if row.device == "cuda":
        torch.cuda.empty_cache()
    if row.reference:
        _compare(row, model, batch, facts)


def _generate(model: Any, batch: dict[str, Any], new: int) -> tuple[list[int], float]:
    """The new tokens, greedy, and the seconds they took."""
    import torch

    started = time.monotonic()
    with torch.inference_mode():
        ids = model.generate(
            **batch, do_sample=False, min_new_tokens=new, max_new_tokens=new, disable_compile=True
        )
    made: list[int] = ids[0, batch["input_ids"].shape[1] :].tolist()
    assert len(made) == new
    return made, time.monotonic() - started


def _writing(model: Any, batch: dict[str, Any]) -> Callable[[int], tuple[list[int], float]]:
    """As :func:`_generate`, on the loop that the program would use, every time from the start."""
    from glm4v_tui.inference.decoding import own_loop
    from glm4v_tui.inference.language.choice import Settings
    from glm4v_tui.inference.prompt import Prompt

    if (writer := own_loop(model)) is None:
        return lambda new: _generate(model, batch, new)
    here = {name: value.cpu() for name, value in batch.items()}
    prompt = Prompt(here, batch["input_ids"].shape[1], 0, opens_thinking=False, keys=("image",))

    def write(new: int) -> tuple[list[int], float]:
        writer.forget()
        started = time.monotonic()
        begun = writer.begin(prompt, new, lambda: False)
        made = list(writer.tokens(begun, Settings(), [], new, None, expects=False))
        return made, time.monotonic() - started

    return write


def _compare(row: Row, model: Any, batch: dict[str, Any], facts: dict[str, Any]) -> None:
    """How far the logits are from those of the reference: the norm of the difference over its."""
    import torch
    from safetensors.torch import load_file, save_file

    with torch.inference_mode():
        logits = model(**batch, logits_to_keep=_COMPARED).logits[0, -_COMPARED:].float().cpu()
    file = Path(row.reference)
    if not file.is_file():
        save_file({"logits": logits.contiguous()}, file)
        return
    exact = load_file(file)["logits"]
    facts["logits_error"] = round(float((logits - exact).norm() / exact.norm()), 5)
    same = (logits.argmax(-1) == exact.argmax(-1)).float().mean()
    facts["same_top_token"] = round(float(same), 3)


# Prompts ----------------------------------------------------------------------------------------


def inputs(model: Any, row: Any) -> dict[str, Any]:
    """One square image and some text, the same for every precision.

    Args:
        row: ``pixels`` is the side of the image, ``text`` the tokens beside it.
    """
    import torch

    generator = torch.Generator().manual_seed(1)
    config = model.config
    if config.model_type == "chatglm":
        side = config.vision_config.image_size
        count = (side // config.vision_config.patch_size // 2) ** 2
        begin, token, end = config.boi_token_id, config.image_token_id, config.eoi_token_id
        picture = {"pixel_values": torch.randn(1, 3, side, side, generator=generator)}
    else:
        grid = row.pixels // config.vision_config.patch_size
        count = (grid // config.vision_config.spatial_merge_size) ** 2
        begin, token, end = (
            *(config.image_start_token_id, config.image_token_id, config.image_end_token_id),
        )
        picture = {
            "pixel_values": torch.randn(grid * grid, 1176, generator=generator),
            "image_grid_thw": torch.tensor([[1, grid, grid]]),
        }
    words = torch.randint(100, 1000, (row.text,), generator=generator).tolist()
    ids = torch.tensor([[*words[:8], begin, *[token] * count, end, *words[8:]]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **picture}
    if config.model_type != "chatglm":
        batch["mm_token_type_ids"] = (ids == token).int()
    batch["pixel_values"] = batch["pixel_values"].to(model.dtype)
    return {name: tensor.to(model.device) for name, tensor in batch.items()}


# Readings ---------------------------------------------------------------------------------------


def _peaks(what: str, peaks: Peaks) -> dict[str, float]:
    import torch

    values: dict[str, int | None] = {
        f"{what}_host_gib": peaks.host,
        f"{what}_gpu_process_gib": peaks.process_gpu,
    }
    if _uses_gpu():
        values[f"{what}_peak_gib"] = torch.cuda.max_memory_allocated()
        values[f"{what}_reserved_gib"] = torch.cuda.max_memory_reserved()
    return {name: _gib(value) for name, value in values.items() if value is not None}


def _reset() -> None:
    import torch

    if _uses_gpu():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _uses_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def _gib(nbytes: int) -> float:
    return round(nbytes / GIB, 3)


def _anonymous() -> int:
    """Bytes of this process that no file stands behind."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


def _nvml() -> Any:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - without it the allocator's figures remain
        return None
    return pynvml


def _process_bytes(nvml: Any) -> int | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(0)
        for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            if process.pid == os.getpid():
                used: int | None = process.usedGpuMemory
                return used
    except Exception:  # noqa: BLE001 - containers may not be told
        return None
    return None


if __name__ == "__main__":
    main()
