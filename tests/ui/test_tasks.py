"""Tasks in the chat: named, chosen, asked, shown. Answers from a script, tasks made here."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Annotated, Literal

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageOps
from textual.events import Key
from textual.widgets import OptionList

from glm4v_tui import (
    Badge,
    Box,
    BoxField,
    ImageReader,
    Panel,
    ReadImage,
    Region,
    Row,
    Table,
    Task,
    Tone,
    Words,
    pixel_box,
)
from glm4v_tui.engine.scripted import ScriptedAnswer
from glm4v_tui.images import install_readers
from glm4v_tui.session import TurnState
from glm4v_tui.tasks.plugin_report import PluginReport, PluginState
from glm4v_tui.tasks.plugins import Plugins
from glm4v_tui.ui.halfblock import PaintedStrip
from glm4v_tui.ui.screens.picker import PickerScreen
from glm4v_tui.ui.screens.tasks import TaskScreen
from glm4v_tui.ui.screens.viewer import ViewerScreen
from glm4v_tui.ui.widgets.attachments import AttachmentStrip
from glm4v_tui.ui.widgets.picture import Picture
from tests.chat_user import chatting, quick

RED, GREEN = (254, 123, 134), (127, 212, 155)  # error and success of the theme graphite


class Flaw(msgspec.Struct, frozen=True):
    kind: str
    place: str
    box: BoxField


class Sheet(msgspec.Struct, frozen=True):
    product: str
    flaws: list[Flaw]
    grade: Annotated[int, msgspec.Meta(ge=1, le=10)]


class Parts(Task[Sheet, msgspec.Struct]):
    name = "parts"
    title = "Part inspection"
    summary = "Finds flaws of a part."
    question = Words("Inspect this part.")
    result_type = Sheet
    notice = "Not for the safety of lives."

    def check(self, result, facts, options):
        return ["the grade is low"] if result.grade < 5 else []

    def render(self, result, facts, options):
        rows = tuple((flaw.kind, flaw.place) for flaw in result.flaws)
        return Panel(
            (Badge("fail", Tone.BAD), Badge(f"grade {result.grade}")),
            (Row("Product", result.product), Table("Flaws", ("Kind", "Place"), rows)),
            ("Looked at once.",),
        )

    def regions(self, result, facts):
        return [
            Region(pixel_box(flaw.box, facts.width, facts.height), flaw.kind, Tone.BAD)
            for flaw in result.flaws
        ]


class Look(msgspec.Struct, frozen=True):
    seen: str


class LookOptions(msgspec.Struct, frozen=True):
    window: Literal["soft tissue", "lung", "bone"] = "soft tissue"
    montage: bool = False
    level: int = 3


class Windowed(Task[Look, LookOptions]):
    """Shows the model the negative of a picture, and three of them side by side on demand."""

    name = "windowed"
    title = "Windowed"
    summary = "Looks through a window."
    question = Words("What is seen?")
    result_type = Look
    options_type = LookOptions

    def prepare(self, image, facts, options):
        negative = ImageOps.invert(image.convert("RGB"))
        if not options.montage:
            return negative
        wide = Image.new("RGB", (3 * negative.width, negative.height))
        for at in range(3):
            wide.paste(negative, (at * negative.width, 0))
        return wide

    def ask(self, facts, options, language):
        return f"What is seen in {options.window}?"

    def regions(self, result, facts):
        return [Region(Box(0, 0, facts.width // 2, facts.height // 2), "corner", Tone.GOOD)]


RESULT = {
    "product": "ceramic tile",
    "flaws": [
        {"kind": "hole", "place": "middle left", "box": [100, 200, 500, 600]},
        {"kind": "scratch", "place": "top right", "box": [600, 700, 900, 900]},
    ],
    "grade": 4,
}
ANSWER = json.dumps(RESULT)


def plugins(*tasks, **options):
    return lambda: Plugins({task.name: task for task in tasks}, **options)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor")
    monkeypatch.chdir(tmp_path)
    yield
    install_readers(())


@pytest.fixture
def part(tmp_path):
    """Grey, 200x100, of which the left half is nearly black."""
    path = tmp_path / "part.png"
    image = Image.new("RGB", (200, 100), (200, 200, 200))
    image.paste((10, 10, 10), (0, 0, 100, 100))
    image.save(path)
    return path


async def ask_task(user, text):
    """Send a task's name, and wait until its result was read."""
    count = len(user.session.turns)
    await user.write(text)
    await user.press("enter")
    await user.until(lambda: len(user.session.turns) > count)
    turn = user.last
    await user.until(lambda: outcome(user, turn))
    return turn


