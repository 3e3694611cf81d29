"""A user's home to start the program in, with what the tests put there."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import tomli_w

from .terminal import ScreenTerminal, environment, program

READY = "Look at images"
"""Stands on the first screen."""


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._terminals: list[ScreenTerminal] = []

    # What is there --------------------------------------------------------------------------

    def script(self, *answers: str | dict, load_s: float = 0.0, at_once: int = 1) -> Path:
        """A script for the scripted engine; a plain text is an answer given at once."""
        path = self.folder / f"script-{len(list(self.folder.glob('script-*')))}.toml"
        played = [{"text": a, "tokens_per_s": 1e6} if isinstance(a, str) else a for a in answers]
        script = {"load_s": load_s, "at_once": at_once, "answers": played}
        path.write_text(tomli_w.dumps(script))
        return path

    def settings(self, **areas: dict) -> None:
        """Write the user's ``config.toml``."""
        path = self.folder / "glm4v-tui" / "config" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tomli_w.dumps(areas))

    # What runs ------------------------------------------------------------------------------

    def start(
        self,
        *arguments: str | Path,
        wait: str = READY,
        size: tuple[int, int] = (120, 40),
        argv: list[str] | None = None,
        **environ: str | None,
    ) -> ScreenTerminal:
        """Start the program and wait for its first screen (``wait=""``: do not)."""
        terminal = ScreenTerminal(
            argv or program(*arguments),
            size=size,
            environ=environment(self.folder, **environ),
            cwd=self.folder,
        )
        self._terminals.append(terminal)
        if wait:
            terminal.wait_for(wait, timeout=30)
        return terminal

    def play(self, *answers: str | dict, load_s: float = 0.0, **options) -> ScreenTerminal:
        """Start the chat with the scripted engine."""
        return self.start("--scripted", self.script(*answers, load_s=load_s), **options)

    def close(self, save_pictures: bool = False) -> None:
        for number, terminal in enumerate(self._terminals):
            if save_pictures:
                with contextlib.suppress(Exception):
                    print(terminal.save_picture(self.folder / f"screen-{number}.png"))
            children = terminal.children()
            terminal.close()
            for child in children:
                with contextlib.suppress(Exception):
                    child.kill()


def ask(terminal: ScreenTerminal, question: str) -> None:
    """Type a question and send it, as a person does: Enter once the words are there."""
    terminal.type(question)
    terminal.wait_for(re.escape(question))
    terminal.press("enter")
