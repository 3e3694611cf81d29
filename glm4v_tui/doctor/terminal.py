"""The terminal: what it is, how many colors and cells it has, and what stands between."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from glm4v_tui.doctor.finding import Finding, Status
from glm4v_tui.terminal import TerminalFacts, terminal_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from glm4v_tui.config import InterfaceSettings

SMALLEST = (60, 20)
"""Columns and rows that the screens are made for at least."""
_SLOW_ESCAPE_MS = 100
_KITTY = re.compile(r"kitty|ghostty|wezterm|konsole", re.IGNORECASE)
_SIXEL = re.compile(r"foot|wezterm|konsole|iterm|mlterm|contour|windows terminal", re.IGNORECASE)


def check(settings: InterfaceSettings) -> Iterator[Finding]:
    facts = terminal_facts(wanted=settings.colors)
    yield _kind(facts)
    yield _colors(facts)
    yield _size(facts)
    yield _encoding(facts)
    if facts.is_ssh:
        yield _finding("SSH", Status.OK, "the terminal is at the other end of a connection")
    if facts.multiplexer == "tmux":
        yield from check_tmux(facts, settings.images)
    elif facts.multiplexer == "screen":
        yield _finding(
            "GNU screen",
            Status.WARN,
            "copying to the clipboard and sixel or kitty pictures do not pass through it",
            "Use tmux, or start outside screen, if you need them.",
        )
    yield _pictures(facts, settings.images)


def check_tmux(facts: TerminalFacts, images: str) -> Iterator[Finding]:
    """What tmux lets through."""
    yield _finding("tmux", Status.OK, facts.program or "version unknown")
    clipboard = _ask_tmux("show-options", "-sv", "set-clipboard")
    if clipboard and clipboard != "on":
        yield _finding(
            "tmux clipboard",
            Status.WARN,
            f"set-clipboard is {clipboard}: a copied answer does not reach your clipboard",
            "Add to ~/.tmux.conf: set -s set-clipboard on",
        )
    escape = _ask_tmux("show-options", "-sv", "escape-time")
    if escape.isdigit() and int(escape) > _SLOW_ESCAPE_MS:
        yield _finding(
            "tmux Esc key",
            Status.WARN,
            f"escape-time is {escape} ms: the Esc key is that late",
            "Add to ~/.tmux.conf: set -s escape-time 10",
        )
    features = _ask_tmux("display-message", "-p", "#{client_termfeatures}")
    if features and "RGB" not in features and facts.color_system == "truecolor":
        yield _finding(
            "tmux colors",
            Status.WARN,
            "tmux does not know that your terminal has true color and shows 256 colors",
            "If it has, add to ~/.tmux.conf: set -as terminal-features ',*:RGB' and attach again",
        )
    if images in ("sixel", "kitty"):
        yield from _passthrough()


def _passthrough() -> Iterator[Finding]:
    allowed = _ask_tmux("show-options", "-gv", "allow-passthrough")
    if allowed not in ("on", "all"):
        yield _finding(
            "tmux pictures",
            Status.WARN,
            f"allow-passthrough is {allowed or 'unknown'}: sixel and kitty pictures stop at tmux",
            "Add to ~/.tmux.conf: set -g allow-passthrough on; or use --images half",
        )


def _kind(facts: TerminalFacts) -> Finding:
    told = f"TERM={facts.term or '(unset)'}"
    if facts.colorterm:
        told += f" COLORTERM={facts.colorterm}"
    if facts.program and facts.multiplexer != "tmux":
        told += f", {facts.program}"
    if facts.term in ("", "dumb", "unknown"):
        remedy = "Use --plain here, or set TERM to what your terminal is, such as xterm-256color."
        return _finding("kind", Status.WARN, f"{told}: the screen cannot be drawn", remedy)
    if not facts.is_tty:
        told += "; not started in a terminal, so this is what the environment says"
    return _finding("kind", Status.OK, told)


def _colors(facts: TerminalFacts) -> Finding:
    if facts.no_color:
        return _finding("colors", Status.OK, "none wanted (NO_COLOR is set); pictures are gray")
    match facts.color_system:
        case "truecolor":
            said = "" if facts.colorterm else ", although the terminal does not say so itself"
            return _finding("colors", Status.OK, f"true color{said}")
        case "256":
            remedy = 'If it can do more, write [interface] colors = "truecolor" in config.toml.'
            return _finding("colors", Status.WARN, "256: pictures are coarse", remedy)
        case _:
            remedy = (
                "Use a terminal with true color, or --images off and --theme terminal. If this "
                'one has it, write [interface] colors = "truecolor" in config.toml.'
            )
            return _finding("colors", Status.WARN, "16: pictures cannot be made out", remedy)


def _size(facts: TerminalFacts) -> Finding:
    if facts.columns is None or facts.rows is None:
        return _finding("size", Status.OK, "unknown: there is no terminal here")
    told = f"{facts.columns} x {facts.rows} cells"
    if facts.cell_width and facts.cell_height:
        told += f" of {facts.cell_width} x {facts.cell_height} pixels"
    else:
        told += "; their size in pixels is unknown, 1 to 2 is assumed"
    if facts.columns < SMALLEST[0] or facts.rows < SMALLEST[1]:
        remedy = f"Make the window at least {SMALLEST[0]} x {SMALLEST[1]}."
        return _finding("size", Status.WARN, told, remedy)
    return _finding("size", Status.OK, told)


def _encoding(facts: TerminalFacts) -> Finding:
    if facts.is_utf8:
        return _finding("encoding", Status.OK, "UTF-8")
    return _finding(
        "encoding",
        Status.WARN,
        "the locale is not UTF-8: lines and half blocks may come out as question marks",
        "Set LANG to a UTF-8 locale, such as LANG=C.UTF-8.",
    )


def _pictures(facts: TerminalFacts, images: str) -> Finding:
    if images in ("half", "off"):
        return _finding("pictures", Status.OK, "half blocks" if images == "half" else "off")
    known = _KITTY if images == "kitty" else _SIXEL
    if known.search(_names(facts, os.environ)):
        return _finding("pictures", Status.OK, f"{images}, which this terminal is known for")
    return _finding(
        "pictures",
        Status.WARN,
        f"{images}; nothing says that this terminal can show it",
        "If no picture appears, use --images half.",
    )


def _names(facts: TerminalFacts, env: Mapping[str, str]) -> str:
    """Everything in the environment that may betray the terminal's make."""
    own = [name for name in ("KITTY_WINDOW_ID", "WEZTERM_PANE", "KONSOLE_VERSION") if name in env]
    windows = ["Windows Terminal"] if "WT_SESSION" in env else []
    return " ".join([facts.term, facts.program, env.get("LC_TERMINAL", ""), *own, *windows])


def _ask_tmux(*command: str) -> str:
    """What tmux answers; empty when it does not."""
    try:
        done = subprocess.run(
            ["tmux", *command], capture_output=True, text=True, timeout=2, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _finding(name: str, status: Status, detail: str, remedy: str = "") -> Finding:
    return Finding("terminal", name, status, detail, remedy)