def outcome(user, turn):
    view = user.view(turn)
    return view and view._result and view._result.outcome


def picture_of(user, turn):
    return user.view(turn).query(".pictures").first(Picture)


def colors_in(picture):
    rows = [row for row in picture._canvas.rows if isinstance(row, PaintedStrip)]
    codes = {code for row in rows for code in np.unique(row.cells).tolist()}
    return {(code >> 16, code >> 8 & 255, code & 255) for code in codes}


def letters_in(picture):
    rows = [row for row in picture._canvas.rows if isinstance(row, PaintedStrip)]
    return "".join(letter for row in rows for _, letter in sorted(row.letters.items()))


# Asking -----------------------------------------------------------------------------------------


async def test_a_task_named_in_the_composer_is_asked_about_the_attached_image(part):
    async with chatting(quick(ANSWER), images=[part], load_plugins=plugins(Parts())) as user:
        turn = await ask_task(user, "/parts")
        assert turn.question.text == "Inspect this part."
        assert [image.path for image in turn.question.attachments] == [str(part)]
        assert '"flaws"' in turn.call.schema
        await user.sees("Part inspection", "fail", "grade 4", "ceramic tile", "# ", "middle left")
        await user.sees("Looked at once.", "! the grade is low", "Not for the safety of lives.")
        assert '"flaws"' not in user.screen, "the raw JSON is not shown"


async def test_words_after_the_name_take_the_place_of_the_question(part):
    async with chatting(quick(ANSWER), images=[part], load_plugins=plugins(Parts())) as user:
        turn = await ask_task(user, "/parts is it the new one?")
        assert turn.question.text == "is it the new one?"
        assert turn.call.task == "parts"


async def test_a_task_takes_the_images_that_were_asked_about_last(part):
    answers = quick("A tile."), quick(ANSWER), quick("It is at the left.")
    async with chatting(*answers, images=[part], load_plugins=plugins(Parts())) as user:
        await user.ask("What is it?")
        turn = await ask_task(user, "/parts")
        assert [image.path for image in turn.question.attachments] == [str(part)]
        after = await user.ask("Where is the hole?")  # the same conversation goes on
        assert after.call is None
        said = [message.text for message in user.session.prompt_of(after)]
        assert said == [
            "What is it?",
            "A tile.",
            "Inspect this part.",
            ANSWER,
            "Where is the hole?",
        ]


async def test_without_any_image_the_question_comes_back():
    async with chatting(load_plugins=plugins(Parts())) as user:
        await user.write("/parts now")
        await user.press("enter")
        await user.sees("There is no image for Part inspection")
        await user.until(lambda: user.composer.text == "/parts now")
        assert not user.session.turns


async def test_an_unknown_name_is_told_with_the_nearest_and_comes_back(part):
    async with chatting(images=[part], load_plugins=plugins(Parts())) as user:
        await user.write("/prats")
        await user.press("enter")
        await user.sees('There is no task prats; did you mean "parts"?')
        await user.until(lambda: user.composer.text == "/prats")
        assert not user.session.turns
        assert [image.path for image in user.app.screen._question.attachments] == [str(part)]


@pytest.mark.parametrize("text", ["/tmp has what?", "/tmp/a.png what is it", "/", "a /parts b"])
async def test_a_path_or_slash_in_a_question_is_a_question(text):
    async with chatting(load_plugins=plugins(Parts())) as user:
        turn = await user.ask(text)
        assert turn.call is None


async def test_a_name_before_the_plugins_are_there_waits_for_them(part):
    gate = threading.Event()

    def slowly():
        gate.wait(10)
        return plugins(Parts())()

    async with chatting(quick(ANSWER), images=[part], load_plugins=slowly) as user:
        await user.write("/parts")
        await user.press("enter")
        await user.write("And then?")  # what is asked after it comes after it
        await user.press("enter")
        await user.sees("preparing parts")
        assert not user.session.turns
        gate.set()
        await user.until(lambda: len(user.session.turns) == 2)
        assert [turn.call is None for turn in user.session.turns] == [False, True]


async def test_a_begun_name_is_shown_and_tab_completes_it():
    two = type("Parts2", (Parts,), {"name": "parts-fine"})()
    async with chatting(load_plugins=plugins(Parts(), Windowed(), two)) as user:
        await user.until(lambda: user.app.desk.plugins)
        await user.write("/p")
        await user.sees("/parts  /parts-fine  · Tab completes")
        await user.press("tab")
        assert user.composer.text == "/parts"
        await user.press("-", "tab")
        assert user.composer.text == "/parts-fine "
        await user.misses("Tab completes")
        assert user.composer.has_focus


