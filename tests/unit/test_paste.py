"""Pasted or dropped text: files that are here, files that are elsewhere, or text."""

from __future__ import annotations

import getpass
import os
import random
import shlex
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from glm4v_tui.paste import Host, Pasted, absent_message, parse_paste, scp_line

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    "plain.png",
    "UPPER.JPG",
    "with space.png",
    "Screenshot 2026-01-02 at 10.11.12.png",
    "quote's.png",
    'double"quote.jpg',
    "back\\slash.png",
    "new\nline.png",
    "über 你好 🐈.webp",
    "-dash.png",
    "$HOME `x` $(y).gif",
    "trailing.png ",
    "#hash;semi&and.tif",
    "percent%20.bmp",
    "tab\there.png",
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "cat.jpg").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "photo.jpg").touch()
    return tmp_path


def paste(text: str, here: Path) -> Pasted:
    return parse_paste(text, cwd=here, home=here)


def backslashed(path: str) -> str:
    return "".join(c if c.isalnum() or c in "/._-" else f"\\{c}" for c in path)


@pytest.mark.parametrize("end", ["", " ", "\n", "\r", " \n"])
@pytest.mark.parametrize("name", NAMES)
def test_one_file_however_it_is_written(here: Path, name: str, end: str) -> None:
    path = here / name
    written = {
        "raw": str(path),
        "quoted": shlex.quote(str(path)),
        "uri": f"file://{quote(str(path))}",
        "uri with host": f"file://{socket.gethostname()}{quote(str(path))}",
        "bare": name,
        "home": f"~/{name}",
        "here": f"./{name}",
    }
    if "\n" not in name:
        written["escaped"] = backslashed(str(path))
    for how, text in written.items():
        assert paste(text + end, here) == Pasted(paths=(path,)), how


@pytest.mark.parametrize("name", ["with space.png", "UPPER.JPG", "über 你好 🐈.webp"])
def test_double_quotes(here: Path, name: str) -> None:
    assert paste(f'"{here / name}"', here).paths == (here / name,)


@pytest.mark.parametrize("count", [2, 3, len(NAMES)])
def test_several_files(here: Path, count: int) -> None:
    paths = [here / name for name in NAMES[-count:]]
    quoted = [shlex.quote(str(path)) for path in paths]
    assert paste(" ".join(quoted), here) == Pasted(paths=tuple(paths))
    assert paste("\n".join(quoted) + "\n", here) == Pasted(paths=tuple(paths))
    uris = [f"file://{quote(str(path))}" for path in paths]
    assert paste("\r\n".join(uris), here) == Pasted(paths=tuple(paths))
    assert paste(" ".join(uris), here) == Pasted(paths=tuple(paths))
    escaped = [backslashed(str(path)) for path in paths if "\n" not in path.name]
    assert len(paste(" ".join(escaped), here).paths) == len(escaped)


def test_several_with_raw_spaces(here: Path) -> None:
    """As some terminals write dropped screenshots."""
    one, two = here / "with space.png", here / "Screenshot 2026-01-02 at 10.11.12.png"
    assert paste(f"{one} {two}", here).paths == (one, two)
    assert paste(f"{one}\r{two}\r", here).paths == (one, two)
    gone = "/Users/me/Desktop/Screen Shot 7.png"
    assert paste(f"{one} {gone}", here) == Pasted(paths=(one,), absent=(gone,))


def test_the_same_file_twice_is_one(here: Path) -> None:
    assert paste("photo.jpg ./photo.jpg", here).paths == (here / "photo.jpg",)


def test_folders_and_relative_names(here: Path) -> None:
    assert paste("pics/cat.jpg", here).paths == (here / "pics" / "cat.jpg",)
    assert paste("./pics", here).paths == (here / "pics",)
    assert paste(f"{here}/pics/", here).paths == (here / "pics",)
    assert paste("~/pics", here).paths == (here / "pics",)


def test_a_file_that_is_no_image_is_meant_only_when_it_is_named_in_full(here: Path) -> None:
    """It is then refused with its own reason when it is opened."""
    assert paste(str(here / "notes.txt"), here).paths == (here / "notes.txt",)
    assert paste("notes.txt", here).text == "notes.txt"


