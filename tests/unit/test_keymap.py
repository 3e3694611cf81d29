"""Keys: every way to write them, presets, the user's file, and clashes."""

from pathlib import Path

import pytest
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen

from glm4v_tui.ui.key_check import Place, all_places, binding_ids, check_keymap, clashes
from glm4v_tui.ui.key_names import key_label, normalize_key, why_not_plain
from glm4v_tui.ui.key_reference import reference
from glm4v_tui.ui.keymap import PRESETS, TRIAGE_PRESETS, load_keymap


@pytest.fixture
def load(tmp_path):
    def load(text: str, preset: str = "default"):
        path = tmp_path / "keymap.toml"
        path.write_text(text)
        keymap = load_keymap(preset, path)
        return keymap.keys, [line.replace(f"{path}:", "") for line in keymap.warnings]

    return load


@pytest.mark.parametrize(
    ("written", "key", "label"),
    [
        ("ctrl+o", "ctrl+o", "Ctrl+O"),
        ("Ctrl+Shift+PgUp", "ctrl+shift+pageup", "Ctrl+Shift+PgUp"),
        ("shift+ctrl+alt+left", "alt+ctrl+shift+left", "Ctrl+Alt+Shift+←"),
        ("?", "question_mark", "?"),
        ("+", "plus", "+"),
        ("ctrl++", "ctrl+plus", "Ctrl++"),
        (",", "comma", ","),
        ("g", "g", "g"),
        ("G", "G", "G"),
        ("shift+g", "G", "G"),
        ("alt+G", "alt+shift+g", "Alt+Shift+G"),
        ("control+esc", "ctrl+escape", "Ctrl+Esc"),
        ("Return", "enter", "Enter"),
        ("space", "space", "Space"),
        ("F5", "f5", "F5"),
        ("ctrl+_", "ctrl+underscore", "Ctrl+_"),
        ("§", "section_sign", "§"),
        ("é", "é", "é"),
    ],
)
def test_keys_are_understood_as_people_write_them(written, key, label):
    assert normalize_key(written) == key
    assert key_label(key) == label


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("ctrl-t", 'unknown key "ctrl-t"; did you mean "ctrl+t"?'),
        ("pgupp", 'unknown key "pgupp"; did you mean "pageup"?'),
        ("fn+x", 'unknown modifier "fn"; there is alt, ctrl, hyper, meta, shift, super'),
        ("", 'unknown key ""'),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(written, told):
    with pytest.raises(ValueError, match="unknown") as caught:
        normalize_key(written)
    assert str(caught.value) == told


PLAIN = {
    "\x0f": "ctrl+o", "\x1f": "ctrl+_", "\x1ba": "alt+a", "\x1bA": "alt+A", "\x1b[1;3A": "alt+up",
    "\x1b[1;6D": "ctrl+shift+left", "\x1b[Z": "shift+tab", "\x1b[3;5~": "ctrl+delete",
    "\x1bOP": "f1", "\x1b[1;2P": "shift+f1", "\x1b[5;3~": "alt+pageup", "a": "a", "A": "A",
    "?": "?", " ": "space", "\r": "enter", "\t": "tab", "\x7f": "backspace",
}  # fmt: skip
"""What a terminal without extensions sends, and the key a user would write for it."""

OTHERWISE = {
    "\t": "ctrl+i", "\r": "ctrl+m", "\x08": "ctrl+h", "\x1b/": "alt+/", "\x1b1": "alt+1",
    "\x1b\r": "alt+enter", "\x01": "ctrl+shift+a", "\x1b\x01": "ctrl+alt+a", "\x00": "ctrl+space",
}  # fmt: skip
"""What it sends for keys that it cannot tell from others."""


def arriving(sequence: str) -> str:
    parser = XTermParser(False)
    (event,) = [*parser.feed(sequence), *parser.feed("")]
    return event.key


@pytest.mark.parametrize(("sequence", "written"), PLAIN.items())
def test_keys_of_a_plain_terminal_arrive(sequence, written):
    assert arriving(sequence) == normalize_key(written)
    assert why_not_plain(normalize_key(written)) == ""


@pytest.mark.parametrize(("sequence", "written"), OTHERWISE.items())
def test_keys_that_a_plain_terminal_cannot_tell_are_known(sequence, written):
    assert arriving(sequence) != normalize_key(written)
    assert why_not_plain(normalize_key(written)) != ""


def test_a_file_gives_keys_by_id_in_every_form_of_toml(load):
    keys, warnings = load(
        '"chat.attach" = "ctrl+t"\n[chat]\nview = ["F2", "v"]\nnew = "ctrl+n, f7"\n'
        '[turn]\n"copy" = ","'
    )
    assert keys == {
        "chat.attach": "ctrl+t",
        "chat.view": "f2,v",
        "chat.new": "ctrl+n,f7",
        "turn.copy": "comma",
    }
    assert warnings == []


def test_the_users_keys_go_over_the_preset(load):
    keys, _ = load('"chat.search" = "f7"', "emacs")
    assert keys == PRESETS["emacs"] | {"chat.search": "f7"}


def test_no_file_is_no_fault(tmp_path):
    assert load_keymap("default", tmp_path / "keymap.toml").keys == {}


def test_what_is_wrong_is_left_out_and_told(load):
    keys, warnings = load(
        '[chat]\nattach = "C-t"\nview = 3\nnew = ["f7", "f77"]\nstop = "ctrl+i"\nmodel = []\n'
    )
    assert keys == {"chat.new": "f7", "chat.stop": "ctrl+i"}
    assert warnings == [
        '2: chat.attach: unknown key "C-t"; did you mean "ctrl+t"?',
        "3: chat.view: expected a key such as ctrl+t, or a list of them",
        '4: chat.new: unknown key "f77"; did you mean "f7"?',
        "5: chat.stop: may not arrive: a plain terminal sends Ctrl+I as Tab",
        "6: chat.model: expected a key such as ctrl+t, or a list of them",
    ]


