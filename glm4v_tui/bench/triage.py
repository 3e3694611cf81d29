"""Figures of a review, taken from outside: keys go in, pictures come out, times are told."""

from __future__ import annotations

import random
import re
import struct
import time
import zlib
from typing import TYPE_CHECKING

from glm4v_tui.bench.figures import Figure, Report, median, percentile
from glm4v_tui.bench.stage import Stage, report_of
from glm4v_tui.bench.terminal import FRAME_END, Terminal
from glm4v_tui.gpu import process_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SLOW_BYTES_PER_S = 250_000
_TASK = """
name = "bench"
summary = "Measures the screen."
question = "What is it?"

[fields.kind]
type = "choice"
choices = ["one", "other"]

[[labels]]
name = "one"

[[labels]]
name = "other"
"""


def measure_triage(tell: Callable[[str], None] = lambda _: None, only: str = "") -> Report:
    """Take all figures, or those of the measurements with ``only`` in their titles.

    Args:
        tell: Called with the title of what is being measured.
    """
    return report_of(_MEASUREMENTS, tell, only)


# The images -------------------------------------------------------------------------------------


def _color(number: int) -> tuple[int, int, int]:
    """A color of its own for each of many images, of none that a theme has."""
    return 40 + number % 200, 40 + number // 200 % 200, 200 + number // 40_000


def _photo_color(number: int) -> tuple[int, int, int]:
    """The same for 200 photos: far enough from one another to be told when they are rounded."""
    return 24 + 16 * (number % 10), 24 + 16 * (number // 10 % 10), 200 + 32 * (number // 100)


def _marker(number: int) -> re.Pattern[bytes]:
    """What the terminal gets where the photo of this number is drawn, sharp or coarse."""
    near = (
        b"|".join(str(value).encode() for value in range(part - 7, part + 8))
        for part in _photo_color(number)
    )
    return re.compile(b"8;2;(?:%s);(?:%s);(?:%s)" % tuple(near))


def _tiny(number: int) -> bytes:
    """A PNG of its own of 8 x 6 pixels, written without a library: 100,000 are made at once."""
    row = b"\0" + bytes(_color(number)) * 8
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 6, 1)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def many_images(folder: Path, count: int, photos: int) -> Path:
    """So many images: photos, hard to compress on any line, and after them tiny ones.

    The upper part of each photo is of the color that :func:`_marker` finds.
    """
    folder.mkdir()
    for number in range(photos):
        _photo(number, folder / f"image-{number:06}.png")
    for number in range(photos, count):
        (folder / f"image-{number:06}.png").write_bytes(_tiny(number))
    return folder


def _photo(number: int, path: Path) -> None:
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(number)
    grain = noise.integers(0, 255, (75, 100, 1), dtype=np.uint8)
    pixels = np.kron(np.repeat(grain, 3, 2), np.ones((12, 12, 1), np.uint8))
    pixels[:180] = _photo_color(number)
    Image.fromarray(pixels).save(path, compress_level=1)


def _review(place: Stage, folder: Path, bytes_per_s: float | None = None) -> Terminal:
    """A review of the folder, with a model that answers at once."""
    tasks = place.folder / "home" / "config" / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    (tasks / "bench.toml").write_text(_TASK)
    answer = {"text": '{"kind": "one"}', "tokens_per_s": 1e6, "first_token_s": 0.2}
    script = place.script("one", answer)
    arguments = ("triage", folder, "--task", "bench", "--scripted", script)
    return place.run(*arguments, bytes_per_s=bytes_per_s)


# Many images ------------------------------------------------------------------------------------


