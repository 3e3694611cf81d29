"""Figures of the interface, taken from outside: keys go in, bytes come out, times are told.

Everything runs in one go on the machine at hand with a scripted engine, so no model and no GPU
is needed, and what is compared is measured alternately.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from glm4v_tui.bench import empty_app
from glm4v_tui.bench.chooser import measure_chooser
from glm4v_tui.bench.figures import Figure, Report, median, percentile
from glm4v_tui.bench.stage import MARKED, Stage, answer_text, report_of
from glm4v_tui.bench.terminal import FRAME_END, Terminal, key_bytes
from glm4v_tui.gpu import process_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READY = b"Look at images"
"""Stands on the first frame of the program."""

_LINK_BYTES_PER_S = 250_000
_CELLS_OF_A_PICTURE = 300
_LETTERS = range(0x1401, 0x166D)
"""Canadian syllabics: one cell each, enough of them, and no answer or label contains one. A new
letter for every key press makes each paint recognizable in the stream of bytes."""


def measure_interface(tell: Callable[[str], None] = lambda _: None, only: str = "") -> Report:
    """Take all figures, or those of the measurements with ``only`` in their titles.

    Args:
        tell: Called with the title of what is being measured.
    """
    return report_of(_MEASUREMENTS, tell, only)


# Starting ---------------------------------------------------------------------------------------


def measure_start(place: Stage, rounds: int = 9) -> Iterator[Figure]:
    """Time to the first frame against an empty app's, and to the end of ``--help``."""
    script = place.script("empty", {"text": "Yes."})
    empty = [sys.executable, "-m", empty_app.__name__]
    ours, theirs, helps = [], [], []
    for _ in range(rounds + 1):  # the first round warms the disk's cache and is not counted
        theirs.append(_first_frame(place.run_other(empty), empty_app.READY.encode()))
        ours.append(_first_frame(place.run("--scripted", script), READY))
        helps.append(_help_time(place))
    first, least = median(ours[1:]), median(theirs[1:])
    yield Figure("first frame", first * 1000, "ms", samples=rounds)
    yield Figure("first frame of an empty app", least * 1000, "ms", samples=rounds)
    yield Figure("first frame, ratio", first / least, "", 1.3, rounds)
    yield Figure("--help", median(helps[1:]) * 1000, "ms", 300, rounds)


def _first_frame(terminal: Terminal, marker: bytes) -> float:
    with terminal:
        return terminal.time_of(terminal.wait_bytes(marker)) - terminal.started_at


def _help_time(place: Stage) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "glm4v_tui", "--help"],
        check=True,
        capture_output=True,
        env=place.environ(),
        cwd=place.folder,
    )
    return time.perf_counter() - start


# Streaming --------------------------------------------------------------------------------------


def measure_streaming(
    place: Stage, keys: int = 150, words: int = 3600, idle_s: int = 5
) -> Iterator[Figure]:
    """Typing while an answer arrives at 200 tokens a second; then some seconds of nothing."""
    script = place.script("stream", {"text": answer_text(words), "tokens_per_s": 200.0})
    with place.run("--scripted", script) as terminal:
        terminal.wait_bytes(READY)
        terminal.wait_quiet(0.5)
        yield _idle_bytes(terminal, idle_s, "at the start")
        at_rest = typing_latencies(terminal, 40, first=_LETTERS[-40])
        yield Figure("key to paint at rest, p50", median(at_rest) * 1000, "ms", samples=40)
        terminal.press("ctrl+u")
        terminal.wait_quiet(0.3)
        terminal.type("Describe it.")
        terminal.wait_quiet(0.3)
        terminal.press("enter")
        terminal.wait_bytes(b"shadow of the square")
        used, since = processor_time(terminal.process.pid), time.perf_counter()
        yield from _typing(terminal, keys, "key to paint while 200 tokens/s stream")
        share = (processor_time(terminal.process.pid) - used) / (time.perf_counter() - since)
        yield Figure("processor time for both", share * 100, "%")
        memory = process_memory(terminal.process.pid) or 0
        yield Figure("memory of the interface", memory / 1e6, "MB", 120)
        terminal.wait_quiet(1.0, timeout=60)
        yield _idle_bytes(terminal, idle_s, "after an answer")


def _idle_bytes(terminal: Terminal, seconds: int, when: str) -> Figure:
    """The least of three tries: memory that other programs take in the meantime is shown, too."""
    written = 0
    for _ in range(3):
        written = terminal.count_bytes(seconds)
        if not written:
            break
    return Figure(f"bytes written in {seconds} idle seconds, {when}", written, "B", 0)