def test_a_second_key_that_arrives_is_enough(load):
    assert load('"composer.newline" = "shift+enter,ctrl+j"')[1] == []


def test_a_broken_file_leaves_the_preset(load):
    keys, warnings = load("[chat", "vim")
    assert keys == PRESETS["vim"]
    assert warnings[0].startswith("1: not valid TOML")


def test_an_unknown_preset_is_told(load):
    keys, warnings = load("", "vmi")
    assert keys == {}
    assert warnings == ['There is no keymap "vmi"; did you mean "vim"? (interface.keymap)']


@pytest.fixture(scope="module")
def places() -> list[Place]:
    return all_places()


def test_every_binding_has_an_id_and_a_description(places):
    for place in places:
        for binding in vars(place.kind).get("BINDINGS", ()):
            assert isinstance(binding, Binding)
            assert binding.id, f"{place.kind.__name__}: {binding.key}"
            assert binding.description, binding.id


def test_every_default_key_arrives_in_a_plain_terminal(places):
    keys: dict[str, list[str]] = {}
    for place in places:
        for binding in place.bindings:
            if binding.id:
                keys.setdefault(binding.id, []).append(binding.key)
    missing = {name: key for name, key in keys.items() if all(why_not_plain(k) for k in key)}
    assert missing == {}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_name_bindings_that_exist_and_never_clash(places, preset):
    assert check_keymap(PRESETS[preset], places) == []
    for keys in PRESETS[preset].values():
        names = keys.split(",")
        assert [normalize_key(name) for name in names] == names
        assert not all(why_not_plain(name) for name in names)


def test_an_unknown_id_is_told_with_the_nearest(places):
    assert check_keymap({"chat.serch": "f7"}, places) == [
        'keymap: there is no binding "chat.serch"; did you mean "chat.search"?'
    ]


def test_clashes_are_told_where_both_keys_can_be_heard(places):
    told = check_keymap({"chat.attach": "enter", "chat.view": "f4", "chat.new": "ctrl+q"}, places)
    assert "keymap: Enter is given to chat.attach and to composer.send" in told
    assert "keymap: F4 is given to chat.model and to chat.view" in told
    assert "keymap: Ctrl+Q is given to app.quit and to chat.new" in told


def test_a_key_that_a_text_field_keeps_for_itself_is_told(places):
    told = check_keymap({"chat.regenerate": "ctrl+k"}, places)
    assert told == [
        'keymap: Ctrl+K is given to "Delete to line end" of Composer and to chat.regenerate'
    ]
    assert check_keymap({"chat.search": "ctrl+k"}, places) == []  # it has priority


def test_below_a_modal_only_keys_with_priority_are_heard(places):
    assert check_keymap({"picker.sort": "f9"}, places) == []
    told = check_keymap({"picker.sort": "ctrl+q"}, places)
    assert told == ["keymap: Ctrl+Q is given to app.quit and to picker.sort"]


def test_every_key_is_heard_while_a_question_is_typed(places):
    swallowed = [str(clash) for clash in clashes(places, {}) if "of Composer" in str(clash)]
    assert swallowed == []


def test_the_same_key_on_two_screens_is_no_clash():
    class One(Screen):
        BINDINGS = [Binding("x", "a", id="one.x")]

    class Two(Screen):
        BINDINGS = [Binding("y", "b", id="two.y")]

    class Host(App):
        BINDINGS = [Binding("z", "c", id="host.z")]

    here = [Place(kind, tuple(b for _, b in kind._merged_bindings)) for kind in (One, Two, Host)]
    assert clashes(here, {"two.y": "x"}) == set()
    assert [str(clash) for clash in clashes(here, {"two.y": "z"})] == [
        "z is given to host.z and to two.y"
    ]


def test_a_swap_of_two_keys_is_no_clash(places):
    assert check_keymap({"chat.view": "f4", "chat.model": "f2"}, places) == []


def test_the_reference_names_every_binding_once(places):
    rows = reference(places).splitlines()[2:]
    assert len(rows) == len(binding_ids(places))
    assert any(row.startswith("| `composer.newline` | `Shift+Enter` `Ctrl+J`") for row in rows)


def test_the_readme_has_the_present_keys(places):
    readme = Path(__file__).parents[2] / "README.md"
    _, _, rest = readme.read_text().partition("<!-- keys -->\n")
    section, _, _ = rest.partition("<!-- /keys -->")
    assert section.strip() == reference(places).strip()


async def test_textual_takes_the_keymap():
    class Host(App):
        BINDINGS = [Binding("f7", "act", id="chat.search")]
        acted = 0

        def on_mount(self):
            self.set_keymap(load_keymap("vim").keys)

        def action_act(self):
            self.acted += 1

    async with Host().run_test() as pilot:
        await pilot.press("f7", "ctrl+underscore", "alt+f")
        assert pilot.app.acted == 2


@pytest.mark.parametrize("triage", TRIAGE_PRESETS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_of_a_review_go_with_all_others(places, preset, triage):
    assert check_keymap(PRESETS[preset] | TRIAGE_PRESETS[triage], places) == []


def test_the_users_keys_go_before_those_of_a_review(tmp_path):
    path = tmp_path / "keymap.toml"
    path.write_text('"triage.accept" = "y"\n')
    assert load_keymap("default", path, triage="lightroom").keys["triage.accept"] == "y"
