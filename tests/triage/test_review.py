"""A review: verdicts on the disk, undo, going on where it was."""

import os
import shutil
import time
from pathlib import Path

import pytest

from glm4v_tui.errors import ImageChangedError, ImageMissingError, UsageError
from glm4v_tui.store.database import Database
from glm4v_tui.store.files import Files
from glm4v_tui.triage import digests, filters
from glm4v_tui.triage.review import REJECTED
from glm4v_tui.triage.standings import Decided
from tests.triage.reviews import PrivateSort, Sort, images_in, review_of

NAMES = ["img1.png", "img2.png", "img10.png", "img11.png"]
SAID = {"img1.png": ("good", 0.9), "img2.png": ("bad", 0.6)}


@pytest.fixture
def folder(tmp_path):
    return images_in(tmp_path / "parts", NAMES)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "db.sqlite3"


@pytest.fixture
def review(folder, database):
    return review_of(folder, database, said=SAID)


def test_verdicts_and_going_on(review, folder):
    review.accept()
    assert review.advance()
    review.reject()
    assert review.advance()
    review.give("bad", seconds=1.5)
    assert [review.verdict_at(index).label for index in range(4)] == ["good", REJECTED, "bad", None]
    assert review.verdict_of(folder / "img2.png").model_label == "bad"
    assert review.verdict_at(2).seconds == 1.5
    assert (review.progress.done, review.progress.left) == (3, 1)
    assert review.advance()
    review.skip()
    assert not review.advance()
    assert review.progress.left == 0
    assert review.progress.skipped == 1


def test_what_cannot_be_given(review):
    with pytest.raises(UsageError, match="has no label"):
        review.give("splendid")
    review.queue.go(2)
    with pytest.raises(UsageError, match="no label to accept"):
        review.accept()
    assert review.progress.done == 0


def test_resume_in_another_run(review, folder, database):
    review.give("good")
    review.queue.go(2)
    review.give("good")
    again = review_of(folder, database)
    assert again.progress.done == 2
    assert again.resume()
    assert again.current.name == "img2.png"
    again.give("bad")
    assert again.advance()
    assert again.current.name == "img11.png"  # img10 is decided


def test_undo_goes_back_to_the_image_also_after_a_restart(review, folder, database):
    for _ in range(2):
        review.give("good")
        review.advance()
    again = review_of(folder, database)
    again.give("bad")  # img1 once more
    again.flag()
    assert again.undo() == folder / "img1.png"
    assert not again.verdict_at(0).is_flagged
    assert again.undo().name == "img1.png"
    assert again.verdict_at(0).label == "good"  # the verdict of before holds again
    assert again.undo().name == "img2.png"
    assert again.undo().name == "img1.png"
    assert again.progress.done == 0
    assert again.undo() is None


def test_undo_leaves_others_alone(review, folder, database):
    """Two processes of one reviewer at once, and another reviewer's verdict of before."""
    review.give("good")
    mine = review_of(folder, database, reviewer="bob")
    other = review_of(folder, database, reviewer="bob")
    other.queue.go(1)
    other.give("bad")
    assert mine.undo() is None
    mine.queue.go(3)
    mine.give("good")
    assert mine.undo() == folder / "img11.png"
    assert mine.undo() is None
    assert mine.progress.done == 1  # and it has seen what the other did


def test_each_reviewer_has_verdicts_of_his_own(review, folder, database):
    """The last one to write does not decide for everybody."""
    bob = review_of(folder, database, reviewer="bob")
    review.accept()
    bob.give("bad")
    bob.flag()
    assert (review.verdict_at(0).label, bob.verdict_at(0).label) == ("good", "bad")
    assert not review.verdict_at(0).is_flagged
    assert (review.agreement.agreed, review.agreement.total) == (1, 1)  # ann's alone
    assert bob.standings.others(0) == (Decided("ann", "good"),)


def test_what_only_others_decided_is_open_and_known(review, folder, database):
    review.give("good")
    review.advance()
    review.skip()
    bob = review_of(folder, database, reviewer="bob")
    assert bob.progress.done == 0
    assert bob.resume()
    assert bob.current == folder / "img1.png"
    assert bob.standings.others(0) == (Decided("ann", "good"),)
    assert bob.standings.others(1) == (Decided("ann", None),)


def test_what_another_decides_meanwhile_is_known_at_the_next_verdict(review, folder, database):
    bob = review_of(folder, database, reviewer="bob")
    bob.queue.go(1)
    bob.give("bad")
    review.give("good")
    assert review.standings.others(1) == (Decided("bob", "bad"),)
    bob.undo()
    review.queue.go(2)
    review.give("good")
    assert review.standings.others(1) == ()


def test_undo_uncovers_nobody_elses_verdict(review, folder, database):
    bob = review_of(folder, database, reviewer="bob")
    bob.give("bad")
    review.give("good")
    review.undo()
    assert not review.verdict_at(0).is_decided
    assert review.undo() is None
    assert review_of(folder, database, reviewer="bob").verdict_at(0).label == "bad"


def test_images_that_reviewers_disagree_about_are_found(review, folder, database):
    bob = review_of(folder, database, reviewer="bob")
    for label in ("good", "bad"):
        bob.give(label)
        bob.advance()
    review.give("good")
    review.advance()
    review.give("good")
    assert review.show(filters.disputed) == 1
    assert review.current == folder / "img2.png"


def test_flags_and_notes(review):
    assert review.flag()
    review.note("look again")
    review.give("good")
    verdict = review.verdict_at(0)
    assert (verdict.label, verdict.is_flagged, verdict.note) == ("good", True, "look again")
    assert not review.flag()
    review.note("")
    verdict = review.verdict_at(0)
    assert (verdict.label, verdict.is_flagged, verdict.note) == ("good", False, "")


