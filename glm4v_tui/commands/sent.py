"""``glm4v-tui sent``: which images have left this machine, when, and for where."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.commands.start import existing_paths
from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.database import Database
from glm4v_tui.store.sent import Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glm4v_tui.store.sent import SentImage


def run(paths: Sequence[str], *, as_json: bool) -> int:
    """List what was sent, oldest first: of these files, or all of it. Files are known by their
    content, under whatever name they lie now.

    Raises:
        GlmError: a file cannot be read, or the database cannot be used.
    """
    from glm4v_tui.triage.digests import read_content

    digests = [read_content(path).digest for path in existing_paths(paths)]
    with closing(Database(may_read_only=True)) as database:
        sent = Sent(database)
        found = [one for digest in digests for one in sent.all(digest)] if paths else sent.all()
        allowed = sent.allowed()
    if as_json:
        told = msgspec.json.encode({"sent": found, "allowed_hosts": allowed})
        sys.stdout.write(f"{told.decode()}\n")
        return 0
    for one in found:
        sys.stdout.write(f"{_line(one)}\n")
    if not found:
        what = "None of these files was" if paths else "No image was"
        sys.stdout.write(f"{what} sent to another host.\n")
    if allowed and not paths:
        hosts = ", ".join(map(plain_line, allowed))
        sys.stdout.write(f"Hosts that you have allowed when asked: {hosts}.\n")
    return 0


def forget(host: str) -> int:
    """Ask again before the next image goes to a host. What was sent stays in the list.

    Raises:
        UsageError: it was not allowed.
    """
    with closing(Database()) as database:
        if not Sent(database).forbid(host):
            raise UsageError(
                f"{plain_line(host)} was not allowed", "", "glm4v-tui sent lists those that are."
            )
    sys.stdout.write(f"{plain_line(host)} is asked about again.\n")
    return 0


def _line(one: SentImage) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
    size = f"{one.width}×{one.height}, {one.size:,} bytes"
    return plain_line(
        f"{at}  {one.host}  {one.engine}: {one.model}  {size}  file {one.source[:16]}"
        f"  sent {one.digest[:16]}"
    )
