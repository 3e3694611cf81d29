"""The chat screen as a user meets it: keys in, words and pictures out. Answers from a script."""

from __future__ import annotations

import asyncio

import pytest
from PIL import Image
from textual.events import Key

from glm4v_tui import hub
from glm4v_tui.config import InterfaceSettings, Settings
from glm4v_tui.engine.scripted import ScriptedAnswer, ScriptedEngine
from glm4v_tui.session import ModelState, TurnState
from glm4v_tui.state import load_state
from glm4v_tui.ui.screens.help import HelpScreen
from glm4v_tui.ui.screens.model import ModelScreen
from glm4v_tui.ui.screens.picker import PickerScreen
from glm4v_tui.ui.screens.viewer import ViewerScreen
from glm4v_tui.ui.widgets.answer_text import AnswerText
from glm4v_tui.ui.widgets.attachments import AttachmentStrip
from glm4v_tui.ui.widgets.picture import Picture
from glm4v_tui.ui.widgets.question_area import QuestionArea
from glm4v_tui.ui.widgets.search_bar import SearchBar
from glm4v_tui.ui.widgets.side_bar import SideBar
from tests.chat_user import SLOW, chatting, quick


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cat(tmp_path):
    path = tmp_path / "cat.png"
    Image.radial_gradient("L").convert("RGB").resize((80, 60)).save(path)
    return path


@pytest.fixture
def dog(tmp_path):
    path = tmp_path / "dog.png"
    Image.linear_gradient("L").convert("RGB").resize((60, 80)).save(path)
    return path


# Asking -----------------------------------------------------------------------------------------


async def test_a_question_and_its_answer_stand_in_the_conversation():
    async with chatting(quick("It is a **red** cat.\n\n- one\n- two\n")) as user:
        assert "Look at images" in user.screen
        await user.ask("What is it?")
        await user.sees("What is it?", "It is a red cat.", "• two", "tok/s")
        assert "Look at images" not in user.screen
        assert user.composer.text == ""
        assert user.composer.has_focus


async def test_nothing_is_asked_without_words(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("cat.png")
        await user.press("space", "enter")
        await user.sees("Write a question")
        assert not user.session.turns
        assert "cat.png" in user.screen


async def test_a_question_waits_visibly_and_can_be_taken_back():
    async with chatting(SLOW, quick("Later.")) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.send("And then?")
        await user.sees("queued  And then?")
        await user.press("escape")
        await user.sees("stopped", "Later.")
        assert user.session.turns[0].state is TurnState.STOPPED
        assert "one two" in user.screen


async def test_escape_again_takes_a_question_back_while_the_answer_does_not_end(monkeypatch):
    """A process that hangs is ended after some seconds; until then the keys do what they say."""

    async def hang(self, request_id):
        return

    monkeypatch.setattr(ScriptedEngine, "abort", hang)
    async with chatting(SLOW, quick("Later.")) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.send("And then?")
        await user.sees("queued  And then?")
        await user.press("escape")
        await user.sees("stopping …", "queued  And then?")
        await user.press("escape")
        await user.misses("queued")
        assert user.composer.text == "And then?"
        assert len(user.session.turns) == 1


async def test_a_question_before_the_model_is_there_can_be_taken_back(cat):
    async with chatting(images=[cat], load_s=30) as user:
        await user.sees("cat.png")
        await user.send("What is it?")
        await user.sees("queued  What is it?")
        await user.press("escape")
        await user.misses("queued")
        assert user.composer.text == "What is it?"
        assert len(user.app.screen.query_one(AttachmentStrip).content.plain.splitlines()) == 1
        assert not user.session.turns


async def test_a_failure_is_told_where_the_answer_would_be():
    failing = ScriptedAnswer("It is", 1e6, fail="The GPU's memory did [not] suffice")
    async with chatting(failing, quick("Fine.")) as user:
        await user.send("What is it?")
        await user.sees("✗ The GPU's memory did [not] suffice", "It is")
        await user.ask("And now?")


async def test_another_model_can_be_chosen(monkeypatch):
    monkeypatch.setattr(hub, "look_ahead", lambda *_: None)
    async with chatting() as user:
        await user.press("f4")
        await user.until(lambda: isinstance(user.app.screen, ModelScreen))
        await user.press("home", "ctrl+k", *"owner/name", "enter")
        await user.sees("name  ·", "ready")
        assert user.session.command.model == "owner/name"
        assert user.composer.has_focus


async def test_free_memory_keeps_the_conversation():
    async with chatting() as user:
        await user.ask("What is it?")
        await user.press("f8")
        await user.sees("not in memory", "What is it?")
        assert user.session.model_state is ModelState.GONE
        await user.ask("And now?")


# Changing what was asked ------------------------------------------------------------------------


async def test_edit_brings_text_and_images_back_and_undo_the_turn(cat, dog):
    async with chatting(quick("First."), quick("Second."), images=[cat, dog]) as user:
        await user.sees("1 cat.png", "2 dog.png")
        first = await user.ask("What are they?")
        assert user.app.screen.query_one(AttachmentStrip).has_class("-empty")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "What are they?")
        await user.misses("First.")
        strip = user.app.screen.query_one(AttachmentStrip).content.plain
        assert [line[:9] for line in strip.splitlines()] == ["1 cat.png", "2 dog.png"]
        assert user.composer.has_focus
        await user.press("f9")
        await user.sees("First.")
        assert user.session.turns == [first]


