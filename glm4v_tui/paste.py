"""Pasted or dropped text -> the files that were meant, or plain text.

A terminal turns a dropped file into pasted text, and each does it in its own way: as it is, in
quotes, with backslashes, as a ``file://`` URI; several in one line or one a line. Over SSH the name
is that of a file on the user's own machine, which is then not found here: such a name is reported,
with the command that copies the file, and is never taken for text.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from glm4v_tui.errors import ImageMissingError
from glm4v_tui.images.formats import RAW_SUFFIXES, offered_suffixes
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_PASTE = 1 << 20
"""Longer text is not looked at for paths."""

_OTHERS = RAW_SUFFIXES | {".heic", ".heif", ".dcm", ".svg", ".pdf", ".psd"}
"""What a name may end in, besides the suffixes of images, to be taken for a file that is not
there."""

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\/]+\\")
_URI = re.compile(r"file:/", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NEXT_PATH = re.compile(r"\s+(?=~?/|file:/|[A-Za-z]:[\\/])")
_INNER_SUFFIX = re.compile(r"\.\w{2,5}\s")
_EXPLICIT = re.compile(r"/|~/|\.{1,2}/|file:/|[A-Za-z]:[\\/]|\\\\", re.IGNORECASE)
_ROOTED = re.compile(r"~/|/[^/\s]+/")
_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_NAME = re.compile(r"[\r\n*?]")
_NEVER = frozenset(("", "/", "~", "~/", ".", "..", "./", "../", "//"))
"""Pasted alone these are text: nobody drops the root."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was meant: files (found, absent or both), or text."""

    text: str = ""
    """To be inserted as it is; empty when files were meant."""
    paths: tuple[Path, ...] = ()
    """Absolute paths that exist on this host, files and folders, in the order given."""
    absent: tuple[str, ...] = ()
    """Names that were meant as files and are not on this host."""
    folder: Path = field(default=Path(), compare=False)
    """Where the absent ones would be copied to."""

    @property
    def error(self) -> ImageMissingError | None:
        """What to tell the user about the absent files."""
        if not self.absent:
            return None
        return absent_message(self.absent, self.folder, Host.this(os.environ))


def may_be_paths(text: str) -> bool:
    """A quick look, so that a long text is not split in vain."""
    bare = text.strip(" \t\r\n\"'")
    if "\0" in text:
        return False
    return bool(_EXPLICIT.match(bare)) or _has_suffix(bare[-300:])


class _NotPaths(Exception):  # noqa: N818 - never leaves this module
    """The text is not a list of files."""


def parse_paste(text: str, cwd: Path, home: Path) -> Pasted:
    """Tell files from text. Asks the file system, so a dead network mount can make it wait.

    Args:
        text: As the terminal delivered it.
        cwd: The folder that bare names are looked up in.
        home: What ``~`` stands for.
    """
    if len(text) > MAX_PASTE or not may_be_paths(text):
        return Pasted(text=text)
    reader = _Reader(cwd, home)
    for read in (reader.whole, reader.lines, reader.words, reader.unquoted_row):
        try:
            found = read(text)
        except _NotPaths:
            continue
        return Pasted(
            paths=tuple(dict.fromkeys(item for item in found if isinstance(item, Path))),
            absent=tuple(dict.fromkeys(item for item in found if isinstance(item, str))),
            folder=cwd,
        )
    return Pasted(text=text)


@dataclass(frozen=True, slots=True)
class _Reader:
    """One way of writing paths a method. A found file is a Path, an absent one a str."""

    cwd: Path
    home: Path

    def whole(self, text: str) -> list[Path | str]:
        """All of it is one path, perhaps with raw spaces or line ends in its name."""
        unix = _LINE_END.sub("\n", text)  # terminals paste a line end as a carriage return
        line = unix.strip("\n")
        for name in dict.fromkeys((text, unix, line, line.removesuffix(" "), text.strip())):
            if (path := self._existing(name)) is not None:
                return [path]
        with suppress(_NotPaths):
            words = _words(text)
            if len(words) == 1:
                return [self._meant(words[0])]
        return [self._absent_with_spaces(text.strip())]

    def lines(self, text: str) -> list[Path | str]:
        """One path a line."""
        lines = [line for line in _LINE_END.split(text) if line.strip()]
        if len(lines) < 2:
            raise _NotPaths
        return [item for line in lines for item in self._line(line)]

    def words(self, text: str) -> list[Path | str]:
        """Several, as a shell would take them: quoted or escaped, spaces between them."""
        return [self._meant(word) for word in _words(text)]

    def unquoted_row(self, text: str) -> list[Path | str]:
        """Several absolute paths in a row with raw spaces in them and between them."""
        pieces = _NEXT_PATH.split(text.strip())
        if len(pieces) < 2:
            raise _NotPaths
        return [self._existing(piece) or self._absent_with_spaces(piece) for piece in pieces]

    def _line(self, line: str) -> list[Path | str]:
        for read in (self.whole, self.words, self.unquoted_row):
            try:
                return read(line)
            except _NotPaths:
                continue
        raise _NotPaths

    def _meant(self, word: str) -> Path | str:
        """One name without quotes and escapes: a file here, or one that must be elsewhere."""
        if (path := self._existing(word)) is not None:
            return path
        if _URI.match(word):
            return _uri_name(word)
        if _SCHEME.match(word) or not _has_suffix(word) or _NO_NAME.search(word):
            raise _NotPaths
        return word

    def _absent_with_spaces(self, text: str) -> str:
        """An absolute name that ends like an image and nowhere before its end."""
        if not (_ROOTED.match(text) or _WINDOWS.match(text) or _URI.match(text)):
            raise _NotPaths
        if _LINE_END.search(text) or not _has_suffix(text) or _INNER_SUFFIX.search(text):
            raise _NotPaths
        return _uri_name(text) if _URI.match(text) else text

    def _existing(self, name: str) -> Path | None:
        """The file or folder of this name, if it is here and can be meant."""
        path = self._located(name)
        if path is None:
            return None
        explicit, named_so = bool(_EXPLICIT.match(name)), _has_suffix(name)
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except PermissionError:
            return path if explicit and named_so else None
        except OSError:  # also "name too long", for a name made of a whole row of names
            return path if named_so and os.path.islink(path) else None  # noqa: PTH114
        if not explicit and (is_folder or not named_so):
            return None  # a word that happens to be the name of something in this folder
        return path

    def _located(self, name: str) -> Path | None:
        """Where a name points on this host; None when it cannot."""
        if name.strip() in _NEVER:
            return None
        if _URI.match(name):
            host, path = _uri_parts(name)
            is_here = host in _own_names() and path.startswith("/") and "\0" not in path
            return Path(path) if is_here else None
        if _WINDOWS.match(name):
            return _in_wsl(name)
        if name.startswith("~/"):
            return self.home / name[2:].lstrip("/")
        return self.cwd / name