def processor_time(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _typing(terminal: Terminal, keys: int, name: str) -> Iterator[Figure]:
    times = typing_latencies(terminal, keys)
    yield from _spread(times, name)


def typing_latencies(terminal: Terminal, keys: int, first: int = _LETTERS[0]) -> list[float]:
    """Seconds from each key press to the end of the frame that shows its letter."""
    pause = random.Random(5)
    times = []
    for letter in range(first, first + keys):
        letter_bytes = chr(letter).encode()
        times.append(terminal.latency(letter_bytes, letter_bytes))
        time.sleep(pause.uniform(0.02, 0.07))
    return times


def _spread(times: list[float], name: str) -> Iterator[Figure]:
    yield Figure(f"{name}, p50", percentile(times, 50) * 1000, "ms", 30, len(times))
    yield Figure(f"{name}, p99", percentile(times, 99) * 1000, "ms", 80, len(times))


# A long conversation ----------------------------------------------------------------------------


def measure_long_conversation(
    place: Stage, turns: int = 200, keys: int = 100, pages: int = 40
) -> Iterator[Figure]:
    """Typing and scrolling after many questions and answers."""
    text = answer_text(150)
    answers = [
        {"text": f"{text}\n\nThat was answer {number:04}.", "tokens_per_s": 1e6}
        for number in range(turns)
    ]
    with place.run("--scripted", place.script("long", *answers)) as terminal:
        terminal.wait_bytes(READY)
        terminal.wait_quiet(0.5)
        for number in range(turns):
            terminal.type(f"Question {number}")
            terminal.press("enter")
            terminal.wait_bytes(f"answer {number:04}".encode(), timeout=60)
        terminal.wait_quiet(1.0)
        yield from _typing(terminal, keys, f"key to paint, typing after {turns} turns")
        times = quiet_latencies(terminal, ["pageup"] * pages + ["pagedown"] * (pages // 2))
        yield from _spread(times, f"key to paint, scrolling {turns} turns")
        memory = process_memory(terminal.process.pid) or 0
        yield Figure(f"memory of the interface, {turns} turns", memory / 1e6, "MB", 120)


def quiet_latencies(terminal: Terminal, keys: list[str], pause: float = 0.12) -> list[float]:
    """Seconds from each key press to the end of the next frame; nothing else may be painting."""
    times = []
    for key in keys:
        terminal.wait_quiet(pause)
        times.append(terminal.latency(key_bytes(key)))
    return times


# Pictures and files -----------------------------------------------------------------------------


def measure_slow_link(place: Stage, presses: int = 30) -> Iterator[Figure]:
    """Hold "next image" in the picker on a slow line; how long until the screen has caught up."""
    script = place.script("empty", {"text": "Yes."})
    pictures = place.pictures(40, marked=presses)
    with place.run("--scripted", script, pictures, bytes_per_s=_LINK_BYTES_PER_S) as terminal:
        terminal.wait_bytes(b"photo-000")
        terminal.wait_quiet(1.5, timeout=60)
        since = terminal.written
        for _ in range(presses):
            terminal.press("down")
            time.sleep(1 / presses)
        released = time.perf_counter()
        terminal.wait_quiet(1.0, timeout=60)
        end = terminal.written
        name = terminal.wait_bytes(f"photo-{presses:03}".encode(), since=since)
        cells = [cell.end() for cell in MARKED.finditer(terminal.output, since)]
        picture = cells[min(len(cells), _CELLS_OF_A_PICTURE) - 1] if cells else end
        for what, offset, limit in [
            ("its name is there", name, 0.5),
            ("its picture is there", picture, 0.5),
            ("its picture is sharp", end, None),
        ]:
            behind = max(0.0, terminal.time_of(offset) - released)
            yield Figure(f"'next image' held on 250 KB/s: {what} after", behind, "s", limit)
        yield Figure("'next image' held on 250 KB/s: written", (end - since) / 1000, "KB")


def measure_picker(place: Stage, files: int = 5000, keys: int = 40) -> Iterator[Figure]:
    """Open a folder of many files, move about in it."""
    script = place.script("empty", {"text": "Yes."})
    folder = place.many_files(files)
    with place.run("--scripted", script, cwd=folder) as terminal:
        terminal.wait_bytes(READY)
        terminal.wait_quiet(0.5)
        since, start = terminal.written, time.perf_counter()
        terminal.press("ctrl+o")
        shown = terminal.wait_bytes(f"{files:,}".encode(), since=since)
        shown = max(shown, terminal.wait_bytes(b"image-0010", since=since))
        at = terminal.time_of(terminal.wait_bytes(FRAME_END, since=shown))
        yield Figure(f"{files:,} files listed", (at - start) * 1000, "ms", 500)
        times = quiet_latencies(terminal, ["down"] * keys + ["pagedown"] * (keys // 4), pause=0.25)
        yield Figure(
            f"key to paint among {files:,} files, p50", median(times) * 1000, "ms", 30, len(times)
        )


_MEASUREMENTS: dict[str, Callable[[Stage], Iterator[Figure]]] = {
    "starting": measure_start,
    "streaming": measure_streaming,
    "a conversation of 200 turns": measure_long_conversation,
    "pictures on a slow line": measure_slow_link,
    "a folder of 5,000 files": measure_picker,
    "the model chooser": measure_chooser,
}