@pytest.mark.parametrize("key", ["f9", "escape"])
async def test_an_edit_can_be_left_whole(cat, dog, key):
    """Else the question and its image would be asked a second time with the next one."""
    async with chatting(quick("First."), images=[cat]) as user:
        await user.sees("1 cat.png")
        first = await user.ask("What is it?")
        await user.write("half a question")
        user.paste(str(dog))
        await user.sees("1 dog.png")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "What is it?")
        await user.sees("1 cat.png", "Esc leaves the question as it was.")
        await user.misses("dog.png", "First.")
        await user.press(key)
        await user.sees("First.", "1 dog.png")
        await user.until(lambda: user.composer.text == "half a question")
        assert user.session.turns == [first]
        await user.press("escape")
        assert user.composer.text == "half a question"


async def test_what_was_being_written_comes_back_when_the_edited_question_is_asked(cat, dog):
    async with chatting(quick("First."), quick("Second."), images=[cat]) as user:
        await user.sees("1 cat.png")
        await user.ask("What is it?")
        await user.write("half a question")
        user.paste(str(dog))
        await user.sees("1 dog.png")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "What is it?")
        await user.write(" Really?")
        await user.press("enter")
        await user.sees("Second.")
        assert user.last.question.text == "What is it? Really?"
        assert [image.path for image in user.last.question.attachments] == [str(cat)]
        assert user.composer.text == "half a question"
        await user.sees("1 dog.png")


@pytest.mark.parametrize("key", ["f9", "escape"])
async def test_what_was_changed_in_an_edit_that_is_left_can_be_recalled(cat, key):
    async with chatting(quick("First."), images=[cat]) as user:
        await user.sees("1 cat.png")
        await user.ask("What is it?")
        await user.write("half")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "What is it?")
        await user.write(" Really")
        await user.press(key)
        await user.sees("First.", "↑ recalls it")
        assert user.composer.text == "half"
        await user.press("up")
        assert user.composer.text == "What is it? Really"
        await user.press("down")
        assert user.composer.text == "half"


EDIT_AND = {
    "the other question": ("first", ["e"]),
    "an older answer anew": ("first", ["r"]),
    "the last answer anew": (None, ["f5"]),
    "a new chat": (None, ["ctrl+n"]),
}


@pytest.mark.parametrize("what", EDIT_AND)
async def test_what_else_is_done_in_an_edit_leaves_it_first(what):
    """So that one step back brings everything back, the question that was edited among it."""
    text, keys = EDIT_AND[what]
    async with chatting(*map(quick, ("One.", "Two.", "Anew."))) as user:
        turns = [await user.ask("first"), await user.ask("second")]
        await user.write("half")
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "second")
        if text is not None:
            await user.focus_turn(turns[0])
        await user.press(*keys)
        await user.until(lambda: user.session.turns not in (turns, turns[:1]))
        await user.until(lambda: user.session.is_idle)
        assert user.composer.text == ("first" if what == "the other question" else "half")
        await user.press("f9")
        await user.until(lambda: user.session.turns == turns)
        assert user.composer.text == "half"


