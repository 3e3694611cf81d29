"""What the measurements play with: a home of its own, scripts for the engine, pictures."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.bench.figures import Report, this_machine
from glm4v_tui.bench.terminal import Terminal, TerminalTimeoutError
from glm4v_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from glm4v_tui.bench.figures import Figure

_PARAGRAPH = (
    "The picture shows a **red square** to the left of a blue circle. Both stand on a plain gray "
    "ground, lit from above; the shadow of the square falls to the right.\n\n"
    "- edges: sharp, no compression marks\n- surface: even, `#c03030` in the middle\n\n"
)
_CODE = '```python\nbox = (left, top, right, bottom)\nprint(f"{width} x {height}")\n```\n\n'

MARKED = re.compile(rb"[34]8;2;2[45]\d;\d+;1[67]\d")
"""A cell of the marked picture, also where its colors are rounded."""


class Stage:
    """A folder for one run of the program, gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def script(self, name: str, *answers: dict[str, object], load_s: float = 0.0) -> Path:
        """Write a script for the scripted engine."""
        import tomli_w

        path = self.folder / f"{name}.toml"
        path.write_text(tomli_w.dumps({"load_s": load_s, "answers": list(answers)}))
        return path

    def pictures(self, count: int, marked: int) -> Path:
        """A folder of different noisy gray photos, hard to compress on any line.

        Number ``marked`` is of a color that :data:`MARKED` finds among the bytes of a screen.
        """
        import numpy as np
        from PIL import Image

        folder = self.folder / "pictures"
        folder.mkdir()
        noise = np.random.default_rng(7)
        for number in range(count):
            grain = noise.integers(0, 255, (75, 100, 1), dtype=np.uint8)
            photo = np.kron(np.repeat(grain, 3, 2), np.ones((12, 12, 1), np.uint8))
            if number == marked:
                photo[:, :, 0], photo[:, :, 2] = 250, 165
            Image.fromarray(photo).save(folder / f"photo-{number:03}.png", compress_level=1)
        return folder

    def many_files(self, count: int) -> Path:
        """A folder of so many images: one file under many names."""
        from PIL import Image

        folder = self.folder / "many"
        folder.mkdir()
        first = folder / "image-0001.png"
        Image.new("RGB", (64, 48), (40, 90, 160)).save(first)
        for number in range(2, count + 1):
            _link(first, folder / f"image-{number:04}.png")
        return folder

    def environ(self) -> dict[str, str]:
        """The user's environment with none of the user's settings."""
        own = {
            "HOME": str(self.folder),
            "GLM4V_TUI_HOME": str(self.folder / "home"),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "HF_HUB_OFFLINE": "1",
        }
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TEXTUAL", "SSH_", "TMUX", "NO_COLOR"))
        }
        return kept | own

    def run(
        self,
        *arguments: str | Path,
        cwd: Path | None = None,
        bytes_per_s: float | None = None,
    ) -> Terminal:
        """Start the program in a terminal of 120 x 40."""
        argv = [sys.executable, "-m", "glm4v_tui", *map(str, arguments)]
        return self.run_other(argv, cwd, bytes_per_s)

    def run_other(
        self, argv: list[str], cwd: Path | None = None, bytes_per_s: float | None = None
    ) -> Terminal:
        return Terminal(
            argv,
            size=(120, 40),
            environ=self.environ(),
            cwd=cwd or self.folder,
            bytes_per_s=bytes_per_s,
        )


def answer_text(tokens: int) -> str:
    """Markdown of about so many tokens of the scripted engine (four characters each)."""
    block = _PARAGRAPH * 3 + _CODE
    return block * max(1, round(tokens * 3.2 / len(block)))


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="glm4v-tui-bench-") as folder:
        yield Stage(Path(folder))


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        target.write_bytes(source.read_bytes())


def report_of(
    measurements: Mapping[str, Callable[[Stage], Iterator[Figure]]],
    tell: Callable[[str], None],
    only: str,
) -> Report:
    """Each measurement on a stage of its own; one that fails is told beside the others' figures.

    Args:
        measurements: By title.
        tell: Called with the title of what is being measured.
        only: Leaves out those without it in their titles.

    Raises:
        UsageError: no title has it.
    """
    if not any(only in title for title in measurements):
        raise UsageError(
            "Nothing is measured under that name",
            f"No title has {only!r} in it. They are: {', '.join(measurements)}.",
            "Give --only a word of one of them.",
        )
    machine = this_machine()
    figures: list[Figure] = []
    failures: list[str] = []
    for title, measure in measurements.items():
        if only not in title:
            continue
        tell(title)
        try:
            with stage() as place:
                figures += measure(place)
        except (TerminalTimeoutError, subprocess.CalledProcessError) as error:
            failures.append(f"{title}: {error}")
    return Report(machine, tuple(figures), tuple(failures))
