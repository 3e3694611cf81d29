"""What a check found, and how findings are written down."""

from __future__ import annotations

from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui import __version__
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SETTINGS = "settings"
"""The area whose failures are the user's to mend in a file."""


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Chatting works, but something could be better."""
    FAIL = "fail"
    """Chatting will not work."""


class Finding(msgspec.Struct, frozen=True):
    area: str
    """``terminal``, ``software``, ``hardware``, ``model``, ``settings`` or ``files``."""
    name: str
    """What was looked at, in a word or two."""
    status: Status
    detail: str
    """What was seen."""
    remedy: str = ""
    """What to do; empty when all is well."""


class DoctorReport(msgspec.Struct, frozen=True):
    """What ``doctor --json`` prints."""

    version: str
    fit: bool
    """True when nothing stands in the way of a chat."""
    findings: tuple[Finding, ...]


def exit_code(findings: Iterable[Finding]) -> int:
    """0 when fit to chat, 2 when only settings are wrong, 4 otherwise."""
    failed = {finding.area for finding in findings if finding.status is Status.FAIL}
    if not failed:
        return 0
    return 2 if failed == {SETTINGS} else 4


def as_json(findings: Iterable[Finding]) -> str:
    """One JSON object, a :class:`DoctorReport`, indented."""
    found = tuple(findings)
    report = DoctorReport(__version__, exit_code(found) == 0, found)
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def as_text(findings: Iterable[Finding]) -> str:
    """All findings by area, aligned, each remedy under its finding; the verdict at the end."""
    found = list(findings)
    width = max((len(finding.name) for finding in found), default=0)
    lines: list[str] = []
    for area, group in groupby(found, key=lambda finding: finding.area):
        lines += [area.capitalize(), *(line for one in group for line in _lines(one, width)), ""]
    return "\n".join([*lines, verdict(found)])


def verdict(findings: Iterable[Finding]) -> str:
    """One sentence for all."""
    found = list(findings)
    fails = sum(finding.status is Status.FAIL for finding in found)
    warns = sum(finding.status is Status.WARN for finding in found)
    hints = f" {_count(warns, 'hint')} above." if warns else ""
    if not fails:
        return f"Fit to chat.{hints}"
    return f"Not fit to chat: {_count(fails, 'problem')} to mend.{hints}"


def _lines(finding: Finding, width: int) -> Iterator[str]:
    mark = finding.status.value.upper() if finding.status is Status.FAIL else finding.status.value
    first, *more = finding.detail.splitlines() or [""]
    yield plain_line(f"  {mark:<4}  {finding.name:<{width}}  {first}").rstrip()
    indent = " " * (width + 10)
    yield from (indent + plain_line(line) for line in more)
    yield from (f"{indent}-> {plain_line(line)}" for line in finding.remedy.splitlines())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
