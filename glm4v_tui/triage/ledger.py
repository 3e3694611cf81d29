"""The store as a review sees it: which content each image has, and what was said of it.

Keeps the standings of a queue's images equal to the store, whoever writes to it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import ImageChangedError, ImageError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.files import Files
from glm4v_tui.store.verdicts import NO_VERDICT, Verdict, Verdicts
from glm4v_tui.triage.digests import digest_of, remembered_in
from glm4v_tui.triage.standings import Decided, Standings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glm4v_tui.store.database import Database
    from glm4v_tui.store.verdicts import Done, Event
    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.listing import Listing

_QUICK_BYTES = 1 << 24
"""A larger file is not read only to find out whether it was decided under another name."""


class Ledger:
    """Standings and verdicts of the images of a listing. For one thread.

    Raises (every method): StoreError.
    """

    def __init__(
        self, database: Database, task: AnyTask, listing: Listing, reviewer: str, session: str
    ) -> None:
        private = task.is_private
        self.listing = listing
        self.standings = Standings(len(listing))
        self._files = Files(database, is_private=private)
        self._reviewer = reviewer
        self._verdicts = Verdicts(
            database, task.name, reviewer=reviewer, session=session, is_private=private
        )
        self._began = self._seen = self._verdicts.last_id()
        self._recall()

    def _recall(self) -> None:
        """What the store knows of the images; files are believed to be what they were until they
        are looked at."""
        verdicts = self._verdicts.by_reviewer()
        for index, file in remembered_in(self.listing, self._files):
            self.standings.set_digest(index, file.digest)
            self.standings.set_status(index, file.size, file.mtime_ns)
            each = {name: own[file.digest] for name, own in verdicts.items() if file.digest in own}
            if each:
                self._set(index, each)

    def _set(self, index: int, each: dict[str, Verdict]) -> None:
        """Let these be an image's verdicts, by reviewer."""
        others = (
            Decided(name, verdict.label, verdict.is_automatic)
            for name, verdict in sorted(each.items())
            if name != self._reviewer and verdict.is_decided
        )
        self.standings.set_verdict(index, each.get(self._reviewer, NO_VERDICT))
        self.standings.set_others(index, tuple(others))

    # Verdicts -----------------------------------------------------------------------------------

    def of(self, index: int) -> Verdict:
        """What this reviewer says of an image; nothing where its content is not known yet."""
        digest = self.standings.digest(index)
        return NO_VERDICT if digest is None else self._verdicts.of(digest)

    def add(self, events: Iterable[Event]) -> None:
        """On the disk when it returns: all or none."""
        self._verdicts.add(events)
        self.catch_up()

    def undo(self, done: Iterable[Done]) -> int:
        """Take events back; how many were still there to take back."""
        undone = self._verdicts.undo([one.id for one in done])
        self.catch_up()
        return len(undone)

    def to_undo(self) -> Iterator[tuple[Done, int]]:
        """What this reviewer may take back of the queue's images, the newest first, with the
        image's number."""
        for done in self._verdicts.to_undo(self._began):
            index = next(self.standings.with_digest(done.digest), None)
            if index is not None:
                yield done, index

    def automatic(self) -> list[Done]:
        """His automatic labels of the queue's images that he has not decided on since."""
        return [
            done
            for done in self._verdicts.automatic()
            if next(self.standings.with_digest(done.digest), None) is not None
        ]

    def catch_up(self) -> None:
        """Take over what happened in the store since, here and in other processes."""
        newest = self._verdicts.last_id()
        if newest == self._seen:
            return
        for digest, path in self._verdicts.changed_since(self._seen).items():
            each = self._verdicts.of_each(digest)
            for index in self._with_digest(digest, path):
                self._set(index, each)
        self._seen = newest

    def _with_digest(self, digest: str, path: Path | None) -> Iterable[int]:
        """The images of this content; also one that only another process has read."""
        found = list(self.standings.with_digest(digest))
        if not found and path is not None:
            index = self.listing.find(str(path))
            if index is not None and self.standings.digest(index) is None:
                self.standings.set_digest(index, digest)
                return [index]
        return found

    # Content ------------------------------------------------------------------------------------

    def learn_digest(self, index: int, digest: str) -> None:
        """The content of an image is known; a verdict on the same content is one on this image."""
        self.standings.set_checked(index)
        if self.standings.digest(index) == digest:
            return
        self.standings.set_digest(index, digest)
        self.standings.set_opinion(index, None, None)
        self._set(index, self._verdicts.of_each(digest))

    def digest(self, index: int) -> str:
        """Of the file as it is now.

        Raises:
            ImageChangedError: it was looked at before in this run, and was another then.
            ImageError: it cannot be read.
        """
        known = self.standings.digest(index) if self.standings.is_checked(index) else None
        path = Path(self.listing.name(index))
        digest = digest_of(self._files, path)
        self.learn_digest(index, digest)
        if known is not None and known != digest:
            raise ImageChangedError(
                "The file was changed while it was under review",
                f"{plain_line(str(path))} is not what was shown.",
                "Look at it again and decide anew.",
            )
        return digest

    def is_open(self, index: int, until: float) -> bool:
        """Whether an image waits for a verdict. What would be passed over is looked at first: the
        file must be the one that was decided. A file that was not read yet may be a renamed one.

        Args:
            until: The time (``perf_counter``) after which no file is read for that.
        """
        if not self.standings.is_checked(index):
            self._check(index, until)
        return not self.standings.is_decided(index)

    def _check(self, index: int, until: float) -> None:
        """Look whether a file is what it was; one that cannot be looked at stays as it is."""
        name = self.listing.name(index)
        try:
            status = os.stat(name)  # noqa: PTH116 - 100,000 of them
            if self.standings.has_status(index, status):
                self.standings.set_checked(index)
            elif self.standings.is_decided(index) or (
                self._seen and status.st_size <= _QUICK_BYTES and time.perf_counter() < until
            ):
                self.learn_digest(index, digest_of(self._files, Path(name)))
        except (OSError, ImageError):
            return
