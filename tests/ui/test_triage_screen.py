"""The triage screen as a reviewer meets it."""

import sqlite3
import threading
from contextlib import closing

import pytest

from glm4v_tui.engine.protocol import LoadModel
from glm4v_tui.engine.scripted import ScriptedAnswer
from glm4v_tui.errors import StoreError
from glm4v_tui.state import update_state
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.task import Label
from glm4v_tui.triage.identity import model_key
from glm4v_tui.triage.opinions import stored_opinions
from glm4v_tui.triage.queue import Order
from glm4v_tui.ui.screens.triage_summary import summary
from tests.chat_user import chatting, quick
from tests.reviewing import (
    BAD,
    GOOD,
    Reviewer,
    SortTask,
    Unlabeled,
    images_in,
    reviewing,
    store_opinions,
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")


@pytest.fixture
def folder(tmp_path):
    return images_in(tmp_path / "parts")


async def test_it_shows_image_label_result_progress_neighbors_and_notice(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.sees("it is good", "The model says good.", "0 of 4 · 4 left")
        await reviewer.sees("▸ part-0.png", "part-3.png", "1/4 part-0.png", "Not for diagnosis.")


async def test_accept_gives_the_models_label_and_goes_on(folder):
    async with reviewing(folder, GOOD, BAD) as reviewer:
        await reviewer.press("a")
        assert reviewer.label(0) == "good"
        assert reviewer.at == 1
        await reviewer.sees("1 of 4 · 3 left", "part-0.png  good")


async def test_reject_skip_and_labels_by_digit_and_own_key(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("x", "space", "2", "d")
        assert [reviewer.label(index) for index in range(4)] == ["rejected", None, "bad", "bad"]
        assert reviewer.review.standings.is_skipped(1)


async def test_a_labels_own_key_never_takes_the_place_of_another(folder):
    """The label "next" has the key n, which goes to the next image; 3 gives it."""
    async with reviewing(folder) as reviewer:
        await reviewer.press("n")
        assert reviewer.label(0) is None
        assert reviewer.at == 1
        await reviewer.press("3")
        assert reviewer.label(1) == "next"


async def test_undo_takes_back_and_returns(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("1", "2", "u")
        assert reviewer.at == 1
        assert reviewer.label(1) is None
        await reviewer.press("backspace")
        assert reviewer.at == 0
        assert reviewer.label(0) is None
        await reviewer.press("u")
        await reviewer.sees("nothing to take back")


async def test_started_again_it_goes_on_where_it_was(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("1", "1", "f")
    async with reviewing(folder) as reviewer:
        assert reviewer.at == 2
        await reviewer.sees("2 of 4", "⚑ flagged")


async def test_moving_about(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("n", "right")
        assert reviewer.at == 2
        await reviewer.press("p")
        assert reviewer.at == 1
        await reviewer.press("right_square_bracket")
        assert reviewer.at == 3
        await reviewer.press("left_square_bracket")
        assert reviewer.at == 0


async def test_going_on_passes_over_what_is_decided(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("n", "1", "p", "p", "1")
        assert reviewer.at == 2


async def test_the_filter_shows_what_was_chosen(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("1", "slash")
        await reviewer.sees("Show", "undecided")
        await reviewer.press("down", "enter")
        await reviewer.until(lambda: len(reviewer.review.queue) == 3)
        await reviewer.sees("· undecided", "3 images shown")


async def test_a_filter_that_finds_nothing_changes_nothing(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("slash", *["down"] * 10, "enter")
        await reviewer.sees("There is no image for: flagged.")
        assert len(reviewer.review.queue) == 4


async def test_filters_tell_the_reviewers_labels_from_the_models(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.until(lambda: len(reviewer.screen._judged) == 4)
        await reviewer.press("2", "slash")
        rows = ["good (yours) 0", "bad (yours) 1", "model says good 4", "model says bad 0"]
        await reviewer.until(lambda: all(row in " ".join(reviewer.text.split()) for row in rows))
        await reviewer.press(*["down"] * 3, "enter")
        await reviewer.sees("1/1 part-0.png", "· bad (yours)")


async def test_a_note_is_kept_and_its_letters_are_no_verdicts(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("m")
        for letter in "ax1":
            await reviewer.pilot.press(letter)
        await reviewer.pilot.press("enter")
        await reviewer.sees("note: ax1")
        assert reviewer.review.progress.done == 0
        assert reviewer.review.verdict_at(0).note == "ax1"


async def test_a_question_about_the_image_and_back_to_it(folder):
    async with reviewing(folder, *[GOOD] * 4, ScriptedAnswer("A part.", 1e6)) as reviewer:
        await reviewer.until(lambda: len(reviewer.screen._judged) == 4)
        await reviewer.press("n", "enter")
        await reviewer.sees("part-1.png", "ready", "esc Back to the review")
        await reviewer.sees("Ask about this image of the review.", "Esc returns to the review.")
        assert "choose images" not in reviewer.text
        assert reviewer.screen._ahead.is_paused
        for letter in "why":
            await reviewer.pilot.press(letter)
        await reviewer.pilot.press("enter")
        await reviewer.sees("A part.")
        await reviewer.pilot.press("escape")
        await reviewer.until(lambda: reviewer.app.screen is reviewer.screen)
        assert reviewer.at == 1
        assert not reviewer.screen._ahead.is_paused
        assert reviewer.review.progress.done == 0


async def test_the_summary_comes_when_everything_is_decided(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("a", "a", "a", "2")
        await reviewer.sees("Everything is decided", "4 of 4 images decided", "glm4v-tui export")
        await reviewer.sees("agree on 3 of 4 images, 75%")
        await reviewer.pilot.press("escape")
        await reviewer.press("u")
        assert reviewer.review.progress.done == 3


async def test_the_summary_has_a_row_for_what_a_model_can_say_and_no_other(folder):
    """The task has no answer for "other": the model is not blamed for never saying it."""
    store_opinions(folder, WithOther(), STORED)
    async with reviewing(folder, task=WithOther(), load_s=60) as reviewer:
        await reviewer.until(lambda: reviewer.review.standings.known == 4)
        await reviewer.press("x", "3", "space", "2")
        await reviewer.sees("4 of 4 images decided, 1 of them skipped")
        shown = summary(reviewer.review).plain.partition("model \\ reviewer")[2]
        head, *rows = [line.split() for line in shown.splitlines()]
        assert head[:5] == ["good", "bad", "other", "rejected", "precision"]
        assert [row[0] for row in rows] == ["good", "bad", "recall"]
        assert rows[2][:5] == ["recall", "–", "100%", "–", "–"]


# Keys that nobody meant -------------------------------------------------------------------------


async def test_a_burst_gives_no_verdict_opens_nothing_and_moves_nobody(folder):
    async with reviewing(folder) as reviewer:
        reviewer.burst("/data/max/1nn2.png q")
        await reviewer.sees("Not taken", "came faster than fingers do")
        assert reviewer.review.progress.done == 0
        assert reviewer.app.screen is reviewer.screen
        assert reviewer.at == 0


@pytest.mark.parametrize("keys", ["a1", "12", "fx", "xq", "2/"])
async def test_two_keys_in_one_read_are_no_verdict_and_no_action(folder, keys):
    async with reviewing(folder) as reviewer:
        reviewer.burst(keys)
        await reviewer.sees("Not taken: 2 keys that came faster than fingers do")
        assert reviewer.review.progress.done == 0
        assert not reviewer.review.standings.is_flagged(0)
        assert reviewer.app.screen is reviewer.screen


async def test_after_a_burst_fingers_count_again(folder):
    async with reviewing(folder) as reviewer:
        reviewer.burst("xaxaxa")
        await reviewer.sees("Not taken")
        await reviewer.pilot.pause(0.3)
        await reviewer.press("1")
        assert reviewer.label(0) == "good"


async def test_pasted_text_gives_no_verdict(folder):
    from textual.events import Paste

    async with reviewing(folder) as reviewer:
        reviewer.app.post_message(Paste("aaa"))
        await reviewer.sees("Pasted text gives no verdicts")
        assert reviewer.review.progress.done == 0


async def test_a_key_that_came_before_its_image_is_not_taken(folder):
    async with reviewing(folder) as reviewer:
        reviewer.burst("1")
        reviewer.burst("2", after_s=0.02)  # 2 is read before the next image is there
        await reviewer.until(lambda: reviewer.review.progress.done)
        await reviewer.sees("the key came before its image")
        assert (reviewer.label(0), reviewer.label(1)) == ("good", None)


# What can be wrong ------------------------------------------------------------------------------


async def test_a_store_that_cannot_write_stops_the_reviewer_and_says_so(folder, monkeypatch):
    def full(self):
        raise StoreError("The disk is full", "No space left.", "Make room.") from sqlite3.Error()

    async with reviewing(folder) as reviewer:
        monkeypatch.setattr(Database, "transaction", full)
        await reviewer.press("1")
        await reviewer.sees("Not taken. The disk is full. No space left. Make room.")
        assert reviewer.at == 0
        assert reviewer.label(0) is None


@pytest.mark.parametrize("size", [(120, 40), (60, 20)])
async def test_the_remedy_of_an_error_is_to_be_read_whole(folder, monkeypatch, size):
    body = "/home/max/.local/share/glm4v-tui/glm4v-tui.sqlite3 could not be written: no space left."

    def full(self):
        raise StoreError("The disk is full", body, "Make room, then press it again.")

    async with reviewing(folder, size=size) as reviewer:
        monkeypatch.setattr(Database, "transaction", full)
        await reviewer.press("1")
        await reviewer.until(lambda: "then press it again." in " ".join(reviewer.text.split()))
        monkeypatch.undo()
        await reviewer.press("n")
        assert reviewer.screen.query_one("#said").outer_size.height == 1


async def test_the_threshold_of_automatic_labels_is_told_as_it_was_given(folder):
    async with reviewing(folder, task=Sure(), auto_above=0.999) as reviewer:
        await reviewer.sees("Labels from 99.9% on")


async def test_a_store_that_cannot_be_written_is_told_before_the_first_verdict(folder, monkeypatch):
    with closing(Database()):
        pass

    def read_only(self):
        raise StoreError("The database cannot be written", "It is read-only.", "See to it.")

    monkeypatch.setattr(Database, "transaction", read_only)
    async with reviewing(folder, load_s=60) as reviewer:
        await reviewer.sees("No verdict can be kept. The database cannot be written.")


async def test_what_is_said_of_a_skipped_image_and_of_a_digit_without_a_label(folder):
    async with reviewing(folder) as reviewer:
        await reviewer.press("space", "9")
        await reviewer.sees("this task has 3 labels, and none with the key 9")
        assert "skipped, not" not in reviewer.text
        await reviewer.press("u")
        await reviewer.sees("Taken back: skipped for part-0.png.")


async def test_an_image_that_vanishes_is_told_and_can_be_passed(folder):
    async with reviewing(folder) as reviewer:
        (folder / "part-1.png").unlink()
        await reviewer.press("1")
        await reviewer.sees("No such image")
        await reviewer.press("1")
        assert reviewer.at == 1
        await reviewer.sees("Not taken. No such image")
        await reviewer.press("n")
        assert reviewer.at == 2


async def test_a_broken_image_says_why_and_can_be_rejected(folder):
    (folder / "part-0.png").write_bytes(b"\x89PNG no more")
    async with reviewing(folder) as reviewer:
        await reviewer.press("x")
        assert reviewer.label(0) == "rejected"


async def test_without_a_label_of_the_model_accept_is_not_taken(folder):
    async with reviewing(folder, ScriptedAnswer("no JSON", 1e6)) as reviewer:
        await reviewer.press("a")
        await reviewer.sees("the model has named no label")
        assert reviewer.at == 0


async def test_a_task_without_labels_has_rejection_only(folder):
    async with reviewing(folder, task=Unlabeled()) as reviewer:
        await reviewer.press("x")
        assert reviewer.label(0) == "rejected"


async def test_a_model_that_does_not_load_is_told_and_verdicts_go_on(folder):
    async with reviewing(folder, load_s=60) as reviewer:
        await reviewer.sees("loading the model", "Nothing is said yet")
        await reviewer.press("2")
        assert reviewer.label(0) == "bad"


async def test_an_empty_folder_says_so(tmp_path):
    (tmp_path / "none").mkdir()
    async with reviewing(tmp_path / "none", ready=False) as reviewer:
        await reviewer.sees("There is no image to look at")
        await reviewer.press("a", "n", "t", "slash", "q")
        await reviewer.until(lambda: reviewer.app._exit)


async def test_results_are_not_asked_for_twice(folder):
    async with reviewing(folder, GOOD) as reviewer:
        await reviewer.until(lambda: len(reviewer.screen._judged) == 4)
    async with reviewing(folder, BAD) as reviewer:
        await reviewer.sees("The model says good.")


async def test_automatic_verdicts_are_marked_and_taken_back_together(folder):
    """The image under review is the reviewer's."""
    async with reviewing(folder, task=Sure(), auto_above=0.4) as reviewer:
        await reviewer.until(lambda: reviewer.review.progress.automatic == 3)
        await reviewer.sees("good (auto)", "3 of 4")
        await reviewer.press("U")
        await reviewer.sees("3 automatic labels are taken back", "0 of 4")


class WithOther(SortTask):
    name = "with-other"
    label_question = SortTask.question
    labels = (Label("good", answer="Yes"), Label("bad", answer="No"), Label("other"))


class Sure(SortTask):
    name = "sure"
    label_question = SortTask.question
    labels = tuple(
        type(label)(label.name, label.key, answer=label.name) for label in SortTask.labels[:2]
    )


STORED = {"part-0.png": -5.0, "part-1.png": -0.1, "part-2.png": -3.0, "part-3.png": 1.0}
"""The uncertain first: 1, 3, 2, 0."""


def names_shown(review):
    return [review.queue.path(review.queue.at(at)).name[5] for at in range(len(review.queue))]


async def test_the_uncertain_of_an_earlier_run_come_first(folder):
    """Also of those that are left when the program is started again."""
    store_opinions(folder, Sure(), STORED)
    async with reviewing(folder, task=Sure(), order=Order.UNCERTAIN, load_s=60) as reviewer:
        assert names_shown(reviewer.review) == ["1", "3", "2", "0"]
        await reviewer.sees("1/4 part-1.png", "Sorting · least sure first ·")
        await reviewer.press("1")
        await reviewer.sees("2/4 part-3.png")
    async with reviewing(folder, task=Sure(), order=Order.UNCERTAIN, load_s=60) as reviewer:
        await reviewer.sees("2/4 part-3.png")


async def test_it_says_of_how_many_the_order_knows(folder):
    store_opinions(folder, Sure(), {"part-2.png": -3.0})
    async with reviewing(folder, task=Sure(), order=Order.UNCERTAIN, load_s=60) as reviewer:
        await reviewer.sees("1/4 part-2.png", "least sure first, 1 of 4 known")


async def test_opinions_that_take_long_come_after_the_image_that_is_shown(folder, monkeypatch):
    may_come = threading.Event()

    def slowly(*values):
        assert may_come.wait(30)
        return stored_opinions(*values)

    monkeypatch.setattr("glm4v_tui.ui.triage.recall_part.stored_opinions", slowly)
    store_opinions(folder, Sure(), STORED)
    async with reviewing(
        folder, task=Sure(), order=Order.UNCERTAIN, load_s=60, ready=False
    ) as reviewer:
        await reviewer.sees("1/4 part-0.png", "least sure first, 0 of 4 known")
        may_come.set()
        await reviewer.until(lambda: names_shown(reviewer.review) == ["0", "1", "3", "2"])
        await reviewer.sees("1/4 part-0.png")


async def test_by_name_the_models_labels_of_an_earlier_run_are_known(folder):
    store_opinions(folder, Sure(), STORED)
    async with reviewing(folder, task=Sure(), load_s=60) as reviewer:
        labels = reviewer.review.standings.model_label
        await reviewer.until(lambda: labels(0) == labels(2) == "good")
        await reviewer.until(lambda: labels(3) == "bad")
        assert names_shown(reviewer.review) == ["0", "1", "2", "3"]


async def test_a_label_that_the_result_contradicts_is_told_and_what_accepting_gives(folder):
    store_opinions(folder, Sure(), STORED)
    async with reviewing(folder, task=Sure(), load_s=60) as reviewer:
        await reviewer.press("end")
        words = "The model says bad, 73%. Its result speaks for good: accepting gives bad."
        says = reviewer.screen.query_one("#says")
        await reviewer.until(lambda: says.plain == words)
        await reviewer.press("home")
        await reviewer.sees("The model says good, 99%.")
        assert "Its result" not in says.plain


async def test_what_another_model_has_said_is_known_when_it_is_loaded(folder):
    store_opinions(folder, Sure(), STORED, model="y")
    async with reviewing(folder, task=Sure(), load_s=60) as reviewer:
        assert reviewer.review.standings.known == 0
        reviewer.screen.recall_again(model_key(LoadModel("y")))
        await reviewer.until(lambda: reviewer.review.standings.known == 4)


async def test_stored_opinions_give_no_automatic_label_to_the_image_under_review(folder):
    store_opinions(folder, Sure(), STORED)
    async with reviewing(folder, task=Sure(), auto_above=0.9, load_s=60) as reviewer:
        await reviewer.until(lambda: reviewer.label(2) == "good")
        assert reviewer.review.progress.automatic == 1


async def test_names_of_files_change_nothing_on_the_terminal(tmp_path):
    folder = images_in(tmp_path / "parts", 1)
    (folder / "part-0.png").rename(folder / "a\x1b[31mb.png")
    async with reviewing(folder) as reviewer:
        assert "\x1b" not in reviewer.text
        await reviewer.sees("1/1 ab.png")


async def test_from_the_pickers_marks_and_back_to_the_chat(folder):
    """T in the picker reviews what is marked, under a task that is chosen."""
    update_state(last_folder=str(folder))
    async with chatting(quick('{"kind": "good"}'), load_plugins=plugins) as user:
        await user.press("ctrl+o")
        await user.sees("part-0.png")
        await user.press("space", "space", "T")
        await user.sees("Sorting", "Enter starts the review")
        await user.press("enter")
        await user.sees("1/2 part-0.png", "The model says good.")
        await user.press("q")
        await user.until(lambda: len(user.app.screen_stack) == 1)
        assert not user.app.route.takers


async def test_with_nothing_marked_the_picker_gives_all_images_that_are_listed(folder):
    update_state(last_folder=str(folder))
    async with chatting(quick('{"kind": "good"}'), load_plugins=plugins) as user:
        await user.press("ctrl+o")
        await user.sees("part-0.png")
        await user.press("T")
        await user.sees("Sorting")
        await user.press("enter")
        await user.sees("1/4 part-0.png", "The model says good.")


async def test_q_at_the_end_leaves_the_review_as_it_says(folder):
    update_state(last_folder=str(folder))
    async with chatting(quick('{"kind": "good"}'), load_plugins=plugins) as user:
        await user.press("ctrl+o")
        await user.sees("part-0.png")
        await user.press("space", "T")
        await user.sees("Sorting")
        await user.press("enter")
        await user.sees("1/1 part-0.png", "The model says good.")
        reviewer = Reviewer(user.app, user.pilot, user.app.screen)
        await reviewer.press("2")
        await user.sees("Everything is decided", "q leaves")
        await reviewer.press("q")
        await user.until(lambda: len(user.app.screen_stack) == 1)


def plugins():
    from glm4v_tui.tasks.plugins import Plugins

    return Plugins({"sort": SortTask()})