async def test_tab_completes_what_came_before_it_in_one_burst():
    async with chatting(load_plugins=plugins(Parts())) as user:
        await user.until(lambda: user.composer.completions)
        for key in "/pa":
            user.app.post_message(Key({"/": "slash"}.get(key, key), key))
        user.app.post_message(Key("tab", None))
        user.app.post_message(Key("x", "x"))
        await user.until(lambda: user.composer.text == "/parts x")


# Choosing ---------------------------------------------------------------------------------------


async def test_f7_chooses_a_task_by_typing(part):
    both = plugins(Parts(), Windowed())
    async with chatting(quick('{"seen": "x"}'), images=[part], load_plugins=both) as user:
        await user.press("f7")
        await user.sees("Part inspection  /parts", "Looks through a window.")
        await user.press(*"window")
        await user.misses("Finds flaws")
        await user.press("enter")
        await user.until(lambda: user.session.turns)
        assert user.last.call.task == "windowed"
        assert user.composer.has_focus


async def test_keys_pressed_before_the_tasks_are_there_are_obeyed(part):
    gate = threading.Event()

    def slowly():
        gate.wait(10)
        return plugins(Parts(), Windowed())()

    async with chatting(quick('{"seen": "x"}'), images=[part], load_plugins=slowly) as user:
        await user.press("f7", *"wind", "enter")
        await user.sees("loading the tasks")
        gate.set()
        await user.until(lambda: user.session.turns)
        assert user.last.call.task == "windowed"


async def test_an_option_is_chosen_for_one_question(part):
    look = quick('{"seen": "x"}')
    async with chatting(look, images=[part], load_plugins=plugins(Windowed())) as user:
        await user.press("f7")
        await user.sees("window:  soft tissue  lung  bone")
        await user.press("right", "tab", "left", "enter")
        await user.until(lambda: user.session.turns and outcome(user, user.last))
        assert json.loads(user.last.call.options) == {
            "window": "lung", "montage": True, "level": 3
        }  # fmt: skip
        assert user.last.question.text == "What is seen in lung?"
        await user.press("f7")  # the choice was for that question
        await user.sees("window:")
        await user.press("enter")
        await user.until(lambda: len(user.session.turns) == 2)
        assert json.loads(user.last.call.options)["window"] == "soft tissue"


async def test_an_option_is_written_behind_the_name(part):
    look = quick('{"seen": "x"}')
    async with chatting(look, images=[part], load_plugins=plugins(Windowed())) as user:
        await user.write('/windowed window="nose"')
        await user.press("enter")
        await user.sees("window cannot be nose", '"soft tissue", lung, bone')
        await user.until(lambda: "nose" in user.composer.text)
        user.composer.clear()
        turn = await ask_task(user, "/windowed window=bone what is white?")
        assert json.loads(turn.call.options)["window"] == "bone"
        assert turn.question.text == "what is white?"


async def test_ctrl_r_reads_the_tasks_again(part):
    found = [Parts()]
    async with chatting(load_plugins=lambda: plugins(*found)()) as user:
        await user.press("f7")
        await user.sees("/parts")
        found.append(Windowed())
        await user.press("ctrl+r")
        await user.sees("/parts", "/windowed")
        assert user.app.screen.query_one(OptionList).option_count == 2


async def test_without_tasks_the_chooser_says_so():
    async with chatting() as user:
        await user.press("f7")
        await user.sees("There are no tasks")
        await user.press("enter", "escape")
        await user.until(lambda: not isinstance(user.app.screen, TaskScreen))


# While it is written ----------------------------------------------------------------------------


async def test_fields_appear_as_they_are_written_and_keys_are_obeyed(part):
    slow = ScriptedAnswer(ANSWER, tokens_per_s=25)
    async with chatting(slow, images=[part], load_plugins=plugins(Parts())) as user:
        await user.write("/parts")
        await user.press("enter")
        await user.sees("Product  ceramic tile")
        assert not user.last.state.is_over
        assert '"product"' not in user.screen
        assert "Not for the safety of lives." in user.screen
        await user.write("what next?")
        assert not user.last.state.is_over, "typing had to wait for the answer"
        await user.sees("Kind", "hole")
        await user.press("escape")
        await user.sees("The result is incomplete", "ceramic tile", "stopped")


