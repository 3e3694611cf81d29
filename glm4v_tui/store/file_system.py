"""What the file system under the database can do."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
from pathlib import Path

_NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    *("gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"),
}
_ESCAPED = re.compile(r"\\([0-7]{3})")
"""A space in a name is written ``\\040``."""
_MOUNTS = Path("/proc/self/mountinfo")


def is_network(folder: Path, mounts: str | None = None) -> bool:
    """Whether other hosts may have this folder too; False where it cannot be told.

    Args:
        mounts: In the format of ``/proc/self/mountinfo`` (proc(5)); None reads that.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
    name = f"{os.path.realpath(folder)}/"
    best, kind = "", ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields.split()[4])
        if name.startswith(f"{point.rstrip('/')}/") and len(point) >= len(best):
            best, kind = point, rest.split()[0]
    return kind in _NETWORK


def knows_locks(folder: Path) -> bool:
    """Whether a file in this folder can be locked, which SQLite lives by."""
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def make_private(path: Path) -> None:
    """Make the folder and the file, for nobody but their owner; what is there stays as it is.

    SQLite gives the files beside it the same mode.

    Raises:
        OSError: they cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