def test_a_broken_link_is_found(here: Path) -> None:
    (here / "link.png").symlink_to("gone.png")
    assert paste(str(here / "link.png"), here).paths == (here / "link.png",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("/Users/me/cat.png", ["/Users/me/cat.png"]),
        ("/Users/me/Bob's cat.png", ["/Users/me/Bob's cat.png"]),
        ("'/Users/me/My Cat.PNG' ", ["/Users/me/My Cat.PNG"]),
        ("/Users/me/My\\ Cat.heic", ["/Users/me/My Cat.heic"]),
        ("/Users/me/My Cat.png", ["/Users/me/My Cat.png"]),
        ("~/Desktop/My Cat.png", ["~/Desktop/My Cat.png"]),
        ("/a/b c.png /d/e f.png", ["/a/b c.png", "/d/e f.png"]),
        ("/a/b.png\n/c/d.dcm\n", ["/a/b.png", "/c/d.dcm"]),
        ("file:///Users/me/My%20Cat.png", ["/Users/me/My Cat.png"]),
        ("file://laptop/home/me/c.png", ["laptop:/home/me/c.png"]),
        ("file:///C:/Users/me/c.png", ["C:/Users/me/c.png"]),
        (r"C:\Users\me\cat.jpg", [r"C:\Users\me\cat.jpg"]),
        (r'"C:\Users\me\My Cat.jpg"', [r"C:\Users\me\My Cat.jpg"]),
        (r"C:\Users\me\My Cat.jpg", [r"C:\Users\me\My Cat.jpg"]),
        (r'"C:\a b.png" "D:\c d.png"', [r"C:\a b.png", r"D:\c d.png"]),
        (r"C:\a b.png C:\c d.png", [r"C:\a b.png", r"C:\c d.png"]),
        (r"\\server\share\cat.tif", [r"\\server\share\cat.tif"]),
        ("cat.png", ["cat.png"]),
        ("pics/dog.JPEG", ["pics/dog.JPEG"]),
        ("a.png b.png", ["a.png", "b.png"]),
    ],
)
def test_files_that_are_not_on_this_host(here: Path, text: str, names: list[str]) -> None:
    assert paste(text, here) == Pasted(absent=tuple(names))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n",
        "a/b",
        "and/or",
        "photo.jpg is nice",
        "What is in photo.jpg?",
        "compare photo.jpg and cat.png",
        "look: /Users/me/cat.png",
        "/Users/me/a.png is like /Users/me/b.png",
        "don't",
        "don't use photo.jpg",
        'an "open quote photo.jpg',
        "pics",
        "notes.txt",
        "/",
        "~",
        ".",
        "..",
        "//",
        "// see cat.png",
        "/help",
        "/ask what is in cat.png",
        "https://example.org/cat.png",
        "see https://example.org/cat.png",
        ".png",
        "*.png",
        "3.5",
        "e.g. this",
        "line one\nline two photo.jpg\n",
        "def f():\n    return 'a.png'\n",
        "C: drive",
        "\\o/",
        "\x1b[31mred",
        "nul\0.png",
    ],
)
def test_prose_stays_text(here: Path, text: str) -> None:
    assert paste(text, here) == Pasted(text=text)


def test_a_long_text_is_not_split_in_vain(here: Path) -> None:
    text = "word photo.jpg " * 50_000
    assert paste(text + "end", here).text == text + "end"


def test_five_thousand_dropped_files(here: Path) -> None:
    names = [f"/Users/me/img {n}.jpg" for n in range(5000)]
    assert paste(" ".join(map(shlex.quote, names)), here).absent == tuple(names)


def test_anything_is_either_files_or_the_same_text(here: Path) -> None:
    """No input raises, and text comes back unchanged."""
    pieces = [*"/\\'\"\n\ra%-\t$é\0\x1b\udc80 ", ".png", "~/", "file://", "C:\\", "%2"]
    pieces += ["..", "pics", "photo.jpg", "://"]
    source = random.Random(7)
    for _ in range(4000):
        text = "".join(source.choices(pieces, k=source.randint(0, 9)))
        result = paste(text, here)
        if result.paths or result.absent:
            assert result.text == ""
            assert all(path.is_absolute() for path in result.paths)
        else:
            assert result.text == text


def test_names_made_of_anything_are_found_when_quoted(tmp_path: Path) -> None:
    source = random.Random(8)
    alphabet = "aB1 .-_'\"\\\n\t$`~%#&;()[]{}*?!<>|é你🐈=,@+^"
    for _ in range(400):
        stem = "".join(source.choices(alphabet, k=source.randint(1, 12)))
        path = tmp_path / f"x{stem}.png"
        path.touch()
        assert paste(shlex.quote(str(path)), tmp_path).paths == (path,)
        assert paste(f"file://{quote(str(path))}", tmp_path).paths == (path,)
        assert paste(str(path), tmp_path).paths == (path,)


# The message ------------------------------------------------------------------------------------


def test_the_host_is_the_address_that_the_ssh_client_used() -> None:
    environ = {"SSH_CONNECTION": "10.0.0.5 50000 10.0.0.9 2222"}
    assert Host.this(environ) == Host(getpass.getuser(), "10.0.0.9", 2222, remote=True)
    assert Host.this({}) == Host(getpass.getuser(), socket.gethostname())
    assert Host.this({"SSH_CONNECTION": "nonsense"}).remote is False


@pytest.mark.parametrize(
    ("names", "host", "line"),
    [
        (["/Users/me/c.png"], Host("ann", "box"), "scp /Users/me/c.png ann@box:/data/"),
        (["~/My Cat.png"], Host("ann", "box"), "scp ~/'My Cat.png' ann@box:/data/"),
        (["-x.png"], Host("ann", "box"), "scp ./-x.png ann@box:/data/"),
        (["a:b.png"], Host("ann", "box"), "scp ./a:b.png ann@box:/data/"),
        (
            [r"C:\a b.png"],
            Host("ann", "10.0.0.9", 2222),
            r'scp -P 2222 "C:\a b.png" ann@10.0.0.9:/data/',
        ),
        (["/a.png", "/b.png"], Host("ann", "fe80::1"), "scp /a.png /b.png 'ann@[fe80::1]:/data/'"),
        (["laptop:/a.png"], Host("ann", "box"), "scp laptop:/a.png ann@box:/data/"),
    ],
)
def test_the_scp_line(tmp_path: Path, names: list[str], host: Host, line: str) -> None:
    from pathlib import Path

    assert scp_line(names, Path("/data"), host) == line


def test_the_message_says_what_and_how(tmp_path: Path) -> None:
    message = absent_message(["/Users/me/\x1b[31mc.png"] * 5, tmp_path, Host("ann", "box"))
    assert "\x1b" not in message.body + message.remedy
    assert "2 more" in message.body
    assert os.fspath(tmp_path) in message.remedy
    assert paste("words", tmp_path).error is None
    error = paste("/Users/me/cat.png", tmp_path).error
    assert error is not None
    assert "scp /Users/me/cat.png" in error.remedy