async def test_a_result_that_the_limit_cut_is_never_shown_as_whole(part):
    cut = ScriptedAnswer(ANSWER[:70], tokens_per_s=1e6, cut=True)
    async with chatting(cut, images=[part], load_plugins=plugins(Parts())) as user:
        turn = await ask_task(user, "/parts")
        await user.sees("The result is incomplete: the answer ended after 70 characters")
        await user.sees('{"product": "ceramic tile", "flaws"')
        assert "fail" not in user.screen
        assert not user.view(turn).marks


async def test_an_answer_in_another_form_is_told_with_its_text(part):
    other = quick('{"product": "tile", "flaws": [], "grade": 11}')
    async with chatting(other, images=[part], load_plugins=plugins(Parts())) as user:
        await ask_task(user, "/parts")
        await user.sees("The answer is not in the task's form", "<= 10", '"grade": 11')


async def test_reasoning_before_the_result_is_folded(part):
    class Reasoning(Parts):
        reasoning_tokens = 100

    slow = ScriptedAnswer("I see a tile. It has a hole.\n```json\n" + ANSWER, tokens_per_s=50)
    async with chatting(slow, images=[part], load_plugins=plugins(Reasoning())) as user:
        await user.write("/parts")
        await user.press("enter")
        await user.sees("Thinking …")
        turn = user.last
        await user.until(lambda: outcome(user, turn))
        await user.sees("Thought (8 words", "ceramic tile", "grade 4")


# The panel --------------------------------------------------------------------------------------


async def test_boxes_stand_on_the_picture_with_the_numbers_of_the_table(part):
    async with chatting(quick(ANSWER), images=[part], load_plugins=plugins(Parts())) as user:
        turn = await ask_task(user, "/parts")
        picture = picture_of(user, turn)
        await user.until(lambda: RED in colors_in(picture))
        assert letters_in(picture) == "12"
        await user.sees("1 hole", "2 scratch", "1  hole     middle left", "2  scratch  top right")
        # The box of the hole, 20..100 by 20..60 pixels, is where the picture has these pixels.
        painting = picture._canvas._painting
        rows = picture._canvas.rows[painting.region.y : painting.region.bottom]
        halves = np.concatenate([row.cells for row in rows])
        lines, columns = np.nonzero(halves == int.from_bytes(bytes(RED)))
        scale = painting.region.width / 200
        assert min(columns) == pytest.approx(20 * scale, abs=1)
        first = columns[lines < 0.6 * len(halves)]
        assert max(first) == pytest.approx(100 * scale, abs=1)


async def test_shift_j_shows_the_json_and_the_panel_again_and_y_copies(part):
    async with chatting(quick(ANSWER), images=[part], load_plugins=plugins(Parts())) as user:
        turn = await ask_task(user, "/parts")
        await user.focus_turn(turn)
        await user.press("J")
        await user.sees('"product": "ceramic tile",')
        await user.misses("grade 4")
        assert "Not for the safety of lives." in user.screen
        await user.press("J")
        await user.sees("grade 4")
        await user.misses('"product"')
        await user.press("y")
        await user.sees("The result was sent")
        assert json.loads(user.app.clipboard) == RESULT


async def test_the_notice_stays_however_far_one_scrolls(part):
    answers = quick(ANSWER), quick("A line.\n\n" * 60)
    async with chatting(*answers, images=[part], load_plugins=plugins(Parts())) as user:
        await ask_task(user, "/parts")
        await user.ask("Tell me more.")
        await user.misses("ceramic tile")
        assert "Not for the safety of lives." in user.screen
        await user.press("f2")
        await user.until(lambda: isinstance(user.app.screen, ViewerScreen))
        await user.sees("Not for the safety of lives. · 1/1 part.png")
        await user.press("escape", "ctrl+n")
        await user.misses("Not for the safety of lives.")


async def test_search_finds_the_words_of_a_result(part):
    answers = quick(ANSWER), quick("A line.\n\n" * 60)
    async with chatting(*answers, images=[part], load_plugins=plugins(Parts())) as user:
        await ask_task(user, "/parts")
        await user.ask("Tell me more.")
        await user.misses("ceramic tile")
        await user.press("ctrl+f")
        await user.write_in_search("top right")
        await user.sees("1 of 1", "scratch")


