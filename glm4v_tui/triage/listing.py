"""From what the command line names to the images of a queue, in the order people count.

Made for 100,000 files: names stay text, a folder's path is kept once, the disk is asked nothing
that a folder's listing does not say already.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glm4v_tui.errors import NotAnImageError
from glm4v_tui.images.files import os_error
from glm4v_tui.images.formats import HEAD_BYTES, offered_suffixes
from glm4v_tui.images.readers import installed_readers
from glm4v_tui.listing import natural_key
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass
class Listing:
    """Images by number: folder after folder in natural order, the files of each likewise."""

    folders: list[str] = field(default_factory=list)
    """Absolute paths, each once."""
    names: list[str] = field(default_factory=list)
    """File names by the image's number."""
    folder_of: array[int] = field(default_factory=lambda: array("I"))
    """The number of its folder, by the image's number."""
    notices: list[str] = field(default_factory=list)
    """What was left out, in words; one line each."""

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """The full path as text."""
        return os.path.join(self.folders[self.folder_of[index]], self.names[index])  # noqa: PTH118

    def find(self, path: str) -> int | None:
        """The number of an image; None where it is not among them."""
        folder, name = os.path.split(path)
        start = 0
        while True:
            try:
                index = self.names.index(name, start)
            except ValueError:
                return None
            if self.folders[self.folder_of[index]] == folder:
                return index
            start = index + 1


def list_images(paths: Iterable[Path], *, recursive: bool = False) -> Listing:
    """All images that the paths name: files themselves, and those in folders.

    A file that is named is taken whatever it is called. In folders an image is what lists offer
    by its name, and a file without a suffix that begins as a format of an installed reader does
    (DICOM). Hidden files are left out; links to folders are not followed.

    Raises:
        NotAnImageError: there is no image at all; says what was looked at.
    """
    finding = _Finding(recursive)
    for path in paths:
        finding.add(os.path.abspath(path))  # noqa: PTH100 - links stay, names as the user knows
    listing = finding.listing()
    if not listing.names:
        raise NotAnImageError(
            "There is no image to look at",
            "\n".join(listing.notices) or "Nothing that was named holds an image.",
            "" if recursive else "Images in folders below are found with --recursive.",
        )
    return listing


class _Finding:
    """A walk over files and folders."""

    def __init__(self, recursive: bool) -> None:
        self._recursive = recursive
        self._found: dict[str, list[str]] = {}
        self._walked: set[str] = set()
        self._notices: list[str] = []
        self._links = 0
        self._suffixes = offered_suffixes()
        self._marks = [mark for reader in installed_readers() for mark in reader.magic]
        """How files begin that plugins read; those that Pillow reads have suffixes."""

    def add(self, path: str) -> None:
        try:
            is_folder = os.path.isdir(path)  # noqa: PTH112 - takes any name
            if not is_folder:
                os.stat(path)  # noqa: PTH116
        except (OSError, ValueError) as error:
            self._notices.append(os_error_line(path, error))
            return
        if is_folder:
            self._walk(path)
        else:
            folder, name = os.path.split(path)
            self._found.setdefault(folder, []).append(name)

    def _walk(self, top: str) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            if folder in self._walked:
                continue
            self._walked.add(folder)
            try:
                names, below = self._read(folder)
            except OSError as error:
                self._notices.append(os_error_line(folder, error))
                continue
            if names:
                self._found.setdefault(folder, []).extend(names)
            waiting += below

    def _read(self, folder: str) -> tuple[list[str], list[str]]:
        """The images in a folder and the folders to go on with."""
        names: list[str] = []
        below: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                suffix = name[name.rfind(".") :].lower() if "." in name else ""
                if suffix in self._suffixes:
                    if not entry.is_dir() or self._is_below(entry, below):
                        names.append(name)
                elif entry.is_dir():
                    self._is_below(entry, below)
                elif (not suffix or suffix[1:].isdigit()) and _begins_like(entry, self._marks):
                    names.append(name)
        return names, below

    def _is_below(self, entry: os.DirEntry[str], below: list[str]) -> bool:
        """Note a folder to go on with; always False: a folder is no image."""
        if entry.is_symlink():
            self._links += self._recursive
        elif self._recursive:
            below.append(entry.path)
        return False

    def listing(self) -> Listing:
        listing = Listing(notices=self._notices)
        if self._links:
            many = "links to folders were" if self._links > 1 else "link to a folder was"
            listing.notices.append(f"{self._links} {many} not followed.")
        for number, folder in enumerate(sorted(self._found, key=natural_key)):
            listing.folders.append(folder)
            names = sorted(set(self._found.pop(folder)), key=natural_key)
            listing.names += names
            listing.folder_of.extend(array("I", [number]) * len(names))
        return listing


def _begins_like(entry: os.DirEntry[str], marks: Sequence[tuple[int, bytes]]) -> bool:
    """Whether a file begins as one of these formats. 100,000 of them may be asked."""
    try:
        if not marks or not entry.is_file():
            return False
        descriptor = os.open(entry.path, _FLAGS)
        try:
            head = os.read(descriptor, HEAD_BYTES)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return any(head.startswith(mark, offset) for offset, mark in marks)


def _path(name: str) -> Path:
    from pathlib import Path

    return Path(name)


def os_error_line(path: str, error: OSError | ValueError) -> str:
    """What the system said of a path, on one line."""
    if isinstance(error, PermissionError):
        return f"{plain_line(path)} may not be read by this user; it is left out."
    told = os_error(_path(path), error)
    return plain_line(f"{told.body} It is left out.")
