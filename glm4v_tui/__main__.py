"""The program's entry: ``python -m glm4v_tui`` and the ``glm4v-tui`` command."""

import gc
import sys
from typing import NoReturn


def main() -> NoReturn:
    gc.disable()  # nothing that a start makes is garbage; the command switches it on again
    try:
        from glm4v_tui.cli import main as run
    except KeyboardInterrupt:  # pressed while the program was still being read from disk
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
