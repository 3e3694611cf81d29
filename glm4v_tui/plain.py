"""Text from outside (file names, answers, logs) made safe to show in a terminal."""

from __future__ import annotations

import re

UNSAFE_CHARACTERS = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    r"\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction overrides and isolates
    r"\u2028\u2029\ufeff"  # line and paragraph separators, an invisible mark
)
"""As a regular expression's character class has them between its brackets."""

_UNSAFE = re.compile(
    # ESC sequences whole, so that no "[31m" stays behind: CSI, OSC/DCS/SOS/PM/APC, two-byte ones
    r"\x1b\[[0-?]*[ -/]*(?:[@-~]|\Z)"  # also one that a growing text has not finished
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    rf"|[{UNSAFE_CHARACTERS}]"
    # surrogates: bytes of a file name that are not UTF-8
    r"|[\ud800-\udfff]"
)


def plain_text(text: str) -> str:
    """Remove what could move the cursor, change colors or reverse reading order.

    Tabs and newlines stay; every line end becomes ``\\n``. Undecodable bytes of file names become
    ``U+FFFD`` so that two such names still differ in length.
    """
    return _UNSAFE.sub(_replacement, text.replace("\r\n", "\n").replace("\r", "\n"))


def plain_line(text: str) -> str:
    """The same on one line: newlines and tabs become spaces."""
    return plain_text(text).replace("\n", " ").replace("\t", " ")


def _replacement(match: re.Match[str]) -> str:
    return "\ufffd" if "\ud800" <= match[0] <= "\udfff" else ""