def test_a_copy_is_the_same_image(review, folder, database):
    shutil.copy(folder / "img1.png", folder / "img20.png")
    again = review_of(folder, database)
    again.give("good")
    assert again.advance()
    positions = []
    while again.advance():
        positions.append(again.current.name)
        again.give("bad")
    assert "img20.png" not in positions
    assert again.verdict_of(folder / "img20.png").label == "good"


def count_reads(monkeypatch):
    read = []
    real = digests.read_content
    monkeypatch.setattr(digests, "read_content", lambda path: read.append(path) or real(path))
    return read


def test_a_renamed_folder_goes_on_where_it_was(review, folder, database, monkeypatch):
    for _ in range(2):
        review.give("good")
        review.advance()
    monkeypatch.setattr(digests, "_RACY_NS", -1 << 62)  # these files are new
    for name in NAMES:
        digests.digest_of(Files(Database(database)), folder / name)
    read = count_reads(monkeypatch)
    moved = folder.rename(folder.with_name("other"))
    again = review_of(moved, database)
    assert again.progress.done == 2
    assert again.resume()
    assert again.current.name == "img10.png"
    assert read == []


def test_a_copied_folder_goes_on_where_it_was(review, folder, database):
    for _ in range(2):
        review.give("good")
        review.advance()
    again = review_of(shutil.copytree(folder, folder.with_name("other")), database)
    assert again.resume()
    assert again.current.name == "img10.png"
    assert again.progress.done == 2


def test_resume_reads_no_file_that_is_known(tmp_path, database, monkeypatch):
    monkeypatch.setattr(digests, "_RACY_NS", -1 << 62)
    folder = images_in(tmp_path / "many", [f"{number}.png" for number in range(500)])
    review = review_of(folder, database)
    for _ in range(300):
        review.give("good")
        review.advance()
    read = count_reads(monkeypatch)
    again = review_of(folder, database)
    assert again.resume()
    assert again.current.name == "300.png"
    assert read == []


def test_an_overwritten_file_is_another_image(review, folder, database):
    review.give("good")
    (folder / "img1.png").write_bytes(b"another image, with other bytes")
    again = review_of(folder, database)
    assert again.resume()
    assert again.current.name == "img1.png"
    assert again.progress.done == 0


def test_a_file_that_changes_under_the_eyes(review, folder):
    review.learn(0, "1" * 64, "good", 0.9)
    with pytest.raises(ImageChangedError):
        review.accept()
    assert review.progress.done == 0


def test_a_file_that_goes_away(review, folder):
    (folder / "img1.png").unlink()
    with pytest.raises(ImageMissingError):
        review.give("good")
    assert review.advance()
    assert review.current.name == "img2.png"


def test_a_file_that_cannot_be_read_is_skipped_for_this_run(review, folder, database):
    (folder / "img1.png").unlink()
    review.skip()
    while review.advance():
        assert review.current.name != "img1.png"
        review.give("good")
    assert review.progress.left == 1
    (folder / "img1.png").write_bytes(b"there again")
    assert review_of(folder, database).resume()


def test_a_note_is_plain_text(review):
    review.note("a\x1b[31mb\udcff\n")
    assert review.verdict_at(0).note == "ab\ufffd"


def test_a_verdict_leaves_room_for_the_next_image(tmp_path, database):
    """80 ms are allowed from the key to the next image, this being a part of it."""
    folder = images_in(tmp_path / "many", [f"{number}.png" for number in range(2_000)])
    review = review_of(folder, database)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        review.give("good")
        review.advance()
        times.append(time.perf_counter() - began)
    assert sorted(times)[190] < 0.040  # 0.006 where nothing else runs


def test_filters_keep_what_is_shown_until_asked(review):
    review.give("good")
    assert review.show(filters.undecided) == 3
    review.give("bad")
    assert len(review.queue) == 3
    assert review.show() == 2
    assert review.show(filters.labeled("bad")) == 1
    assert review.undo().name == "img2.png"  # though it is not shown any more
    assert review.show(filters.flagged) == 0
    assert review.current is None
    assert not review.resume()
    assert not review.advance()
    with pytest.raises(UsageError, match="no image here"):
        review.give("good")


def test_a_private_task_keeps_no_path(folder, database):
    review = review_of(folder, database, task=PrivateSort())
    review.give("good")
    assert review_of(folder, database).progress.done == 0  # of another task
    renamed = folder.rename(folder.with_name("other"))
    again = review_of(renamed, database, task=PrivateSort())
    assert again.progress.done == 1
    again.undo()
    assert again.progress.done == 0
    for file in database.parent.glob(f"{database.name}*"):
        assert b"img1" not in file.read_bytes()
        assert b"parts" not in file.read_bytes()


def test_names_that_are_no_text(tmp_path, database):
    folder = images_in(tmp_path / "parts", ["a.png"])
    odd = os.fsencode(folder) + b"/\xff\xfe.png"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    review = review_of(folder, database)
    review.queue.go(1)
    review.give("good")
    assert os.fsencode(review.current) == odd
    again = review_of(folder, database)
    assert again.verdict_at(1).label == "good"


def test_verdicts_of_two_tasks_are_apart(review, folder, database):
    class Other(Sort):
        name = "other"

    review.give("good")
    assert review_of(folder, database, task=Other()).progress.done == 0
    assert len(Database(database).rows("SELECT * FROM verdicts")) == 1
