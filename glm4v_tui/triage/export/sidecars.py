"""XMP sidecars beside images. Another program's get more in them, or are left as they are."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from glm4v_tui.errors import UsageError
from glm4v_tui.plain import plain_line
from glm4v_tui.triage.export.xmp import RefusedError, Wanted, with_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from glm4v_tui.tasks.call import AnyTask
    from glm4v_tui.triage.export.rows import Row

PICK, REJECT = "pick", "reject"
_RATING = re.compile(r"-1|[0-5]")


class Rate(NamedTuple):
    """How a label is rated; None: not written."""

    rating: int | None = None
    """``xmp:Rating``."""
    pick: int | None = None
    """``xmpDM:pick``."""


def rates_of(given: Iterable[str], labels: Iterable[str]) -> dict[str, Rate]:
    """What ``--rate LABEL=VALUE`` says, by label.

    ``pick`` and ``reject`` are the flags of photo programs; ``reject`` is also a rating of -1.

    Raises:
        UsageError: a label that the task does not have, or a value that XMP does not have.
    """
    known = set(labels)
    rates: dict[str, Rate] = {}
    for text in given:
        label, _, value = text.rpartition("=")
        if label not in known or not (value in (PICK, REJECT) or _RATING.fullmatch(value)):
            raise UsageError(
                f"--rate {plain_line(text)} cannot be understood",
                f"Labels are: {', '.join(sorted(known))}.",
                "Write LABEL=VALUE; values are -1 to 5, pick and reject.",
            )
        rating, pick = rates.get(label, Rate())
        if value == PICK:
            pick = 1
        elif value == REJECT:
            rating, pick = -1, -1
        else:
            rating = int(value)
        rates[label] = Rate(rating, pick)
    return rates


@dataclass
class Sidecars:
    """Writes sidecars: ``photo.jpg.xmp``, as darktable and digiKam name them, or ``photo.xmp``, as
    Adobe's programs do."""

    task: AnyTask
    rates: Mapping[str, Rate] = field(default_factory=dict)
    is_adobe: bool = False
    notices: list[str] = field(default_factory=list)
    """What was left alone and why, in words."""

    def write(self, rows: Iterable[Row]) -> int:
        """One sidecar for each image that there is something to say of; how many.

        Raises:
            UsageError: two images would have one sidecar; nothing was written then.
        """
        every = list(rows)
        chosen = {self._place(row.path): row for row in every}
        if len(chosen) < len(every):
            raise UsageError(
                "Two images would share one sidecar",
                "They differ only by their suffix: photo.jpg and photo.png have photo.xmp both.",
                "Leave out --adobe-names.",
            )
        return sum(self._write_one(place, row) for place, row in chosen.items())

    def _place(self, path: Path) -> Path:
        return path.with_suffix(".xmp") if self.is_adobe else path.with_name(f"{path.name}.xmp")

    def _write_one(self, place: Path, row: Row) -> bool:
        try:
            before = place.read_bytes() if _is_there(place) else None
            wanted = self._wanted(row)
            if before is None and wanted == Wanted():
                return False
            after = with_verdict(before, wanted)
            if after != before:
                _replace(place, before, after)
        except (RefusedError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.notices.append(plain_line(f"{place} is left as it is: {reason}."))
            return False
        return True

    def _wanted(self, row: Row) -> Wanted:
        label = row.verdict.label
        rating, pick = self.rates.get(label or "", Rate())
        if pick is None and row.verdict.is_flagged:
            pick = 1
        keyword = None if label is None else f"{self.task.name}:{label}"
        return Wanted(keyword, rating, pick)


def _is_there(place: Path) -> bool:
    if place.is_symlink() and not place.exists():
        raise RefusedError("it is a link to nothing")
    return place.exists()


def _replace(place: Path, before: bytes | None, content: bytes) -> None:
    """Write a file whole or not at all, with the mode and through the link of the one before."""
    if before is not None and place.read_bytes() != before:
        raise RefusedError("another program is writing it")
    real = place.resolve() if place.is_symlink() else place
    handle, name = tempfile.mkstemp(prefix=f".{real.name}-", dir=real.parent)
    building = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        building.chmod(real.stat().st_mode & 0o7777 if real.exists() else 0o666 & ~_umask())
        building.rename(real)
    except BaseException:
        with suppress(OSError):
            building.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
