"""What a question of a task is made of, and what happens when the task's own code fails."""

import sys

import msgspec
import pytest
from PIL import Image

from glm4v_tui.engine.protocol import Sampling
from glm4v_tui.errors import PluginError, SettingsError
from glm4v_tui.images import Facts, open_image
from glm4v_tui.session import for_task
from glm4v_tui.tasks.asking import ask_about
from glm4v_tui.tasks.call import (
    examined,
    options_json,
    preparation_by_key,
    preparation_of,
    system_language,
    wording,
)
from glm4v_tui.tasks.plugins import Plugins
from glm4v_tui.tasks.task import Generation, Language

from .fakes import FACTS, Look, Options, call_of


def raising(self, *_):
    raise ValueError("\x1b[31mred\nlines")


def with_method(**methods):
    return type("Odd", (Look,), methods)()


class Dark(Look):
    name = "dark"

    def prepare(self, image, facts, options):
        return image.point(lambda value: value // (options.level + 1))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (30, 20), (200, 100, 40)).save(path)
    return path


# Words ------------------------------------------------------------------------------------------


def test_a_call_says_all_that_a_turn_needs():
    call = call_of(Look())
    assert (call.task, call.version, call.facts) == ("look", "2", (FACTS,))
    assert call.system_prompt.startswith("You look.\n\nAnswer with one JSON object")
    assert call_of(Look(), language=Language.ZH).system_prompt.startswith("你看。\n\n请")
    assert msgspec.json.decode(call.options) == {"strict": False, "level": 3, "words": []}


def test_the_same_options_are_the_same_text():
    first = options_json(Options(level=4, words=("b", "a")))
    assert first == options_json(Options(words=("b", "a"), level=4))
    assert first != options_json(Options(words=("a", "b"), level=4))


def test_a_question_is_worded_in_the_language():
    assert wording(Look(), Options(), Language.EN, [FACTS]) == "What is there?"
    assert wording(Look(), Options(), Language.ZH, [FACTS]) == "有什么？"


@pytest.mark.parametrize("answer", [None, "", " ", 3])
def test_no_question_is_the_tasks_fault(answer):
    with pytest.raises(PluginError, match="wording its question"):
        wording(with_method(ask=lambda *_: answer), Options(), Language.EN, [FACTS])


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, Language.ZH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, Language.EN),
        ({"LANG": "de_DE.UTF-8", "LC_MESSAGES": "zh_TW"}, Language.ZH),
        ({"LC_ALL": "", "LANG": "ZH"}, Language.ZH),
        ({}, Language.EN),
    ],
)
def test_the_language_is_that_of_the_systems_messages(monkeypatch, environ, language):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert system_language() is language


def test_a_tasks_generation_goes_before_the_users_and_reasoning_on_top():
    user = Sampling(max_new_tokens=9, temperature=1.5, top_k=3, repetition_penalty=2.0, seed=5)
    call = call_of(with_method(reasoning_tokens=100))
    assert for_task(user, call) == Sampling(164, 0, None, 3, None, 5)
    free = call_of(with_method(generation=Generation()))
    assert for_task(user, free) == Sampling(9, 1.5, None, 3, None, 5)


# Pictures ---------------------------------------------------------------------------------------


def test_a_task_changes_what_the_model_sees_and_its_key_says_so(photo):
    asked = ask_about(Dark(), [(photo, None)], Language.EN, options=Options(level=3))
    (opened,) = asked.opened
    assert opened.image.getpixel((5, 5)) == (50, 25, 10)
    plain = open_image(photo)
    assert opened.attachment.key != plain.attachment.key
    again = ask_about(Dark(), [(photo, None)], Language.EN, options=Options(level=3))
    other = ask_about(Dark(), [(photo, None)], Language.EN, options=Options(level=4))
    assert again.attachments == asked.attachments
    assert other.attachments != asked.attachments
    assert ask_about(Look(), [(photo, None)], Language.EN, options=Options()).attachments == (
        plain.attachment,
    )