async def test_keys_that_come_in_one_burst_go_to_the_turns_they_lead_to():
    async with chatting(quick("One."), quick("Two."), quick("Three.")) as user:
        turns = [await user.ask(f"question {number}") for number in range(3)]
        for key in ("tab", "k", "k", "e"):
            user.app.post_message(Key(key, key if len(key) == 1 else None))
        await user.until(lambda: user.composer.text)
        assert user.composer.text == "question 0"
        assert user.session.turns == []
        await user.press("f9")
        await user.until(lambda: user.session.turns == turns)


async def test_a_question_without_a_model_says_what_it_waits_for():
    async with chatting() as user:
        user.session.model_state = ModelState.FAILED
        await user.send("What is it?")
        await user.sees("No model is loaded: F4", "queued")


async def test_letters_typed_before_the_composer_is_there_are_kept():
    async with chatting() as user:
        user.app.screen.set_focus(None)
        await user.press("h", "i")
        await user.until(lambda: user.composer.text == "hi")


async def test_help_is_there_in_every_screen(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("1 cat.png")
        for key, screen, word in (("f2", ViewerScreen, "Zoom"), ("ctrl+o", PickerScreen, "Mark")):
            await user.press(key)
            await user.until(lambda screen=screen: isinstance(user.app.screen, screen))
            await user.press("f1")
            await user.until(lambda: isinstance(user.app.screen, HelpScreen))
            await user.sees(word)
            await user.press("f1")
            await user.until(lambda screen=screen: isinstance(user.app.screen, screen))
            await user.press("escape")
            await user.until(lambda: len(user.app.screen_stack) == 1)


async def test_help_lists_the_keys_of_other_screens_too():
    async with chatting() as user:
        await user.press("f1", *"zoom out")
        await user.sees("Zoom out")


async def test_the_welcome_names_the_users_keys(tmp_path):
    config = tmp_path / "home" / "config"
    config.mkdir(parents=True)
    (config / "keymap.toml").write_text('"chat.attach" = "ctrl+t"\n"app.help" = "f12"\n')
    async with chatting(size=(110, 40)) as user:
        await user.sees("Ctrl+T  choose images", "F12 shows every key")
        assert "Ctrl+O" not in user.screen


async def test_the_welcome_fits_a_small_window():
    async with chatting(size=(60, 20), is_embedded=True) as user:
        await user.sees("No model is chosen", "F2  view the images", "Ctrl+P  all commands")


async def test_again_asks_the_same_and_undo_brings_the_old_answer_back(cat):
    async with chatting(quick("First."), quick("Second."), images=[cat]) as user:
        await user.sees("cat.png")
        first = await user.ask("What is it?")
        await user.press("f5")
        await user.sees("Second.")
        await user.misses("First.")
        assert user.last.question == first.question
        await user.until(lambda: user.session.is_idle)
        await user.press("f9")
        await user.sees("First.")
        await user.misses("Second.")


async def test_a_new_chat_can_be_undone():
    async with chatting(quick("First."), quick("Second.")) as user:
        await user.ask("one")
        await user.ask("two")
        await user.press("ctrl+n")
        await user.misses("First.", "Second.")
        assert user.session.turns == []
        await user.press("f9")
        await user.sees("First.", "Second.")
        await user.press("f9")
        await user.sees("nothing to bring back")


@pytest.mark.parametrize("key", ["f5", "ctrl+n"])
async def test_nothing_is_cut_while_an_answer_is_written(key):
    async with chatting(SLOW) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.press(key)
        await user.sees("Stop the answer first")
        assert len(user.session.turns) == 1


# Stopping and leaving ---------------------------------------------------------------------------


async def test_ctrl_c_stops_the_answer_and_leaves_at_the_second_press():
    async with chatting(SLOW) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.press("ctrl+c")
        await user.sees("stopped")
        assert user.app.is_running
        user.app._interrupted_at -= 10  # that was long ago
        await user.press("ctrl+c")
        await user.sees("again to quit")
        await user.press("ctrl+c")
        await user.until(lambda: user.app.return_code == 130)


async def test_ctrl_c_copies_what_is_selected_and_does_nothing_else():
    async with chatting(SLOW) as user:
        await user.send("Count")
        await user.sees("one two")
        await user.write("selected")
        await user.press("shift+home", "ctrl+c", "ctrl+c", "ctrl+c")
        assert user.app.clipboard == "selected"
        assert user.session.current is not None
        assert user.app.return_code is None


async def test_the_answers_text_can_be_selected_and_copied():
    async with chatting(quick("It is a cat.")) as user:
        await user.ask("What is it?")
        answer = user.app.screen.query_one(AnswerText)
        answer.text_select_all()
        await user.pilot.pause()
        await user.press("ctrl+c")
        assert user.app.clipboard.strip() == "It is a cat."


# Finding and copying ----------------------------------------------------------------------------


async def test_search_counts_jumps_and_leaves(cat):
    answers = [quick("A red cat."), quick("A blue\n\n" + "- line\n" * 60), quick("A red dog.")]
    async with chatting(*answers) as user:
        for question in ("one", "two", "three"):
            await user.ask(question)
        await user.press("ctrl+f", *"RED")
        await user.sees("2 of 2")
        assert user.view(user.last).has_class("-found")
        await user.press("enter")
        await user.sees("1 of 2", "A red cat.")
        await user.press("up")
        await user.sees("2 of 2", "A red dog.")
        await user.press(*"xyz")
        await user.sees("not found")
        assert not user.app.query(".-found")
        await user.press("escape")
        await user.until(lambda: not user.app.query(SearchBar))
        assert user.composer.has_focus


async def test_search_finds_images_by_name(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("cat.png")
        await user.ask("What is it?")
        await user.press("ctrl+f", *"cat.pn")
        await user.sees("1 of 1")


async def test_answer_and_code_are_copied_as_they_were_written():
    answer = "Use **this**:\n\n```python\nprint(1)\n\nprint(2)\n```\n\nand\n\n~~~\nls\n~~~\n"
    async with chatting(quick(answer)) as user:
        await user.ask("How?")
        await user.focus_turn()
        await user.press("y")
        await user.sees("The answer was sent")
        assert user.app.clipboard.strip() == answer.strip()
        await user.press("c")
        await user.sees("The code was sent")
        assert user.app.clipboard == "print(1)\n\nprint(2)\n\nls\n"


async def test_what_is_not_there_is_not_copied():
    async with chatting() as user:
        await user.ask("How?")
        await user.focus_turn()
        await user.press("c")
        await user.pilot.pause()
        assert user.app.clipboard == ""


async def test_turns_are_gone_through_by_arrow_keys():
    async with chatting() as user:
        turns = [await user.ask(question) for question in ("one", "two")]
        await user.focus_turn()
        await user.press("up")
        await user.until(lambda: user.view(turns[0]).has_focus)
        await user.press("down", "down")
        await user.until(lambda: user.composer.has_focus)


async def test_thinking_is_folded_until_it_is_wanted():
    answer = "<think>It has fur and ears.</think><answer>A cat.</answer>"
    async with chatting(quick(answer)) as user:
        await user.ask("What is it?")
        await user.sees("▸ Thought (5 words", "A cat.")
        assert "It has fur" not in user.screen
        await user.focus_turn()
        await user.press("t")
        await user.sees("▾ Thought", "It has fur and ears.", "A cat.")
        await user.press("t")
        await user.misses("It has fur")


async def test_marks_of_the_model_are_never_seen():
    answer = ScriptedAnswer("<think>fur</think><answer>A cat and a dog.</answer>", 100)
    async with chatting(answer) as user:
        await user.send("What is it?")
        while not user.last.state.is_over:
            assert not {"<", ">"} & set(user.screen), user.screen
            await asyncio.sleep(0.01)
        await user.sees("A cat and a dog.")


# Images -----------------------------------------------------------------------------------------


async def test_an_image_is_a_picture_above_its_answer_and_in_the_side_bar(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("1 cat.png", "80×60", "100 tokens", "context 0+100")
        await user.ask("What is it?")
        picture = user.view(user.last).query_one(Picture)
        await user.until(lambda: picture.region.height > 3)
        region = picture.region

        def painted():
            strips = user.app.screen._compositor.render_strips()
            lines = strips[region.y : region.bottom]
            return any("▀" in line.crop(region.x, region.right).text for line in lines)

        await user.until(painted)
        assert region.height <= 16
        side = user.app.screen.query_one(SideBar)
        assert side.query_one(Picture).display
        assert "cat.png" in user.screen


async def test_an_image_of_a_stopped_question_counts_once_attached_again_or_not(cat):
    async with chatting(ScriptedAnswer("late", first_token_s=30), images=[cat]) as user:
        await user.sees("context 0+100")
        await user.send("What is it?")
        await user.until(lambda: user.last.is_sent)
        await user.press("escape")
        await user.until(lambda: user.last.state.is_over)
        await user.sees("context 0+100")
        question = user.app.screen.query_one(QuestionArea)
        assert not question.attachments
        user.paste(str(cat))
        await user.until(lambda: question.image_tokens)
        await asyncio.sleep(0.2)  # that a wrong sum would be seen, too
        await user.sees("context 0+100")


async def test_a_long_text_counts_before_it_is_asked(cat):
    """So that the gauge warns of a pasted page that does not fit, and not the failed question."""
    async with chatting(images=[cat]) as user:
        await user.sees("context 0+100/8.2k")
        user.paste("word " * 120)
        await user.sees("context 0+~300/8.2k")
        await user.press("x")
        user.paste("word " * 5000)
        await user.sees("context 0+~8.6k/8.2k")


async def test_a_picture_height_of_zero_shows_none(cat):
    settings = Settings(interface=InterfaceSettings(picture_height=0))
    async with chatting(images=[cat], settings=settings) as user:
        await user.sees("cat.png")
        await user.ask("What is it?")
        assert not user.view(user.last).query(Picture)
        await user.sees("1 cat.png · 80×60")


@pytest.mark.parametrize(
    ("name", "content"),
    [("no picture.png", b"hello"), ("empty [red].jpg", b""), ("cut.png", None)],
)
async def test_a_file_that_is_no_image_is_refused_aloud(tmp_path, cat, name, content):
    path = tmp_path / name
    path.write_bytes(cat.read_bytes()[:200] if content is None else content)
    async with chatting(images=[path, cat]) as user:
        await user.sees(f"{name}:", "1 cat.png")
        assert len(user.app.screen.query_one(AttachmentStrip).content.plain.splitlines()) == 1


async def test_many_refused_files_are_told_in_one_message(tmp_path, cat):
    broken = [tmp_path / f"broken{number}.png" for number in range(8)]
    for path in broken:
        path.write_bytes(b"no image")
    async with chatting(images=[*broken, cat]) as user:
        await user.sees("8 images were not attached", "broken0.png", "and 3 more", "1 cat.png")
        assert len(user.app._notifications) == 1


async def test_a_copy_of_an_attached_image_is_named(tmp_path, cat):
    copy = tmp_path / "copy.png"
    copy.write_bytes(cat.read_bytes())
    async with chatting(images=[cat, copy]) as user:
        await user.sees("copy.png: This image is attached already", "that of cat.png")


async def test_a_typed_path_of_an_image_is_attached_and_not_asked(cat):
    async with chatting() as user:
        await user.write(str(cat))
        await user.press("enter")
        await user.sees("1 cat.png")
        assert user.composer.text == ""
        assert not user.session.turns


async def test_asking_again_stays_at_the_end():
    """The focus of the turn that goes must not lead the screen to the one before."""
    long = quick("\n\n".join(f"line {number}" for number in range(60)))
    async with chatting(long, long, quick("Anew.")) as user:
        await user.ask("one")
        await user.ask("two")
        await user.focus_turn()
        await user.press("r")
        await user.sees("Anew.")
        assert user.composer.has_focus


async def test_an_answer_is_drawn_for_the_width_it_is_shown_at():
    """A layout remembers heights: back at a width of before, it asks for no lines."""
    text = "word " * 120 + "the end."
    async with chatting(quick(text)) as user:
        turn = await user.ask("one")
        answer = user.view(turn).query_one(AnswerText)
        for width in (60, 100, 60, 100):
            await user.pilot.resize_terminal(width, 30)
            await user.pilot.pause()
            await user.until(
                lambda: answer._lines and answer._drawn[1] == answer.content_size.width
            )
            assert len(answer._lines) == answer.content_size.height


async def test_a_pasted_folder_opens_the_picker_there(tmp_path, cat):
    folder = tmp_path / "folder"
    folder.mkdir()
    async with chatting() as user:
        user.paste(str(folder))
        await user.until(lambda: isinstance(user.app.screen, PickerScreen))
        await user.sees(folder.name)


async def test_a_question_waits_for_all_its_images(cat, dog):
    async with chatting(quick("A cat and a dog.")) as user:
        user.composer.insert("What are they?")
        user.paste(f"{cat}\n{dog}")
        await user.press("enter")
        await user.until(lambda: user.session.turns)
        assert [image.path for image in user.last.question.attachments] == [str(cat), str(dog)]


async def test_a_question_comes_back_when_its_image_is_refused(tmp_path):
    """The file is still being opened when Enter is pressed: it must not be asked without it."""
    path = tmp_path / "broken.png"
    path.write_bytes(b"no image")
    async with chatting() as user:
        user.composer.insert("What is it?")
        user.paste(str(path))
        await user.press("enter")
        await user.sees("broken.png")
        await user.until(lambda: user.composer.text == "What is it?" or user.session.turns)
        assert user.composer.text == "What is it?"
        assert not user.session.turns


async def test_a_pasted_path_is_attached_and_other_text_is_text(cat):
    async with chatting() as user:
        user.paste(f"'{cat}'")
        await user.sees("1 cat.png")
        assert user.composer.text == ""
        user.paste("two\nlines\x1b[31m")
        await user.until(lambda: user.composer.text)
        assert user.composer.text == "two\nlines"


async def test_backspace_in_an_empty_composer_detaches_the_last(cat, dog):
    async with chatting(images=[cat, dog]) as user:
        await user.sees("2 dog.png")
        await user.press("a", "backspace")
        await user.sees("2 dog.png")
        await user.press("backspace")
        await user.sees("dog.png is no longer attached")
        await user.misses("2 dog.png")
        await user.sees("1 cat.png")


async def test_images_are_chosen_in_the_picker(cat, dog):
    async with chatting() as user:
        await user.press("ctrl+o")
        await user.until(lambda: isinstance(user.app.screen, PickerScreen))
        await user.sees("cat.png", "dog.png")
        await user.press("down", "enter")
        await user.sees("1 dog.png")
        assert load_state()[0].last_folder == str(dog.parent)


async def test_images_are_seen_full_screen(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("1 cat.png")
        await user.press("f2")
        await user.until(lambda: isinstance(user.app.screen, ViewerScreen))
        await user.press("escape")
        await user.ask("What is it?")


async def test_keys_that_arrive_with_f2_are_the_viewers(cat):
    """A stuck link lets go of keys in one burst; none may fall into the composer behind."""
    async with chatting(images=[cat]) as user:
        await user.sees("1 cat.png")
        for key in ("f2", "i"):
            user.app.post_message(Key(key, key if len(key) == 1 else None))
        await user.sees("PNG, 80×60")
        assert isinstance(user.app.screen, ViewerScreen)
        assert user.composer.text == ""


async def test_an_image_that_vanished_is_told_once(cat):
    async with chatting(images=[cat]) as user:
        await user.sees("1 cat.png")
        cat.unlink()
        await user.send("What is it?")
        await user.until(lambda: user.last.state is TurnState.FAILED)
        await user.sees(f"✗ {user.last.error.title}")
        view = user.view(user.last)
        await user.until(lambda: view.query_one(Picture).has_card)
        assert not view.query_one(Picture).display


async def test_without_an_image_there_is_nothing_to_view():
    async with chatting() as user:
        await user.press("f2")
        await user.sees("No image yet")


# The window -------------------------------------------------------------------------------------


async def test_a_wide_window_has_a_side_bar_and_a_narrow_one_when_asked():
    async with chatting(size=(120, 40)) as user:
        side = user.app.screen.query_one(SideBar)
        assert user.app.screen.has_class("-wide", "-tall")
        assert side.region.width
        await user.press("f3")
        await user.until(lambda: not side.display)
        await user.press("f3")
        await user.until(lambda: side.display)
        await user.pilot.resize_terminal(70, 20)
        await user.until(lambda: user.app.screen.has_class("-narrow", "-short"))


async def test_the_side_bar_stays_away_from_a_narrow_window():
    async with chatting(size=(70, 20)) as user:
        side = user.app.screen.query_one(SideBar)
        assert not side.display
        await user.press("f3")
        await user.until(lambda: side.display)
        await user.press("f3")
        await user.until(lambda: not side.display)


@pytest.mark.parametrize("size", [(60, 20), (40, 10), (300, 100)])
async def test_it_is_usable_at_every_size(size, cat):
    async with chatting(quick("It is a cat."), size=size, images=[cat]) as user:
        await user.send("What is it?")
        await user.until(lambda: user.last.state.is_over)
        await user.sees("It is a")
        lines = user.app.screen._compositor.render_strips()
        assert {line.cell_length for line in lines} == {size[0]}


async def test_pages_of_the_conversation():
    async with chatting(quick("First.\n\n" + "- item\n" * 80 + "\nLast.")) as user:
        await user.send("List")
        await user.sees("Last.")
        await user.press(*["pageup"] * 6)
        await user.sees("First.")
        assert user.composer.has_focus
        await user.press(*["pagedown"] * 6)
        await user.sees("Last.")


# Commands and looks -----------------------------------------------------------------------------


async def test_the_palette_offers_what_the_keys_do():
    async with chatting() as user:
        names = [command.title for command in user.app.get_system_commands(user.app.screen)]
        for words in ("Attach", "Stop", "Model", "New chat", "Bring back", "Theme", "Help"):
            assert any(name.startswith(words) for name in names), (words, names)
        assert len(names) == len(set(names))
        await user.press("ctrl+p", *"side bar")
        await user.sees("Side bar")
        await user.until(lambda: user.app.screen.query("OptionList > *") or True)
        side = user.app.screen_stack[0].query_one(SideBar)
        await user.press("enter")
        await user.until(lambda: not side.display)


async def test_f1_shows_the_keys():
    async with chatting() as user:
        await user.press("f1")
        await user.until(lambda: isinstance(user.app.screen, HelpScreen))
        await user.sees("Ctrl+O", "Attach")


async def test_a_theme_chosen_live_is_remembered():
    async with chatting() as user:
        await user.press("f6")
        await user.until(lambda: len(user.app.screen_stack) == 2)
        await user.press(*"nord")
        await user.sees("nord")
        await user.press("enter")
        await user.until(lambda: user.app.theme == "nord")
        await user.until(lambda: load_state()[0].theme == "nord")
    async with chatting() as user:
        assert user.app.theme == "nord"
    settings = Settings(interface=InterfaceSettings(theme="dracula"))
    async with chatting(settings=settings) as user:
        assert user.app.theme == "dracula"


async def test_a_theme_that_is_not_there_is_told():
    settings = Settings(interface=InterfaceSettings(theme="no such [theme]"))
    async with chatting(settings=settings, notices=("said [b]once",)) as user:
        await user.sees("no such [theme]", "said [b]once")


async def test_markup_is_never_obeyed(tmp_path, cat):
    name = cat.rename(tmp_path / "[red]x[bold].png")
    async with chatting(quick("[bold]not[/bold] [/x]"), images=[name]) as user:
        await user.sees("1 [red]x[bold].png")
        await user.write("[link] [/y] ")
        await user.press("enter")
        await user.sees("[link] [/y]", "[bold]not[/bold] [/x]", "[red]x[bold].png")
