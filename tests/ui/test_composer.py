"""The composer in a bare app: keys as they come, messages as they go."""

import pytest
from textual import events
from textual.app import App
from textual.binding import Binding

from glm4v_tui.ui.widgets.composer import Composer

EARLIER = ["first question", "second\nquestion", "third question"]


class Host(App):
    BINDINGS = [Binding("ctrl+o", "note('attach')", "Attach", priority=True)]

    def __init__(self):
        super().__init__()
        self.said = []
        self.loads = 0

    def compose(self):
        yield Composer(self.load)

    def load(self):
        self.loads += 1
        return EARLIER

    def on_mount(self):
        self.composer.focus()

    @property
    def composer(self):
        return self.query_one(Composer)

    def action_note(self, what):
        self.said.append(what)

    def on_composer_submitted(self, message):
        self.said.append(message.text)

    def on_composer_pasted(self, message):
        self.said.append(("pasted", message.text))

    def on_composer_detach_requested(self):
        self.said.append("detach")


@pytest.fixture
async def pilot():
    async with Host().run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        yield pilot


async def test_enter_sends_and_empties(pilot):
    await pilot.press(*"what", "enter")
    await pilot.pause()
    assert pilot.app.said == ["what"]
    assert pilot.app.composer.text == ""


async def test_blank_text_is_handed_on_and_stays(pilot):
    await pilot.press("space", "enter")
    await pilot.pause()
    assert pilot.app.said == [" "]
    assert pilot.app.composer.text == " "


@pytest.mark.parametrize("key", ["shift+enter", "ctrl+j", "alt+enter"])
async def test_a_new_line_is_begun_and_sent_as_it_is(pilot, key):
    await pilot.press("a", key, "b")
    assert pilot.app.composer.text == "a\nb"
    await pilot.press("enter")
    await pilot.pause()
    assert pilot.app.said == ["a\nb"]


async def test_it_grows_with_its_text_to_a_limit(pilot):
    heights = []
    for _ in range(14):
        await pilot.press("ctrl+j")
        await pilot.pause()
        heights.append(pilot.app.composer.size.height)
    assert heights == sorted(heights)
    assert heights[0] < heights[-1] <= 10


async def test_backspace_erases_and_detaches_only_from_an_empty_composer(pilot):
    await pilot.press("a", "backspace")
    await pilot.pause()
    assert pilot.app.said == []
    await pilot.press("backspace")
    await pilot.pause()
    assert pilot.app.said == ["detach"]


async def test_earlier_questions_are_read_once_and_when_wanted(pilot):
    app = pilot.app
    await pilot.press("x", "backspace")
    assert app.loads == 0
    await pilot.press("up")
    assert app.composer.text == "third question"
    await pilot.press("up", "up", "up", "up", "down")
    assert app.loads == 1


async def test_a_draft_comes_back_and_several_lines_are_gone_through(pilot):
    app = pilot.app
    await pilot.press(*"draft", "up", "up")
    assert app.composer.text == "second\nquestion"
    await pilot.press("up")
    assert app.composer.text == "second\nquestion"
    assert app.composer.cursor_location[0] == 0
    await pilot.press("up", "up")
    assert app.composer.text == "first question"
    await pilot.press("down", "down", "down")
    assert app.composer.text == "draft"
    await pilot.press("down")
    assert app.composer.text == "draft"


async def test_what_was_asked_here_comes_first_and_once(pilot):
    for _ in range(2):
        await pilot.press(*"new", "enter")
    await pilot.press("up")
    assert pilot.app.composer.text == "new"
    await pilot.press("up")
    assert pilot.app.composer.text == "third question"


async def test_a_recalled_question_can_be_changed_and_sent(pilot):
    await pilot.press("up", "!", "enter", "up", "up")
    await pilot.pause()
    assert pilot.app.said == ["third question!"]
    assert pilot.app.composer.text == "third question"


async def test_recalling_can_be_undone(pilot):
    await pilot.press(*"draft", "up", "ctrl+z")
    assert pilot.app.composer.text == "draft"


async def test_a_paste_is_reported_and_not_inserted(pilot):
    pilot.app.composer.post_message(events.Paste("/a/cat.png\nmore"))
    await pilot.pause()
    assert pilot.app.said == [("pasted", "/a/cat.png\nmore")]
    assert pilot.app.composer.text == ""


async def test_keys_of_a_burst_are_obeyed_in_their_order(pilot):
    """All of them lie in the queue before the first is handled, as on a slow line."""
    app = pilot.app
    characters = {"enter": "\r", "ctrl+j": "\n", "backspace": "\x7f"}
    for key in [*"one", "enter", *"tx", "backspace", *"wo", "ctrl+j", "x", "enter", *"three"]:
        app.post_message(events.Key(key, characters.get(key, key)))
    for _ in range(5):
        await pilot.pause()
    assert app.said == ["one", "two\nx"]
    assert app.composer.text == "three"


async def test_the_apps_keys_work_while_a_question_is_written(pilot):
    await pilot.press("a", "ctrl+o", "b")
    await pilot.pause()
    assert pilot.app.said == ["attach"]
    assert pilot.app.composer.text == "ab"


async def test_the_users_keys_replace_the_own_ones(pilot):
    pilot.app.set_keymap({"composer.send": "ctrl+s", "composer.newline": "enter"})
    await pilot.press("a", "enter", "b", "ctrl+s")
    await pilot.pause()
    assert pilot.app.said == ["a\nb"]