@pytest.mark.parametrize(
    "prepare",
    [
        raising,
        lambda *_: sys.exit(2),
        lambda *_: "picture",
        lambda *_: 7,
        lambda *_: Image.new("RGB", (0, 5)),
    ],
)
def test_a_task_that_fails_at_a_picture_is_told_and_not_the_picture(photo, prepare):
    with pytest.raises(PluginError, match="failed while preparing the image") as caught:
        ask_about(with_method(prepare=prepare), [(photo, None)], Language.EN, options=Options())
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F", "HSV"])
def test_a_prepared_picture_may_be_of_any_mode(photo, mode):
    def prepare(self, image, facts, options):
        return Image.new(mode, (7, 5))

    asked = ask_about(with_method(prepare=prepare), [(photo, None)], Language.EN, options=Options())
    assert (asked.opened[0].image.mode, asked.opened[0].image.size) == ("RGB", (7, 5))


def test_what_a_task_finds_in_the_picture_is_a_fact(photo):
    def examine(self, image, facts, options):
        return {"pixel": list(image.getpixel((0, 0))), "size": image.size}

    asked = ask_about(with_method(examine=examine), [(photo, None)], Language.EN, options=Options())
    assert asked.call.facts == (Facts(30, 20, "PNG", {"pixel": [200, 100, 40], "size": (30, 20)}),)


@pytest.mark.parametrize("found", [None, 3, {"a": object()}, {"a": {1, object()}}, [1, 2]])
def test_facts_that_cannot_be_kept_are_the_tasks_fault(found):
    with pytest.raises(PluginError, match="examining"):
        examined(with_method(examine=lambda *_: found), Image.new("RGB", (2, 2)), FACTS, Options())


def test_a_preparation_is_found_by_its_key():
    options = Options(level=7, words=("two words", 'a "quote"'))
    made = preparation_of(Dark(), options)
    found = preparation_by_key(Plugins({"dark": Dark()}), made.key)
    assert found.key == made.key
    picture = Image.new("L", (1, 1), 80)
    assert found.apply(picture, FACTS).getpixel((0, 0)) == 10


@pytest.mark.parametrize(
    "tasks",
    [
        {},
        {"dark": Look()},  # prepares nothing now
        {"dark": type("Newer", (Dark,), {"version": "3"})()},
        {"dark": type("Other", (Dark,), {"options_type": type(call_of(Look()))})()},
    ],
)
def test_a_preparation_of_a_task_that_changed_is_told(tasks):
    key = preparation_of(Dark(), Options()).key
    for plugins in (Plugins(tasks), None):
        with pytest.raises(PluginError):
            preparation_by_key(plugins, key)


@pytest.mark.parametrize("key", ["", "dark", "dark 2", "dark 2 {", "dark 2 {}", "\x1b[31m 2 {}"])
def test_a_key_that_nobody_wrote_is_told(key):
    with pytest.raises(PluginError) as caught:
        preparation_by_key(Plugins({"dark": Dark()}), key)
    assert "\x1b" not in str(caught.value)


def test_options_of_the_settings_are_taken_and_mistakes_told(photo, tmp_path, monkeypatch):
    config = tmp_path / "config.toml"
    monkeypatch.setattr("glm4v_tui.paths.config_file", lambda: config)
    config.write_text("[tasks.dark]\nlevel = 1\n")
    asked = ask_about(Dark(), [(photo, None)], Language.EN)
    assert msgspec.json.decode(asked.call.options)["level"] == 1
    assert asked.opened[0].image.getpixel((0, 0)) == (100, 50, 20)
    config.write_text("[tasks.dark]\nlevle = 1\n")
    with pytest.raises(SettingsError) as caught:
        ask_about(Dark(), [(photo, None)], Language.EN)
    assert "config.toml:2: tasks.dark.levle: unknown" in caught.value.body
