"""A review in few columns, and what is said of what was taken back."""

import pytest

from glm4v_tui.store.verdicts import Verdict
from glm4v_tui.ui.triage.words import taken_back_words
from glm4v_tui.ui.widgets.triage_strip import Neighbor, _rooms
from tests.reviewing import BAD, images_in, reviewing


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    return images_in(tmp_path / "parts")


@pytest.mark.parametrize(
    ("width", "there", "missing"),
    [
        (60, ["/ Filter", "q Quit", "n Next"], ["f Flag", "f1 Help"]),
        (80, ["/ Filter", "q Quit", "f1 Help"], ["f Flag"]),
        (100, ["1-9 Label", "f Flag", "/ Filter", "q Quit", "f1 Help"], []),
    ],
)
async def test_the_keys_that_one_needs_are_in_the_last_line(folder, width, there, missing):
    async with reviewing(folder, size=(width, 20)) as reviewer:
        await reviewer.sees(*there)
        assert not any(word in reviewer.text for word in missing)


async def test_sixty_columns_show_labels_and_result_side_by_side(folder):
    async with reviewing(folder, BAD, size=(60, 20)) as reviewer:
        await reviewer.sees("it is bad", "The model says bad")
        lines = reviewer.text.splitlines()
        (result,) = [line for line in lines if "it is bad" in line]
        assert result.index("it is bad") >= 30
        assert all(len(line) <= 60 for line in lines if not line.startswith(" Sorting"))


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["a", "b", "c"], 60, [20, 20, 20]),
        ([None, "chest-phantom-1.png", "chest-phantom-2.png"], 58, [0, 22, 22]),
        (["a", "n" * 40, "b"], 60, [4, 43, 4]),
        (["n" * 40] * 3, 60, [20, 20, 20]),
    ],
)
def test_names_take_the_room_that_others_leave(names, width, expected):
    rooms = _rooms([None if name is None else Neighbor(name) for name in names], width)
    assert rooms == expected
    assert sum(rooms) <= width


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [
        (Verdict("bad"), Verdict(), "bad"),
        (Verdict("bad"), Verdict("good"), "bad (it is good again)"),
        (Verdict("rejected"), Verdict(), "rejected"),
        (Verdict(is_skipped=True), Verdict(), "skipped"),
        (Verdict("bad", is_flagged=True), Verdict("bad"), "the flag"),
        (Verdict("bad"), Verdict("bad", is_flagged=True), "the removed flag"),
        (Verdict("bad", note="scratch"), Verdict("bad"), "the note"),
    ],
)
def test_what_was_taken_back_is_said(before, since, expected):
    assert taken_back_words(before, since) == expected


async def test_undo_names_the_verdict_and_the_image(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("d", "u")
        await reviewer.sees("Taken back: bad for part-0.png.")
