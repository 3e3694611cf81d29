"""The help screen says what the bindings are, whatever they are."""

import pytest
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from glm4v_tui import paths
from glm4v_tui.ui.key_table import EDITING, filter_groups, key_groups
from glm4v_tui.ui.screens.help import HelpScreen, KeyTable


class Turn(Widget, can_focus=True):
    BINDINGS = [Binding("y", "copy", "Copy answer", id="turn.copy")]
    DEFAULT_CSS = "Turn { height: 1; }"


class Chat(Screen):
    BINDINGS = [
        Binding("ctrl+o", "attach", "Attach", id="chat.attach", tooltip="Choose images"),
        Binding("f2,v", "view", "View [b]", id="chat.view"),
        Binding("f9", "hide", "", id="chat.hidden"),
    ]

    def compose(self):
        yield Turn()
        yield Turn()
        yield TextArea()

    def on_mount(self):
        self.query_one(TextArea).focus()


class Host(App):
    BINDINGS = [Binding("f1", "help", "Help", id="app.help")]

    def on_mount(self):
        self.push_screen(Chat())

    def action_help(self):
        self.push_screen(HelpScreen())


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))


def shown(app: App) -> str:
    """What stands on the screen."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def test_groups_hold_every_binding_once_and_in_order():
    async with Host().run_test() as pilot:
        await pilot.pause()
        groups = key_groups(pilot.app.screen)
        titles = [group.title for group in groups]
        assert titles[:4] == ["Chat", "Turn", "Everywhere", EDITING]
        assert groups[0].rows == [
            ("Ctrl+O", "Attach", "Choose images"),
            ("F2, v", "View [b]", ""),
        ]
        assert groups[1].rows == [("y", "Copy answer", "")]
        assert ("F1", "Help", "") in groups[2].rows


async def test_the_users_keys_are_shown_also_of_widgets_without_focus():
    async with Host().run_test() as pilot:
        await pilot.pause()
        pilot.app.set_keymap({"chat.attach": "f7", "turn.copy": "c,ctrl+t"})
        rows = [row for group in key_groups(pilot.app.screen) for row in group.rows]
        assert ("F7", "Attach", "Choose images") in rows
        assert ("c, Ctrl+T", "Copy answer", "") in rows


async def test_it_opens_filters_scrolls_and_closes():
    async with Host().run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        below = pilot.app.screen
        await pilot.press("f1")
        await pilot.pause()
        assert "Ctrl+O" in shown(pilot.app)
        assert "View [b]" in shown(pilot.app)
        assert "↑ ↓ scroll  ·  Esc closes" in shown(pilot.app)
        await pilot.press(*"copy ans")
        await pilot.pause()
        assert "Copy answer" in shown(pilot.app)
        assert "Ctrl+O" not in shown(pilot.app)
        pilot.app.screen.query_one(Input).value = ""
        await pilot.press(*["pagedown"] * 30)
        await pilot.pause()
        assert str(paths.log_dir())[:20] in shown(pilot.app)
        await pilot.press("escape")
        assert pilot.app.screen is below


async def test_it_names_its_own_keys_as_the_user_set_them():
    async with Host().run_test() as pilot:
        pilot.app.set_keymap({"help.close": "ctrl+g"})
        await pilot.press("f1")
        await pilot.pause()
        assert "Ctrl+G closes" in shown(pilot.app)
        await pilot.press("ctrl+g")
        assert not isinstance(pilot.app.screen, HelpScreen)


async def test_a_filter_without_a_hit_says_so():
    async with Host().run_test() as pilot:
        await pilot.press("f1", *"zzz")
        await pilot.pause()
        assert "No key is about that." in shown(pilot.app)
        assert pilot.app.screen.query_one(KeyTable).size.height == 1


async def test_words_of_a_filter_may_stand_anywhere():
    async with Host().run_test() as pilot:
        await pilot.pause()
        groups = filter_groups(key_groups(pilot.app.screen), "IMAGES att")
        assert [row.description for group in groups for row in group.rows] == ["Attach"]
