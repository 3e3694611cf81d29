"""Files that belong together: the slices of a scan, put into the order that their reader knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from glm4v_tui.errors import ImageError
from glm4v_tui.images import formats
from glm4v_tui.images.files import regular_file
from glm4v_tui.images.readers import reader_for
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from glm4v_tui.images.readers import ImageReader


def in_order(paths: Sequence[Path]) -> list[Path]:
    """The files in their reader's order; as they came where there is no such order.

    Only the first bytes are read in here, the rest is up to the reader. Blocks on the disk.

    Raises:
        ImageError: the reader failed.
    """
    if len(paths) < 2:
        return list(paths)
    readers = [_ordering_reader(path) for path in paths]
    first = readers[0]
    if first is None or any(reader is not first for reader in readers):
        return list(paths)
    ordered = [path for series in _series(first, paths) for path in series]
    return ordered + [path for path in paths if path not in set(ordered)]


def series_in(folder: Path) -> list[list[Path]]:
    """The series of files that lie in a folder, each in its order, the largest first.

    Files that no ordering reader knows are left out.

    Raises:
        ImageError: the folder cannot be read, or the reader failed.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        reason = f"{plain_line(str(folder))}: {error.strerror}."
        raise ImageError("The folder could not be read", reason, "Try again.") from error
    found: dict[str, tuple[ImageReader, list[Path]]] = {}
    for path in paths:
        if (reader := _ordering_reader(path)) is not None:
            found.setdefault(reader.name, (reader, []))[1].append(path)
    series = [list(one) for reader, files in found.values() for one in _series(reader, files)]
    return sorted(series, key=len, reverse=True)


def _ordering_reader(path: Path) -> ImageReader | None:
    """The reader of a file if it knows an order; a file that cannot be opened has none."""
    try:
        with regular_file(path) as file:
            reader = reader_for(file.read(formats.HEAD_BYTES), path.suffix)
    except ImageError:
        return None
    return reader if reader is not None and reader.order is not None else None


def _series(reader: ImageReader, paths: Sequence[Path]) -> Sequence[Sequence[Path]]:
    assert reader.order is not None
    try:
        series = [list(one) for one in reader.order(paths)]
        is_sound = Counter(path for one in series for path in one) <= Counter(paths)
    except ImageError:
        raise
    except Exception as error:
        raise _unordered(
            reader, f"{type(error).__name__}: {plain_line(str(error))[:300]}"
        ) from error
    if not is_sound:
        raise _unordered(reader, "Its order names files twice, or brought in others.")
    return series


def _unordered(reader: ImageReader, reason: str) -> ImageError:
    title = f"The {reader.name} files cannot be put into order"
    return ImageError(title, reason, "Name single files.")
