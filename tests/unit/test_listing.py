"""Folders: read, sorted, filtered; and shown as a list or a tree."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from glm4v_tui.browsing import Place, Sort, View, changed_place, first_place, open_place
from glm4v_tui.errors import GlmError
from glm4v_tui.listing import (
    Kind,
    Row,
    fuzzy_filter,
    index_of,
    matched_letters,
    natural_key,
    nearest_folder,
    read_folder,
)


def rows_of(*names: str) -> list[Row]:
    return [Row("/x", name, Kind.IMAGE) for name in names]


def names_of(rows: list[Row]) -> list[str]:
    return [row.name for row in rows]


# Reading ----------------------------------------------------------------------------------------


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """Two folders, four images, one of them hidden, and two other files."""
    for number, name in enumerate(("img10.png", "img2.JPG", "IMG3.webp", ".dot.png", "a.txt", "b")):
        (tmp_path / name).write_bytes(b"x" * (100 - number))
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.gif").touch()
    (tmp_path / "Apart").mkdir()
    return tmp_path


def test_every_entry_is_read_with_its_kind(pics: Path) -> None:
    kinds = {row.name: row.kind for row in read_folder(pics)}
    assert kinds == {
        "img10.png": Kind.IMAGE, "img2.JPG": Kind.IMAGE, "IMG3.webp": Kind.IMAGE,
        ".dot.png": Kind.IMAGE, "a.txt": Kind.OTHER, "b": Kind.OTHER,
        "sub": Kind.FOLDER, "Apart": Kind.FOLDER,
    }  # fmt: skip
    assert {row.size for row in read_folder(pics)} == {-1}
    sizes = {row.name: (row.size, row.mtime) for row in read_folder(pics, with_stat=True)}
    assert sizes["img2.JPG"] == (99, 1001)


def test_links_are_followed_and_broken_ones_listed(pics: Path) -> None:
    (pics / "to_sub").symlink_to("sub")
    (pics / "loop").symlink_to("loop")
    (pics / "gone.png").symlink_to("nowhere")
    found = {row.name: row for row in read_folder(pics, with_stat=True)}
    assert found["to_sub"].kind is Kind.FOLDER
    assert found["to_sub"].is_link
    assert found["gone.png"].kind is Kind.IMAGE
    assert found["loop"].kind is Kind.OTHER


def test_what_cannot_be_read_is_said_in_words(pics: Path) -> None:
    for path, title in ((pics / "none", "No such folder"), (pics / "b", "Not a folder")):
        with pytest.raises(GlmError) as caught:
            read_folder(path)
        assert caught.value.title == title
        assert str(path) in caught.value.body


def test_a_forbidden_folder(pics: Path) -> None:
    (pics / "sub").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(GlmError, match=r"No (permission|such)"):
            read_folder(pics / "sub")
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    name = b"bad\xff.png"
    (tmp_path / os.fsdecode(name)).touch()
    (row,) = read_folder(tmp_path)
    assert os.fsencode(row.path).endswith(name)
    assert fuzzy_filter([row], "bad") == [row]


def test_the_nearest_folder_that_is_there(pics: Path) -> None:
    assert nearest_folder(pics / "no" / "way") == pics
    assert nearest_folder(pics / "b") == pics
    assert nearest_folder(pics / "sub") == pics / "sub"


# Order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["img1", "img2", "img10", "img100"],
        ["IMG3", "img4", "IMG10"],
        ["a", "a1", "a1b", "a2", "b"],
        ["1", "2", "10", "a"],
        ["x00", "x1", "x01b", "x2"],
        ["v1.2.9", "v1.2.10", "v1.10.0"],
        ["é1", "é2", "é10"],
        [f"n{10**n}" for n in range(60)],
    ],
)
def test_natural_order(names: list[str]) -> None:
    shuffled = names.copy()
    random.Random(3).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == names


def test_names_that_differ_in_zeros_only_have_one_order() -> None:
    names = ["a01", "a1", "A1", "a001"]
    assert len({natural_key(name) for name in names}) == 4


def test_folders_come_first_and_only_images_are_shown(pics: Path) -> None:
    place = open_place(pics, View())
    assert names_of(place.rows) == ["Apart", "sub", "img2.JPG", "IMG3.webp", "img10.png"]
    assert (place.images, place.folders) == (3, 2)


def test_hidden_and_other_files_on_request(pics: Path) -> None:
    place = open_place(pics, View())
    place = changed_place(place, View(hidden=True))
    assert ".dot.png" in names_of(place.rows)
    place = changed_place(place, View(others=True))
    assert {"a.txt", "b"} <= set(names_of(place.rows))
    assert ".dot.png" not in names_of(place.rows)


@pytest.mark.parametrize(
    ("sort", "files"),
    [
        (Sort.NEWEST, ["IMG3.webp", "img2.JPG", "img10.png"]),
        (Sort.LARGEST, ["img10.png", "img2.JPG", "IMG3.webp"]),
    ],
)
def test_other_orders_ask_the_disk(pics: Path, sort: Sort, files: list[str]) -> None:
    place = changed_place(open_place(pics, View()), View(sort=sort))
    assert names_of(place.rows) == ["Apart", "sub", *files]
    assert changed_place(place, View()).rows[2].size == 99  # known by now, not asked again


def test_a_tree_unfolds_in_place(pics: Path) -> None:
    opened = frozenset((str(pics / "sub"),))
    place = changed_place(open_place(pics, View()), View(open_folders=opened))
    assert [(row.name, row.depth, row.is_open) for row in place.rows][:4] == [
        ("Apart", 0, False),
        ("sub", 0, True),
        ("inner.gif", 1, False),
        ("img2.JPG", 0, False),
    ]
    assert place.rows[2].path == pics / "sub" / "inner.gif"


def test_a_link_to_its_own_folder_can_be_unfolded_again_and_again(pics: Path) -> None:
    (pics / "sub" / "back").symlink_to(pics)
    names, path = [], pics
    for part in ("sub", "back", "sub", "back"):
        path = path / part
        names.append(str(path))
    place = open_place(pics, View(open_folders=frozenset(names)))
    assert max(row.depth for row in place.rows) == 4


def test_a_folder_that_vanished_from_a_tree_is_folded(pics: Path) -> None:
    (pics / "Apart").rmdir()
    opened = frozenset((str(pics / "Apart"), str(pics / "sub")))
    place = open_place(pics, View(open_folders=opened))
    assert place.view.open_folders == {str(pics / "sub")}
    with pytest.raises(GlmError):
        changed_place(open_place(pics, View()), View(open_folders=opened))


def test_all_levels_in_one_list(pics: Path) -> None:
    (pics / "sub" / "deeper").mkdir()
    (pics / "sub" / "deeper" / "img1.png").touch()
    (pics / "sub" / ".git").mkdir()
    (pics / "sub" / ".git" / "no.png").touch()
    (pics / "sub" / "back").symlink_to(pics)
    place = changed_place(open_place(pics, View()), View(is_deep=True))
    assert names_of(place.rows) == [
        "img2.JPG", "IMG3.webp", "img10.png", "sub/deeper/img1.png", "sub/inner.gif",
    ]  # fmt: skip
    assert place.rows[3].path == pics / "sub" / "deeper" / "img1.png"
    assert index_of(place.rows, str(pics / "sub" / "inner.gif")) == 4
    hidden = changed_place(place, View(is_deep=True, hidden=True))
    assert "sub/.git/no.png" in names_of(hidden.rows)
    largest = changed_place(place, View(is_deep=True, sort=Sort.LARGEST))
    assert largest.rows[0].name == "img10.png"
    assert names_of(changed_place(largest, View()).rows)[:2] == ["Apart", "sub"]


def test_where_a_list_begins(pics: Path) -> None:
    assert open_place(pics, View()).first_image == str(pics / "img2.JPG")
    assert open_place(pics / "Apart", View()).first_image is None
    assert first_place(pics / "img10.png", View()) == (open_place(pics, View()), None)
    place, error = first_place(pics / "no" / "way", View())
    assert place.folder == pics
    assert error is not None
    assert error.title == "No such folder"


def test_index_of(pics: Path) -> None:
    rows = open_place(pics, View()).rows
    assert index_of(rows, str(pics / "IMG3.webp")) == 3
    assert index_of(rows, str(pics / "none")) == 0
    assert index_of(rows, None) == 0
    assert index_of([], "/x/y") == 0


def test_a_place_is_a_value(pics: Path) -> None:
    assert open_place(pics, View()) == open_place(pics, View())
    assert isinstance(open_place(pics, View()), Place)


# Filter -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("cat", ["cat.png", "a_cat.png", "bobcat.png", "c-a-t.png"]),
        ("CAT", ["cat.png", "a_cat.png", "bobcat.png", "c-a-t.png"]),
        ("png bob", ["bobcat.png"]),
        ("zz", []),
        ("cc", []),
        ("[", ["x[1].png"]),
        ("x1", ["x[1].png"]),
        ("", ["bobcat.png", "c-a-t.png", "cat.png", "a_cat.png", "x[1].png"]),
    ],
)
def test_fuzzy_filter(query: str, names: list[str]) -> None:
    rows = rows_of("bobcat.png", "c-a-t.png", "cat.png", "a_cat.png", "x[1].png")
    assert names_of(fuzzy_filter(rows, query)) == names


def test_equal_matches_keep_their_order() -> None:
    rows = rows_of(*(f"img{n}.png" for n in range(100)))
    assert fuzzy_filter(rows, "img") == rows


def test_every_letter_can_be_searched_for() -> None:
    for letter in map(chr, range(33, 256)):
        row = Row("/x", f"q{letter}q", Kind.IMAGE)
        if letter.strip() and letter.lower() == letter:
            assert fuzzy_filter([row], letter) == [row], letter
            assert fuzzy_filter([row], f"q{letter}q") == [row]


@pytest.mark.parametrize(
    ("name", "query", "letters"),
    [
        ("img_0042.png", "im42", {0, 1, 6, 7}),
        ("Cat and Dog.png", "dog cat", {0, 1, 2, 8, 9, 10}),
        ("xaxb.png", "ab", {1, 3}),
        ("İstanbul.png", "stan", {1, 2, 3, 4}),
        ("none.png", "z", set()),
        ("any.png", "", set()),
    ],
)
def test_matched_letters(name: str, query: str, letters: set[int]) -> None:
    assert matched_letters(name, query) == letters


def test_a_name_made_to_be_slow_is_not() -> None:
    rows = rows_of(*("a" * 250 + str(n) for n in range(200)))
    began = time.perf_counter()
    assert fuzzy_filter(rows, "aaaaaaaaab") == []
    assert time.perf_counter() - began < 3


def test_a_stale_search_stops() -> None:
    asked = []

    def is_stale() -> bool:
        asked.append(1)
        return len(asked) > 1

    assert fuzzy_filter(rows_of(*("a" for _ in range(50_000))), "a", is_stale) == []
    assert len(asked) == 2
