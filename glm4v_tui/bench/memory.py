"""What every precision takes: memory, seconds to load, seconds to the first token, tokens a second.

Each row runs in a fresh process and is told as soon as it is measured, one JSON object a line. A
row that claims to fit a card runs as on that card: its parts are placed for the memory that the
card has free, and the allocator is capped at the card's size less what CUDA takes itself. When it
fails there it runs again without the cap, so that the figure is known.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.bench.memory_row import Row
from glm4v_tui.bench.shapes import config_of, parameters_of, table_of, write_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Tell = Callable[[dict[str, Any]], None]

CARDS: dict[str, dict[str, float]] = {
    "glm-4v-9b": {
        "bf16": 32, "int8": 16, "mixed": 12, "int4": 12, "int4-compact": 8,
        "int4-compact streamed": 6,
    },
    "glm-4.1v": {
        "bf16": 24, "int8": 12, "mixed": 12, "int4": 8, "int4-compact": 6,
        "int4-compact streamed": 6, "bf16 @8": 8,
    },
}  # fmt: skip
"""GiB of the card that a row claims to fit.

``PRECISION``, ``PRECISION VISION``, or ``PRECISION @GIB`` on a card that is too small for it.
"""
_OFFLOADED_TOKENS = 16
"""New tokens of a row that streams layers: each takes all of them over the bus."""
_LONGEST_ROW_S = 240
_SPARE = 1.6
"""Times the weights' bytes that a folder in memory must have room for."""


class Wishes(msgspec.Struct, frozen=True):
    """What is to be measured."""

    shapes: tuple[str, ...]
    rows: tuple[str, ...] = ()
    """As in :data:`CARDS`; all of its rows when empty."""
    saved: tuple[str, ...] = ("int4",)
    """Precisions whose weights are kept and loaded again."""
    card: float | None = None
    """GiB of the card that every row is to run on, in place of its own; 0 for no cap."""
    device: str = "cuda"
    pixels: int = 1120
    text: int = 1000
    new: int = 128
    folder: str = ""
    """Where the weights are made; by default in memory where there is room, else a new folder."""
    keep_folder: bool = False
    seconds: float = 480.0
    """No row is begun after so many."""


def measure_memory(wishes: Wishes, tell: Tell) -> None:
    """Make the shapes one after the other and measure their rows.

    Raises:
        UsageError: there is no GPU, and the CPU was not asked for.
    """
    if wishes.device == "cuda":
        from glm4v_tui.inference.placement import require_cuda

        title = "The memory of a GPU is to be measured, and there is none"
        require_cuda(title, "or measure with --device cpu.")
    end = time.monotonic() + wishes.seconds
    for shape in wishes.shapes:
        if time.monotonic() >= end:
            tell({"shape": shape, "skipped": "no time left"})
            continue
        with place_for(shape, wishes) as folder:
            tell(make(shape, folder, wishes.device))
            _measure_shape(shape, folder, wishes, end, tell)


def _measure_shape(shape: str, folder: Path, wishes: Wishes, end: float, tell: Tell) -> None:
    for what in wishes.rows or tuple(CARDS.get(shape, CARDS["glm-4.1v"])):
        for row in _rows(shape, what, folder, wishes):
            if time.monotonic() >= end:
                tell({"shape": shape, "precision": what, "skipped": "no time left"})
                continue
            facts = _run(row, folder)
            tell(facts)
            if "failed" in facts and row.card is not None:
                tell(_run(msgspec.structs.replace(row, card=None), folder))


def _rows(shape: str, what: str, folder: Path, wishes: Wishes) -> Sequence[Row]:
    precision, _, how = what.partition(" ")
    card = wishes.card if wishes.card is not None else CARDS.get(shape, {}).get(what)
    vision, new = how or "auto", wishes.new
    if how.startswith("@"):
        vision, card, new = "auto", float(how[1:]), min(new, _OFFLOADED_TOKENS)
    first = Row(
        shape, str(folder), precision, vision,  # type: ignore[arg-type]
        card=card or None,
        device=wishes.device,  # type: ignore[arg-type]
        pixels=wishes.pixels, text=wishes.text, new=new,
        keep=precision in wishes.saved and not how,
        reference=str(folder / "reference.safetensors"),
    )  # fmt: skip
    if not first.keep:
        return (first,)
    return (first, msgspec.structs.replace(first, keep=False, answer=False))


def _run(row: Row, folder: Path) -> dict[str, Any]:
    """One row's facts; a process that ends without any is told as well."""
    command = [
        sys.executable,
        "-m",
        "glm4v_tui.bench.memory_row",
        msgspec.json.encode(row).decode(),
    ]
    started = time.monotonic()
    home = os.environ | {"GLM4V_TUI_HOME": str(folder / "home")}
    try:
        done = subprocess.run(
            command, env=home, capture_output=True, text=True, timeout=_LONGEST_ROW_S, check=False
        )
    except subprocess.TimeoutExpired:
        return {"shape": row.shape, "precision": row.precision, "failed": "took too long"}
    facts: dict[str, Any]
    try:
        facts = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        reason = f"exit code {done.returncode}: {done.stderr[-600:]}"
        facts = {"shape": row.shape, "precision": row.precision, "failed": reason}
    return facts | {"row_s": round(time.monotonic() - started, 1)}


# The weights ------------------------------------------------------------------------------------


def make(shape: str, folder: Path, device: str) -> dict[str, Any]:
    """In a process of its own, so that this one takes nothing of the GPU."""
    started = time.monotonic()
    arguments = [str(folder), shape, device]
    subprocess.run([sys.executable, "-m", "glm4v_tui.bench.memory", *arguments], check=True)
    made_s = time.monotonic() - started
    files = sorted(folder.glob("*.safetensors"))
    return {
        "shape": shape,
        "made": "memory" if str(folder).startswith("/dev/shm") else "disk",
        "parameters": parameters_of(table_of(config_of(shape))),
        "bytes_gib": round(sum(file.stat().st_size for file in files) / 2**30, 2),
        "make_s": round(made_s, 1),
        "read_s": round(_reading(files), 2),
    }


def _reading(files: Sequence[Path]) -> float:
    """Seconds that one thread takes to read all files into memory, piece by piece."""
    piece = bytearray(64 << 20)
    started = time.monotonic()
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while stream.readinto(piece):
                pass
    return time.monotonic() - started


@contextmanager
def place_for(shape: str, wishes: Wishes) -> Iterator[Path]:
    if wishes.folder:
        folder = Path(wishes.folder) / shape
        yield folder
        if not wishes.keep_folder:
            shutil.rmtree(folder, ignore_errors=True)
        return
    needed = _SPARE * 2 * parameters_of(table_of(config_of(shape)))
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > needed
    with tempfile.TemporaryDirectory(dir=memory if has_room else None) as home:
        yield Path(home) / shape


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
