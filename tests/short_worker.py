"""The model's process with memory that runs out: ``python -m tests.short_worker FD``.

``SHORTAGE`` says where and how often, as ``PART:TIMES:AFTER`` of :class:`tests.shortages.Shortage`.
The program itself knows nothing of it. To look at the screen meanwhile::

    SHORTAGE=prefill:3:0 python -m tests.short_worker chat photo.jpg
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    if sys.argv[1].isdigit():
        work()
    else:
        show(sys.argv[1:])


def work() -> None:
    from glm4v_tui.engine import worker
    from glm4v_tui.inference.backend import Backend
    from glm4v_tui.inference.environment import prepare_environment

    prepare_environment()
    from tests.shortages import Shortage

    part, times, after = os.environ["SHORTAGE"].split(":")
    begin = Backend.__init__

    def begin_short(self: Any) -> None:
        begin(self)
        Shortage(part, int(times), int(after)).watch(self)

    Backend.__init__ = begin_short  # type: ignore[method-assign]
    worker.main()


def show(arguments: list[str]) -> None:
    """The program, with this as its worker."""
    from glm4v_tui.cli import cli
    from glm4v_tui.engine import process

    process.WORKER_MODULE = "tests.short_worker"
    cli(arguments)


if __name__ == "__main__":
    main()
