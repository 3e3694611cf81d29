"""``glm4v-tui plugin check``: what is wrong with a plugin or a task file."""

from __future__ import annotations

import sys

import msgspec

from glm4v_tui.errors import TaskError
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.checkup import check
from glm4v_tui.tasks.probe import LIMIT_S


def run(named: str, *, as_json: bool = False, limit_s: float = LIMIT_S) -> int:
    """Print what was found; 0 when it is fit, else 5.

    Raises:
        UsageError: there is nothing of this name.
    """
    found = check(named, limit_s=limit_s)
    code = 0 if found.is_fit else TaskError.exit_code
    if as_json:
        told = {"fit": found.is_fit, **msgspec.to_builtins(found)}
        sys.stdout.write(f"{msgspec.json.encode(told).decode()}\n")
        return code
    count = len(found.faults)
    faults = "1 fault" if count == 1 else f"{count} faults"
    lines = [
        found.subject,
        *(f"  {line}" for line in found.brings),
        *(f"  fault  {line}" for line in found.faults),
        *(f"  hint   {line}" for line in found.hints),
        "Fit." if found.is_fit else f"Not fit: {faults}.",
    ]
    sys.stdout.writelines(f"{plain_line(line)}\n" for line in lines)
    return code
