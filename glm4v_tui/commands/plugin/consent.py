"""Nothing is installed or removed before the user has seen the command and said yes."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable


def say(*lines: str) -> None:
    """Write lines, safe to print, at once."""
    sys.stdout.writelines(f"{plain_line(line)}\n" for line in lines)
    sys.stdout.flush()


def consent(command: list[str], what: Iterable[str], *, yes: bool) -> None:
    """Show what will be run and ask.

    Raises:
        UsageError: there is nobody to ask.
        click.Abort: the user does not want it.
    """
    say("This will be run:", f"  {shlex.join(command)}", *what)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            "Nobody is there to say yes",
            "Standard input is no terminal; nothing was done.",
            "Give -y to go on without being asked.",
        )
    if not click.confirm("Go on?", default=False):
        say("Nothing was done.")
        raise click.Abort