def _words(text: str) -> list[str]:
    """Split as a POSIX shell does, but leave the backslashes of Windows names alone.

    Raises:
        _NotPaths: A quote is open at the end, as in "don't".
    """
    if _WINDOWS.match(text.strip().lstrip("\"'")):
        return _windows_words(text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise _NotPaths from error
    if not words:
        raise _NotPaths
    return words


def _windows_words(text: str) -> list[str]:
    words = re.findall(r"\"([^\"]+)\"|'([^']+)'|(\S+)", text)
    return ["".join(word) for word in words]


def _has_suffix(name: str) -> bool:
    stem, suffix = os.path.splitext(re.split(r"[\\/]", name)[-1])  # noqa: PTH122 - Windows names too
    ending = suffix.lower().rstrip()
    return bool(stem) and (ending in _OTHERS or ending in offered_suffixes())


def _uri_parts(uri: str) -> tuple[str, str]:
    """(host, path) of a file URI: ``file:///a``, ``file:/a`` and ``file://host/a`` are in use."""
    rest = uri[len("file:") :]
    host = ""
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
    return host.lower(), unquote(rest, errors="surrogateescape")


def _uri_name(uri: str) -> str:
    """The name that a file URI has on its own machine, as ``scp`` wants it."""
    host, path = _uri_parts(uri)
    if len(path) < 2 or _NO_NAME.search(path) or "\0" in path:
        raise _NotPaths
    if _WINDOWS.match(path[1:]):
        return path[1:]
    return path if host in _own_names() else f"{host}:{path}"


def _own_names() -> tuple[str, ...]:
    name = socket.gethostname().lower()
    return ("", "localhost", name, name.partition(".")[0])


def _in_wsl(name: str) -> Path | None:
    """Where the Windows Subsystem for Linux shows a Windows file."""
    if name[1] != ":":
        return None
    return Path("/mnt") / name[0].lower() / name[3:].replace("\\", "/")


# A file that is not here ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Host:
    """How another machine reaches this one by SSH."""

    user: str
    address: str
    port: int = 22
    remote: bool = False
    """Whether this session came in over SSH, so that files may well lie on the other machine."""

    @classmethod
    def this(cls, environ: Mapping[str, str]) -> Host:
        """This host, by the address that the SSH client used when there is one.

        ``SSH_CONNECTION`` is "client-address client-port server-address server-port".
        """
        import getpass

        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # an id without a name, as in many containers
            user = str(os.getuid())
        parts = environ.get("SSH_CONNECTION", "").split()
        if len(parts) == 4 and parts[3].isdecimal():
            return cls(user, parts[2], int(parts[3]), remote=True)
        return cls(user, socket.gethostname())


def absent_message(absent: Sequence[str], folder: Path, host: Host) -> ImageMissingError:
    """Say that files are not here, and how to copy them to ``folder``."""
    names = ", ".join(plain_line(name) for name in absent[:3])
    more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
    where = "the machine you sit at" if host.remote else "another machine"
    return ImageMissingError(
        "Not on this host",
        f"{names}{more}: no such file on {host.address}. It may lie on {where}.",
        f"Copy it here from there:\n{scp_line(absent, folder, host)}",
    )


def scp_line(absent: Sequence[str], folder: Path, host: Host) -> str:
    """The command, for the machine that has the files, that copies them to ``folder`` here."""
    port = "" if host.port == 22 else f" -P {host.port}"
    address = f"[{host.address}]" if ":" in host.address else host.address
    names = " ".join(_scp_name(name) for name in absent)
    return plain_line(f"scp{port} {names} {shlex.quote(f'{host.user}@{address}:{folder}/')}")


def _scp_name(name: str) -> str:
    if _WINDOWS.match(name):
        return f'"{name}"'
    if name.startswith("~/"):
        return "~/" + shlex.quote(name[2:])
    is_bare = name.startswith("-") or ":" in name.partition("/")[0]
    from_host = re.match(r"[\w.-]+:/", name)
    return shlex.quote(f"./{name}" if is_bare and not from_host else name)
