"""Chats that are kept, found, opened, renamed, deleted and branched in the chat screen."""

from __future__ import annotations

import msgspec
import pytest
from PIL import Image
from textual.widgets import Input

from glm4v_tui import Panel, Row, Task, Words, paths
from glm4v_tui.session import TurnState
from glm4v_tui.store.chats import Chats
from glm4v_tui.store.database import Database
from glm4v_tui.tasks.plugins import Plugins
from glm4v_tui.ui.screens.chats import ChatsScreen
from tests.chat_user import SLOW, chatting, quick


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(path)
    return path


def kept(work):
    database = Database()
    try:
        return work(Chats(database))
    finally:
        database.close()


def questions(number):
    return kept(lambda c: [turn.question for turn in c.turns_of(c.get(number))])


async def open_list(user, *words):
    await user.press("ctrl+l")
    await user.until(lambda: isinstance(user.app.screen, ChatsScreen) and user.app.screen._shown)
    for word in words:
        await user.press(*word)


async def test_a_chat_is_there_after_a_restart_and_goes_on(cat):
    async with chatting(quick("A red cat."), images=[cat]) as user:
        await user.sees("cat.png")
        await user.ask("What is it?")
    async with chatting(quick("Yes, still."), resume=True) as user:
        await user.sees("What is it?", "A red cat.", "cat.png")
        await user.ask("Still?")
        asked = user.session.prompt_of(user.last)
        assert [message.text for message in asked] == ["What is it?", "A red cat.", "Still?"]
    assert questions(1) == ["What is it?", "Still?"]


async def test_any_chat_is_found_by_its_words_and_opened_at_them():
    async with chatting(quick("A blue whale."), quick("零件有缺陷。"), quick("Else.")) as user:
        await user.ask("First?")
        await user.ask("Second?")
        await user.press("ctrl+n")
        await user.ask("Third?")
        await open_list(user)
        await user.sees("First?", "Third?", "open here")
        await user.press(*"whal")
        await user.sees("A blue whale.")
        await user.misses("open here")
        await user.press("enter")
        await user.sees("零件有缺陷。")
        await user.until(lambda: (v := user.view(user.session.turns[0])) and v.has_focus)
        assert [turn.question.text for turn in user.session.turns] == ["First?", "Second?"]
        await user.press("f9")
        await user.sees("Third?")
        await open_list(user, "缺陷")
        await user.sees("零件有缺陷。")


async def test_a_chat_that_is_opened_in_an_edit_leaves_it_behind():
    async with chatting(quick("A whale."), quick("Two."), quick("Three.")) as user:
        await user.ask("First?")
        await user.press("ctrl+n")
        turns = [await user.ask("Second?"), await user.ask("Third?")]
        await user.write("half")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "Third?")
        await open_list(user, "whale")
        await user.press("enter")
        await user.sees("A whale.")
        assert user.composer.text == "half"
        await user.press("f9")
        await user.until(lambda: user.session.turns == turns)
    assert questions(2) == ["Second?", "Third?"]


async def test_nothing_found_says_so():
    async with chatting(quick("Yes.")) as user:
        await user.ask("Is it?")
        await open_list(user, "zebra")
        await user.sees("Nothing was found.")
        await user.press("enter", "escape")
        await user.until(lambda: not isinstance(user.app.screen, ChatsScreen))
        assert len(user.session.turns) == 1


async def test_a_chat_is_renamed():
    async with chatting(quick("Yes.")) as user:
        await user.ask("Is it?")
        await open_list(user)
        await user.press("f2")
        await user.sees("New title")
        user.app.screen.query_one(Input).value = ""
        await user.press(*"[bold]x", "enter")
        await user.sees("[bold]x", "type to search")
        await user.press("f2", "z", "escape")
        await user.misses("New title")
        assert isinstance(user.app.screen, ChatsScreen)
    assert kept(lambda c: c.get(1)).title == "[bold]x"


async def test_a_deleted_chat_comes_back_by_a_key():
    async with chatting(quick("Yes.")) as user:
        await user.ask("Is it?")
        await open_list(user)
        await user.press("ctrl+d")
        await user.sees("No chat was kept yet.", "F9 brings it back")
        assert user.session.turns == []  # it was the one that is open
        await user.press("f9")
        await user.sees("Is it?")
        await user.press("enter")
        await user.sees("Yes.")
    assert questions(1) == ["Is it?"]


async def test_an_answer_that_is_written_is_not_left():
    async with chatting(SLOW) as user:
        await user.send("Count")
        await user.sees("one two")
        await open_list(user)
        await user.press("ctrl+d")
        await user.sees("Stop the answer first")
        await user.press("enter")
        await user.until(lambda: not isinstance(user.app.screen, ChatsScreen))
        assert user.last.state is TurnState.ANSWERING