def measure_many(place: Stage, count: int = 100_000, keys: int = 100) -> Iterator[Figure]:
    """A folder of very many images: the start, going on and back, deciding, memory."""
    folder = many_images(place.folder / "many", count, photos=2 * keys)
    with _review(place, folder) as terminal:
        shown = terminal.time_of(terminal.wait_bytes(_marker(0), timeout=60))
        yield Figure(f"{count:,} images: the first is shown", shown - terminal.started_at, "s", 2)
        terminal.wait_quiet(1.0, timeout=60)
        yield Figure("bytes written in 5 idle seconds", terminal.count_bytes(5), "B", 0)
        going = [*range(1, keys + 1), *reversed(range(keys))]
        steps = [(b"n" if at <= keys else b"p", number) for at, number in enumerate(going, 1)]
        times = _latencies(terminal, steps)
        yield from _spread(times, "next or previous: key to picture", 50)
        times = _latencies(terminal, [(b"1", number) for number in range(1, keys + 1)])
        yield from _spread(times, "verdict: key to the next picture, kept on the disk", 80)
        memory = process_memory(terminal.process.pid) or 0
        yield Figure(f"memory of the interface, {count:,} images", memory / 1e6, "MB", 200)


def _latencies(terminal: Terminal, steps: list[tuple[bytes, int]]) -> list[float]:
    """Seconds from each key to the end of the frame with the picture that it leads to."""
    pause = random.Random(5)
    times = []
    for key, number in steps:
        times.append(terminal.latency(key, _marker(number)))
        time.sleep(pause.uniform(0.15, 0.3))
    return times


def _spread(times: list[float], name: str, limit: float) -> Iterator[Figure]:
    yield Figure(f"{name}, p50", median(times) * 1000, "ms", None, len(times))
    yield Figure(f"{name}, p95", percentile(times, 95) * 1000, "ms", limit, len(times))


# A slow line ------------------------------------------------------------------------------------


def measure_slow_line(place: Stage, presses: int = 40) -> Iterator[Figure]:
    """Keys at several speeds on a slow line: how far the screen is behind them."""
    folder = many_images(place.folder / "few", presses + 1, photos=presses + 1)
    for name, pause in (("held", 0.033), ("pressed 5 times a second", 0.2), ("at 1 a second", 1.0)):
        with _review(place, folder, bytes_per_s=_SLOW_BYTES_PER_S) as terminal:
            terminal.wait_bytes(_marker(0), timeout=60)
            terminal.wait_quiet(1.5, timeout=60)
            since, pressed = terminal.written, []
            count = presses if pause < 1 else 6
            for _ in range(count):
                pressed.append(time.perf_counter())
                terminal.send(b"n")
                time.sleep(pause)
            terminal.wait_quiet(1.5, timeout=60)
            behind = [
                _shown_at(terminal, _name_from(number + 1, presses + 1), since) - at
                for number, at in enumerate(pressed, 1)
            ]
            yield Figure(f"on 250 KB/s, next {name}: its name after", max(behind), "s", 0.5, count)
            last = _shown_at(terminal, _marker(count), since) - pressed[-1]
            yield Figure(f"on 250 KB/s, next {name}: its picture after", last, "s", 0.5)


def _name_from(number: int, total: int) -> re.Pattern[bytes]:
    """The line of this image or, where that was passed over, of a later one."""
    numbers = "|".join(map(str, range(number, total + 1)))
    return re.compile(f"(?:{numbers})/{total} ".encode())


def _shown_at(terminal: Terminal, marker: bytes | re.Pattern[bytes], since: int) -> float:
    """When the frame had ended that shows this, or what came in its place: a later one."""
    shown = terminal.wait_bytes(marker, since=since)
    return terminal.time_of(terminal.wait_bytes(FRAME_END, since=shown))


# The model ahead --------------------------------------------------------------------------------


def measure_look_ahead(place: Stage) -> Iterator[Figure]:  # noqa: ARG001 - it has its own folder
    """The embedded model and a reviewer who looks at one image a second."""
    import asyncio

    from glm4v_tui.bench.look_ahead import measure

    for name, wants_result in (("labels and result", True), ("labels alone", False)):
        found = asyncio.run(measure(30, 1.0, wants_result=wants_result))
        what = f"{name} there when the reviewer comes, one image a second"
        yield Figure(what, 100 * found.share, "%", None, found.images)


_MEASUREMENTS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "a folder of 100,000 images": measure_many,
    "a slow line": measure_slow_line,
    "the look-ahead": measure_look_ahead,
}
