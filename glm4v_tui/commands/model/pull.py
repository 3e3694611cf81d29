"""``glm4v-tui model pull``: a model from the hub into the cache."""

from __future__ import annotations

import time

from glm4v_tui.checkpoint import cached_snapshot
from glm4v_tui.commands.batch_progress import duration
from glm4v_tui.commands.model.naming import hub_id_of
from glm4v_tui.commands.model.progress import ByteProgress
from glm4v_tui.commands.model.words import files, note, say, size
from glm4v_tui.diagnosis import explain
from glm4v_tui.hub import Pulled, Pulling, Stopped, pull

INTERRUPTED = 130
_REMEDY = (
    "Start again: it goes on where it stopped. glm4v-tui doctor MODEL checks hub and disk; please "
    "report it when it happens again."
)


def run(name: str) -> int:
    """Fetch a model; print its folder. The exit code.

    Raises:
        GlmError: why it could not be fetched.
    """
    hub_id, revision = hub_id_of(name)
    folder = fetch(hub_id, revision, name)
    if folder is None:
        return INTERRUPTED
    say(folder)
    return 0


def fetch(hub_id: str, revision: str, name: str) -> str | None:
    """Fetch a model, telling on standard error how far it is.

    Args:
        name: How the user wrote hub id and revision.

    Returns:
        Its folder; None when it was interrupted, and that is told.

    Raises:
        GlmError: why it could not be fetched.
    """
    progress = ByteProgress()
    started = time.monotonic()
    try:
        pulled = pull(hub_id, revision, on_start=_begin, on_bytes=progress)
    except (KeyboardInterrupt, Stopped):
        progress.clear()
        note(
            f"Stopped. {size(progress.done)} of {size(progress.total)} are here; "
            f"glm4v-tui model pull {name} goes on there."
            if progress.total
            else "Stopped."
        )
        return None
    except Exception as error:
        progress.clear()
        told = explain(error, f"fetching {name}", _REMEDY)
        if told is error:
            raise
        if not progress.total and (folder := cached_snapshot(hub_id, revision)) is not None:
            note(f"{told.title}. What is in the cache is whole, as of an earlier download.")
            return folder
        raise told from error
    progress.clear()
    _end(pulled, time.monotonic() - started)
    return pulled.folder


def _begin(pulling: Pulling) -> None:
    repository = pulling.repository
    if repository.real_id != repository.hub_id:
        note(
            f"{repository.hub_id} is called {repository.real_id} now; the old name still works and "
            "is kept."
        )
    here = f", {size(pulling.here)} of it here already" if pulling.here else ""
    note(
        f"{repository.hub_id} at {repository.commit[:12]}: {files(len(pulling.files))}, "
        f"{size(pulling.total)}{here}."
    )


def _end(pulled: Pulled, seconds: float) -> None:
    if pulled.fetched:
        rate = size(pulled.fetched / max(seconds, 0.001))
        note(
            f"Fetched {size(pulled.fetched)} in {duration(seconds)} ({rate}/s); every checksum is "
            "right."
        )
    else:
        note("All of it was here already.")
