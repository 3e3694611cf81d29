"""Conversations in, conversations out."""

import os

import pytest

from glm4v_tui.chat import Attachment, Box
from glm4v_tui.store.chat_values import KeptTurn
from glm4v_tui.store.chats import Chats
from glm4v_tui.store.database import Database
from glm4v_tui.store.words import excerpt, index_query

CAT = Attachment("/pictures/my cat.png", "aa" * 32, 80, 60)
PART = Attachment(
    *("/parts/p.png", "bb" * 32, 10, 10, Box(0, 0, 10, 10), ("turned upright",), "v 1", 3, (80, 60))
)


@pytest.fixture
def chats(tmp_path):
    database = Database(tmp_path / "x.sqlite3")
    yield Chats(database)
    database.close()


def turn(name, question="What is it?", parent=None, **more):
    return KeptTurn(name, question, parent=parent, **more)


def talk(chats, name, *turns, title="A title", head=None, owner=None):
    chats.save(name, title, head or turns[-1].id, turns, owner)
    return next(chat for chat in chats.all() if chat.id == name)


def test_a_conversation_comes_back_as_it_was(chats):
    one = turn(
        "1", attachments=(CAT, PART), state="done", raw="A cat.", asked_at=5.0, details='{"a":1}'
    )
    two = turn("2", "And\nnow? 什么", "1", call='{"task":"x"}')
    chat = talk(chats, "c", one, two)
    assert chats.turns_of(chat) == [one, two]
    assert (chat.number, chat.title, chat.turns, chat.head) == (1, "A title", 2, "2")


def test_an_answer_grows_and_its_question_stays(chats):
    talk(chats, "c", turn("1", attachments=(CAT,), state="answering", raw="A"))
    talk(chats, "c", turn("1", "", state="done", raw="A cat."))
    (kept,) = chats.path_to("1")
    assert (kept.question, kept.raw, kept.attachments) == ("What is it?", "A cat.", (CAT,))


def test_what_is_cut_out_of_a_conversation_stays_a_branch(chats):
    talk(chats, "c", turn("1"), turn("2", "old?", "1"))
    chat = talk(chats, "c", turn("3", "new?", "1"))
    assert [one.id for one in chats.turns_of(chat)] == ["1", "3"]
    assert [one.id for one in chats.path_to("2")] == ["1", "2"]


def test_a_path_that_is_no_text_survives(chats):
    strange = os.fsdecode(b"/x/\xff\xfe \xe4.png")
    talk(chats, "c", turn("1", "q \udcff", attachments=(Attachment(strange, "cc", 1, 1),)))
    (kept,) = chats.path_to("1")
    assert kept.attachments[0].path == strange
    assert kept.question == "q ?"


def test_a_private_task_leaves_no_path_behind(chats, tmp_path):
    talk(chats, "before", turn("1", attachments=(CAT,), state="done"))
    assert chats.search("cat")
    talk(chats, "c", turn("2", attachments=(CAT,), is_private=True))
    talk(chats, "after", turn("3", attachments=(CAT, PART)))
    paths = [[image.path for image in chats.path_to(name)[0].attachments] for name in "123"]
    assert paths == [[""], [""], ["", PART.path]]
    assert not chats.search("cat")
    chats._database.close()
    assert b"my cat" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_titles_follow_the_first_question_until_one_is_given(chats):
    talk(chats, "c", turn("1"), title="first")
    assert talk(chats, "c", turn("2"), title="second").title == "second"
    assert talk(chats, "c", turn("2"), title="").title == "second"
    chats.rename("c", "mine")
    assert talk(chats, "c", turn("3"), title="third").title == "mine"