async def test_a_result_fits_every_size(part):
    for size in ((60, 20), (80, 24), (200, 50)):
        async with chatting(
            quick(ANSWER), images=[part], size=size, load_plugins=plugins(Parts())
        ) as user:
            await ask_task(user, "/parts")
            await user.sees("grade 4", "middle left", "top right")
            assert all(len(line) <= size[0] for line in user.screen.splitlines()[: size[1]])


async def test_a_table_wider_than_the_screen_stands_in_lines(part):
    class Wide(Parts):
        def render(self, result, facts, options):
            columns = tuple(f"column{n}" for n in range(12))
            return Panel(parts=(Table("Wide", columns, (tuple(f"value{n}" for n in range(12)),)),))

    async with chatting(
        quick(ANSWER), images=[part], size=(60, 24), load_plugins=plugins(Wide())
    ) as user:
        await ask_task(user, "/parts")
        await user.sees("column0 value0", "column10 value10", "value11")


# Pictures as the model saw them -----------------------------------------------------------------


async def test_the_picture_of_a_task_is_what_the_model_saw(part):
    look = quick('{"seen": "x"}')
    async with chatting(look, images=[part], load_plugins=plugins(Windowed())) as user:
        turn = await ask_task(user, "/windowed")
        picture = picture_of(user, turn)
        await user.until(lambda: {(55, 55, 55), (245, 245, 245)} <= colors_in(picture))
        await user.until(lambda: GREEN in colors_in(picture))
        await user.press("f2")
        await user.until(lambda: isinstance(user.app.screen, ViewerScreen))
        viewed = user.app.screen.query_one(Picture)
        await user.until(lambda: {(55, 55, 55), GREEN} <= colors_in(viewed))
        await user.sees("1 corner")
        await user.press("b")
        await user.until(lambda: GREEN not in colors_in(viewed))
        await user.press("b", "plus")
        await user.until(lambda: {(55, 55, 55), GREEN} <= colors_in(viewed))


async def test_places_are_not_drawn_on_a_picture_of_another_shape(part):
    look = quick('{"seen": "x"}')
    async with chatting(look, images=[part], load_plugins=plugins(Windowed())) as user:
        turn = await ask_task(user, "/windowed montage=yes")
        picture = picture_of(user, turn)
        await user.until(lambda: (245, 245, 245) in colors_in(picture))
        region = picture._canvas._painting.region
        assert region.width / (2 * region.height) == pytest.approx(6.0, rel=0.15)
        assert GREEN not in colors_in(picture)
        await user.sees("1 corner")


def scan_reader():
    def read(file, frame):
        shape = tuple(file.read()[4:6])
        return ReadImage(Image.new("L", shape, 90), {"kind": "scan"})

    return ImageReader("SCAN", (".scan",), read, magic=((0, b"SCAN"),))


async def test_a_file_that_only_a_plugin_reads_is_shown_everywhere(tmp_path):
    path = tmp_path / "a.scan"
    path.write_bytes(b"SCAN" + bytes((80, 60)))

    def load():
        time.sleep(0.3)  # the attached file has to wait for its reader
        install_readers([scan_reader()])
        return plugins(Parts(), readers=(scan_reader(),))()

    async with chatting(quick(ANSWER), images=[path], load_plugins=load) as user:
        await user.until(lambda: user.app.screen.query_one(AttachmentStrip).display)
        await user.sees("a.scan  80×60")
        turn = await ask_task(user, "/parts")
        await user.until(lambda: (90, 90, 90) in colors_in(picture_of(user, turn)))
        await user.press("f2")
        await user.until(lambda: isinstance(user.app.screen, ViewerScreen))
        await user.until(lambda: (90, 90, 90) in colors_in(user.app.screen.query_one(Picture)))
        await user.press("escape", "ctrl+o")
        await user.until(lambda: isinstance(user.app.screen, PickerScreen))
        user.paste("a.scan")


async def test_a_bare_name_that_only_a_plugin_reads_is_attached_by_a_paste(tmp_path):
    (tmp_path / "a.scan").write_bytes(b"SCAN" + bytes((80, 60)))
    install_readers([scan_reader()])
    async with chatting(load_plugins=plugins()) as user:
        user.paste("a.scan")
        await user.sees("a.scan  80×60")


# Again, edit, undo ------------------------------------------------------------------------------


async def test_again_edit_and_undo_keep_the_task(part):
    async with chatting(quick(ANSWER), images=[part], load_plugins=plugins(Parts())) as user:
        first = await ask_task(user, "/parts")
        await user.press("f5")
        await user.until(lambda: user.last is not first and outcome(user, user.last))
        assert user.last.call == first.call
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "/parts")
        await user.sees("part.png  200×100")
        await user.press("f9")
        await user.sees("grade 4")
        assert user.last.call == first.call
        await user.focus_turn()
        await user.press("e")
        await user.until(lambda: user.composer.text == "/parts")
        await user.press("enter")
        await user.until(lambda: user.session.turns and outcome(user, user.last))
        assert user.last.call == first.call


