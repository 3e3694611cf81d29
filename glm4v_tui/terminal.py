"""What is known of the terminal without asking it anything.

Everything comes from the environment and one ioctl: the answers to escape queries arrive as key
presses when the link is slow.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

ColorSystem = Literal["truecolor", "256", "standard"]
"""The names that ``TEXTUAL_COLOR_SYSTEM`` takes; standard has 16 colors."""

VARIABLE = "TEXTUAL_COLOR_SYSTEM"
_BY_SETTING: dict[str, ColorSystem] = {"truecolor": "truecolor", "256": "256", "16": "standard"}
_FEW_COLORS = re.compile(
    r"(|dumb|unknown|linux|vt\d.*|ansi|cons25.*|sun.*|eterm|rxvt.*|xterm-color|.*-(m|mono|8color|"
    r"16color|88color))",
    re.IGNORECASE,
)
"""TERM where 24-bit color sequences are unknown: they garble the text or change nothing."""


class TerminalFacts(msgspec.Struct, frozen=True):
    term: str
    """TERM; empty when unset."""
    colorterm: str
    program: str
    """The terminal's or multiplexer's name and version, where it gives them."""
    color_system: ColorSystem
    """What the screen is painted in."""
    no_color: bool
    is_tty: bool
    """Keys come from a terminal and the screen can be painted on it."""
    multiplexer: Literal["", "tmux", "screen", "zellij"]
    is_ssh: bool
    is_utf8: bool
    columns: int | None
    rows: int | None
    cell_width: int | None
    """Pixels of one cell; None when the terminal does not tell."""
    cell_height: int | None


def terminal_facts(env: Mapping[str, str] | None = None, wanted: str = "auto") -> TerminalFacts:
    """Look at the environment and at the terminal of the standard streams.

    Args:
        wanted: The setting ``interface.colors``.
    """
    env = os.environ if env is None else env
    columns, rows, width, height = window_size()
    return TerminalFacts(
        term=env.get("TERM", ""),
        colorterm=env.get("COLORTERM", ""),
        program=f"{env.get('TERM_PROGRAM', '')} {env.get('TERM_PROGRAM_VERSION', '')}".strip(),
        color_system=color_system(env, wanted),
        no_color="NO_COLOR" in env,
        is_tty=os.isatty(0) and os.isatty(2),
        multiplexer=_multiplexer(env),
        is_ssh=is_ssh(env),
        is_utf8=_is_utf8(env),
        columns=columns or None,
        rows=rows or None,
        cell_width=width // columns if width and columns else None,
        cell_height=height // rows if height and rows else None,
    )


def wants_truecolor(env: Mapping[str, str]) -> bool:
    """Whether 24-bit color is right although the terminal may not say so.

    SSH does not pass COLORTERM on, so it is not asked for: nearly every terminal of today can,
    and tmux translates for those that cannot. Where the program is known to be one that cannot,
    or the user wants no color, nothing is forced.
    """
    if "NO_COLOR" in env or _FEW_COLORS.fullmatch(env.get("TERM", "").strip()):
        return False
    if env.get("TERM_PROGRAM") == "Apple_Terminal" or _multiplexer(env) == "screen":
        return env.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    return True


def color_system(env: Mapping[str, str], wanted: str = "auto") -> ColorSystem:
    """The color system the screen is painted in: the user's word, or the best that will do."""
    chosen = env.get(VARIABLE, "").lower()
    if chosen in _BY_SETTING.values():
        return chosen  # type: ignore[return-value]  # the line above checked it
    if wanted in _BY_SETTING:
        return _BY_SETTING[wanted]
    if wants_truecolor(env) or env.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if env.get("TERM", "").endswith("256color") else "standard"


def set_color_system(env: MutableMapping[str, str], wanted: str = "auto") -> None:
    """Tell Textual, which reads its environment when it is imported."""
    env[VARIABLE] = color_system(env, wanted)


def is_ssh(env: Mapping[str, str]) -> bool:
    return any(name in env for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))


def window_size() -> tuple[int, int, int, int]:
    """Columns, rows, width and height in pixels; 0 where the terminal does not tell."""
    import fcntl
    import termios

    for descriptor in (2, 1, 0):
        try:
            answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
        except OSError:
            continue
        rows, columns, width, height = struct.unpack("HHHH", answer)
        return columns, rows, width, height
    return 0, 0, 0, 0


def _multiplexer(env: Mapping[str, str]) -> Literal["", "tmux", "screen", "zellij"]:
    if "TMUX" in env or env.get("TERM", "").startswith("tmux"):
        return "tmux"
    if "ZELLIJ" in env:
        return "zellij"
    return "screen" if "STY" in env else ""


def _is_utf8(env: Mapping[str, str]) -> bool:
    """The locale's encoding, by the rule of POSIX: the first of these that is set decides."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := env.get(name):
            return "utf-8" in value.lower() or "utf8" in value.lower()
    return False