async def test_a_branch_leaves_the_chat_it_comes_from_alone():
    async with chatting(quick("One."), quick("Two."), quick("Other.")) as user:
        await user.ask("first")
        await user.ask("second")
        await user.focus_turn(user.session.turns[0])
        await user.press("b")
        await user.sees("A branch")
        await user.until(lambda: len(user.session.turns) == 1 and user.composer.has_focus)
        await user.ask("instead")
    assert questions(1) == ["first", "second"]
    assert questions(2) == ["first", "instead"]


async def test_a_chat_that_was_cut_off_is_offered_once():
    async with chatting(SLOW) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.until(lambda: paths.database_file().exists() and questions(1) == ["Count"])
        owner = user.session.journal.owner
    # As if that process had been another, long gone, without a word.
    kept(lambda c: c.hold(c.get(1).id, f"{owner.rsplit(' ', 2)[0]} 1 1.0"))
    async with chatting(quick("Yes.")) as user:
        await user.sees("The last chat was cut off: Ctrl+L and Enter goes on with “Count”.")
        await open_list(user)
        await user.press("enter")
        await user.sees("Count", "The program ended before its answer was whole")
    async with chatting(quick("Yes.")) as user:
        await open_list(user)
        assert "was cut off" not in user.screen


async def test_images_that_are_gone_or_changed_are_told_and_found_again(cat, tmp_path):
    dog = tmp_path / "dog.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 80)).save(dog)
    async with chatting(quick("Both.")) as user:
        user.paste(f"{cat}\n{dog}")
        await user.sees("cat.png", "dog.png")
        await user.ask("What are they?")
    moved = cat.rename(tmp_path / "moved cat.png")
    dog.write_bytes(dog.read_bytes() + b"x")
    async with chatting(quick("Yes."), resume=True) as user:
        await user.sees("the file is gone", "the file has changed since", "2 images of this chat")
        user.paste(str(moved))
        await user.until(lambda: user.session.turns[0].question.attachments[0].path == str(moved))
        await user.misses("the file is gone")
        assert user.session.turns[0].question.attachments[1].path == str(dog)


async def test_a_store_that_cannot_be_used_is_told_and_the_chat_goes_on(tmp_path):
    file = paths.database_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database at all" * 1000)
    async with chatting(quick("Yes.")) as user:
        await user.sees("This chat is not kept: the database is damaged")
        await user.ask("Is it?")
        await user.sees("Yes.")
        await user.press("ctrl+l")
        await user.sees(".recover")
        await user.press("escape")
    assert file.read_bytes().startswith(b"no database at all")


async def test_a_chat_open_elsewhere_is_branched(monkeypatch):
    async with chatting(quick("One.")) as user:
        await user.ask("first")
    kept(lambda c: c.hold(c.get(1).id, "another-host 1 1.0"))
    async with chatting(quick("Two.")) as user:
        await open_list(user)
        await user.sees("open in another window")
        await user.press("enter")
        await user.sees("It is open in another window", "One.")
        await user.ask("second")
    assert questions(1) == ["first"]
    assert questions(2) == ["first", "second"]


SEEN = '{"seen": "a scratch"}'


class Look(msgspec.Struct, frozen=True):
    seen: str


class Secret(Task[Look, msgspec.Struct]):
    name = "secret"
    title = "Secret look"
    summary = "Looks, and tells nobody where."
    question = Words("What is seen?")
    result_type = Look
    is_private = True

    def render(self, result, facts, options):
        return Panel((), (Row("Found", result.seen),))


async def test_a_result_comes_back_as_a_panel_and_a_private_image_only_by_its_content(cat):
    def load():
        return Plugins({"secret": Secret()})

    async with chatting(quick(SEEN), images=[cat], load_plugins=load) as user:
        await user.sees("cat.png")
        await user.write("/secret")
        await user.press("enter")
        await user.sees("Found", "a scratch")
    folder = paths.database_file().parent
    assert b"cat.png" not in b"".join(file.read_bytes() for file in folder.iterdir())
    async with chatting(quick("Yes."), resume=True, load_plugins=load) as user:
        await user.sees("Secret look", "Found", "a scratch", "place not kept (private task)")
        await user.write("Where?")
        await user.press("enter")
        await user.sees("An image of an earlier question cannot be read again", "attach it again")
        user.paste(str(cat))
        await user.misses("attach it again to ask on")
        await user.ask("And now?")
        assert user.last.error is None
    assert b"cat.png" not in b"".join(file.read_bytes() for file in folder.iterdir())
