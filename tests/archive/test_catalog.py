"""The list of chats with some words."""

import pytest

from glm4v_tui.archive.catalog import entries
from glm4v_tui.store.chat_values import KeptTurn
from glm4v_tui.store.chats import Chats
from glm4v_tui.store.database import Database


@pytest.fixture
def chats(tmp_path):
    database = Database(tmp_path / "x.sqlite3")
    yield Chats(database)
    database.close()


def keep(chats, title, question, answer="Yes."):
    turn = KeptTurn(question, question, state="done", raw=answer)
    chats.save(question, title, turn.id, [turn])


@pytest.mark.parametrize(
    ("title", "question"),
    [
        ("Is the rim cracked?", "Is the rim\n cracked?"),
        ("Is the rim…", "Is the rim cracked?"),
        ("defect: Is the rim cracked?", "Is the rim cracked?"),
    ],
)
def test_a_question_that_is_the_title_is_told_once(chats, title, question):
    keep(chats, title, question)
    [entry] = entries(chats, "the rim")
    assert (entry.chat.title, entry.turn, entry.found) == (title, None, "")


def test_what_else_was_said_with_the_words_is_told(chats):
    keep(chats, "Is the rim cracked?", "Is the rim cracked?", "Not the rim itself.")
    keep(chats, "Other", "And what of the rim?")
    found = [(one.chat.title, one.found) for one in entries(chats, "rim")]
    assert found[0] == ("Is the rim cracked?", "")
    assert sorted(found[1:]) == [
        ("Is the rim cracked?", "Not the rim itself."),
        ("Other", "And what of the rim?"),
    ]