def test_a_deleted_chat_can_be_brought_back_for_some_days(chats, monkeypatch):
    chat = talk(chats, "c", turn("1", "red apples"))
    chats.delete("c")
    assert (chats.all(), chats.search("apples")) == ([], [])
    assert [gone.id for gone in chats.all(deleted=True)] == ["c"]
    chats.erase_old()
    chats.restore("c")
    assert [back.id for back in chats.all()] == ["c"]
    chats.delete("c")
    monkeypatch.setattr("glm4v_tui.store.chats.KEPT_DELETED_S", -1)
    chats.erase_old()
    assert chats.get(chat.number) is None
    tables = ("turns", "attachments", "words")
    assert [chats._database.rows(f"SELECT * FROM {name}") for name in tables] == [[], [], []]


def test_numbers_are_small_and_never_given_twice(chats):
    for _ in range(5):
        talk(chats, "a", turn("1"))
    assert talk(chats, "b", turn("2")).number == 2
    chats.erase("b")
    assert talk(chats, "c", turn("3")).number == 3


def test_letting_go_of_a_deleted_chat_does_not_bring_it_back(chats):
    talk(chats, "c", turn("1"), owner="me")
    chats.delete("c")
    chats.save("c", "", "1", (), None)
    assert chats.all() == []
    chats.save("c", "", "2", [turn("2")], "me")
    assert [back.id for back in chats.all()] == ["c"]


def test_a_branch_has_turns_of_its_own(chats):
    chat = talk(
        chats, "c", turn("1", attachments=(CAT,)), turn("2", "b?", "1"), turn("3", "c?", "2")
    )
    branch = chats.branch("2")
    copies = chats.turns_of(branch)
    assert [one.question for one in copies] == ["What is it?", "b?"]
    assert copies[0].attachments == (CAT,)
    chats.erase(chat.id)
    assert chats.turns_of(branch) == copies
    with pytest.raises(LookupError):
        chats.branch("no such turn")


def test_the_chats_of_dead_processes_are_found_once(chats):
    talk(chats, "old", turn("1"), owner="dead 1 1.0")
    talk(chats, "old", turn("1", state="answering", raw="a blue whale"), owner="dead 1 1.0")
    talk(chats, "mine", turn("2"), owner="alive 1 1.0")
    talk(chats, "new", turn("3", state="done"), turn("4", parent="3"), owner="dead 2 1.0")
    assert not chats.search("whale")  # not before it is over
    left = chats.take_from_the_dead(lambda owner: owner.startswith("alive"))
    assert left.id == "new"
    assert chats.take_from_the_dead(lambda owner: owner.startswith("alive")) is None
    states = [chats.path_to(name)[-1].state for name in "1234"]
    assert states == ["interrupted", "queued", "done", "interrupted"]
    assert chats.search("whale")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("缺陷", True),  # two letters, as most Chinese words
        ("陷", True),
        ("陷缺", False),
        ("零件 缺陷", True),
        ("scratch", True),
        ("scra", True),  # the beginning of a word
        ("ratch", False),
        ("MULLER scratch", True),
        ("müller", True),
        ("cat", True),  # the name of an image
        ("scratch missing", False),
        ('"', False),
        ('a" OR b:* NEAR( -x^ {', False),
        ("rim's", True),
        ("", False),
    ],
)
def test_words_are_found(chats, wanted, found):
    answer = "A scratch near the rim's edge, says Müller. GLM说有缺陷。"
    talk(
        chats, "c", turn("1", "这个零件有什么缺陷？", attachments=(CAT,), state="done", raw=answer)
    )
    hits = chats.search(wanted)
    assert bool(hits) is found
    assert all(hit.turn == "1" and hit.chat.id == "c" for hit in hits)


def test_a_query_is_only_words():
    assert index_query('say "hi" -x') == '"say" * AND """hi""" * AND "-x" *'


def test_an_excerpt_is_one_safe_line_around_the_word():
    text = "x" * 200 + " \x1b[31mneedle\x1b[0m\n" + "y" * 200
    line = excerpt(text, "NEEDLE")
    assert "needle" in line
    assert line[0] == line[-1] == "…"
    assert "\x1b" not in line
    assert excerpt("short\ntext", "none") == "short text"
