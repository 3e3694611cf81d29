"""A process that writes numbers into the database and says each when it is on the disk.

``python -m tests.store.writer FILE [limit=BYTES] [fill=BYTES] [no-locks] [as-nobody] [count=N]
[stay]``
"""

import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

from glm4v_tui.errors import StoreError
from glm4v_tui.store.database import Database

_FCNTL = {"x86_64": (0xC000003E, 72), "aarch64": (0xC00000B7, 25)}
ENOLCK = 37


def without_locks():
    """From here on the kernel answers every wish for a lock as a disk without locks does."""
    architecture, number = _FCNTL[os.uname().machine]
    allow, refuse = 0x7FFF0000, 0x00050000 | ENOLCK
    program = [
        (0x20, 0, 0, 4), (0x15, 0, 5, architecture),
        (0x20, 0, 0, 0), (0x15, 0, 3, number),
        (0x20, 0, 0, 24), (0x15, 0, 1, 6),  # the second argument is F_SETLK
        (0x06, 0, 0, refuse), (0x06, 0, 0, allow),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filters = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert libc.prctl(22, 2, filters, 0, 0) == 0  # seccomp


def main(file, *wishes):
    options = dict(wish.partition("=")[::2] for wish in wishes)
    if "as-nobody" in options and os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    if "limit" in options:
        limit = int(options["limit"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if "no-locks" in options:
        without_locks()
    database = Database(Path(file))
    with database.transaction() as run:
        run.execute("CREATE TABLE IF NOT EXISTS numbers (n INTEGER, filling BLOB)")
    filling = bytes(int(options.get("fill", 10)))
    for number in range(int(options.get("count", 10**9))):
        with database.transaction() as run:
            run.execute("INSERT INTO numbers VALUES (?, ?)", (number, filling))
        print(number, flush=True)
    if "stay" in options:
        signal.pause()
    database.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except StoreError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