async def test_edit_brings_back_the_words_and_the_choices(part):
    look = quick('{"seen": "x"}')
    async with chatting(look, images=[part], load_plugins=plugins(Windowed())) as user:
        turn = await ask_task(user, "/windowed window=bone montage=yes what is white?")
        await user.focus_turn(turn)
        await user.press("e")
        await user.until(
            lambda: user.composer.text == "/windowed window=bone montage=yes what is white?"
        )
        assert [image.variant for image in user.app.screen._question.attachments] == [""]


async def test_a_waiting_task_is_taken_back_as_it_was_written(part):
    async with chatting(
        quick(ANSWER), images=[part], load_s=30, load_plugins=plugins(Parts())
    ) as user:
        await user.write("/parts")
        await user.press("enter")
        await user.sees("queued", "Part inspection")
        await user.press("escape")
        await user.until(lambda: user.composer.text == "/parts")


# Faults -----------------------------------------------------------------------------------------


def boom(*_):
    raise RuntimeError("it broke")


def leave(*_):
    sys.exit(3)


@pytest.mark.parametrize("fault", [boom, leave], ids=["raises", "exits"])
@pytest.mark.parametrize("method", ["prepare", "examine", "ask"])
async def test_a_fault_before_asking_brings_the_question_back(part, method, fault):
    text = "/parts" if method == "ask" else "/parts look here"
    broken = type("Broken", (Parts,), {method: fault})()
    async with chatting(quick("Yes."), images=[part], load_plugins=plugins(broken)) as user:
        await user.write(text)
        await user.press("enter")
        await user.sees("The task parts failed while")
        await user.until(lambda: user.composer.text == text)
        await user.sees("part.png  200×100")
        user.composer.clear()
        await user.ask("Are you there?")


@pytest.mark.parametrize("fault", [boom, leave, lambda *_: 7, lambda *_: [None]])
@pytest.mark.parametrize("method", ["check", "render", "regions"])
async def test_a_fault_in_showing_is_told_and_the_result_is_shown(part, method, fault):
    broken = type("Broken", (Parts,), {method: fault})()
    async with chatting(
        quick(ANSWER), quick("Yes."), images=[part], load_plugins=plugins(broken)
    ) as user:
        turn = await ask_task(user, "/parts")
        await user.sees("ceramic tile", "middle left")
        if (method, fault) != ("check", [None]):
            assert user.view(turn)._result.outcome.warnings
        await user.ask("Are you there?")


async def test_a_task_that_hangs_holds_up_nothing(part):
    gate = threading.Event()
    hanging = type("Hanging", (Parts,), {"render": lambda self, *_: gate.wait(20)})()
    async with chatting(
        quick(ANSWER), quick("Yes."), images=[part], load_plugins=plugins(hanging)
    ) as user:
        await user.write("/parts")
        await user.press("enter")
        await user.sees("reading the result …")
        await user.ask("Are you there?")
        gate.set()


async def test_plugins_that_cannot_be_loaded_are_told_once(part):
    report = PluginReport("bad", state=PluginState.FAILED, reasons=["ImportError: no"])
    async with chatting(load_plugins=plugins(Parts(), reports=(report,))) as user:
        await user.sees("Plugin bad: ImportError: no")
        await user.press("f7", "ctrl+r")
        await user.sees("/parts")
        said = [n.message for n in user.app._notifications if "Plugin bad" in n.message]
        assert len(said) == 1


async def test_a_loader_that_fails_leaves_a_chat_without_tasks():
    async with chatting(quick("Yes."), load_plugins=boom) as user:
        await user.sees("RuntimeError: it broke")
        await user.ask("Are you there?")


async def test_a_task_that_went_away_keeps_its_results(part):
    found = [Parts()]
    async with chatting(
        quick(ANSWER), images=[part], load_plugins=lambda: plugins(*found)()
    ) as user:
        turn = await ask_task(user, "/parts")
        found.clear()
        await user.press("f7", "ctrl+r")
        await user.sees("There are no tasks")
        await user.press("escape", "ctrl+n", "f9")
        await user.sees("grade 4", "ceramic tile")
        assert turn.state is TurnState.DONE
