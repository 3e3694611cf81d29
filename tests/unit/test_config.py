"""Settings: what a user may write, and what he is told when it is wrong."""

import time
from pathlib import Path

import msgspec
import pytest

from glm4v_tui.config import (
    PluginSettings,
    Settings,
    load_settings,
    settings_in_markdown,
    task_options,
)
from glm4v_tui.engine_settings import all_engines
from glm4v_tui.errors import SettingsError
from glm4v_tui.settings_reference import field_docs, reference


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def problems(path: Path) -> list[str]:
    """The lines of the error, without the folder."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return caught.value.body.replace(f"{path.parent}/", "").splitlines()


def test_no_file_means_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    assert load_settings() == Settings()


def test_a_file_named_by_the_user_must_be_there(tmp_path):
    assert problems(tmp_path / "config.toml") == ["config.toml: there is no such file"]


def test_values_are_read_from_the_users_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(
        '[model]\ncheckpoint = "zai-org/GLM-4.1V-9B-Thinking"\n[generation]\ntemperature = 1\n'
    )
    settings = load_settings()
    assert settings.model.checkpoint == "zai-org/GLM-4.1V-9B-Thinking"
    assert settings.generation.temperature == 1.0
    assert settings.generation.top_p is None


def test_tables_of_tasks_are_left_to_the_tasks(write):
    path = write('[tasks.retail]\nshelf = 3\n[plugins]\nenabled = ["x"]\n')
    assert load_settings(path) == Settings(plugins=PluginSettings(enabled=("x",)))


class Shelf(msgspec.Struct, frozen=True):
    shelf: int = 1


def test_a_task_reads_its_own_table(write):
    path = write("[tasks.retail]\nshelf = 3\n")
    assert task_options("retail", Shelf, path) == Shelf(3)
    assert task_options("medical", Shelf, path) == Shelf()


def test_a_wrong_option_of_a_task_is_told_with_line_and_key(write):
    path = write('[tasks.retail]\nshelf = "top"\nshelv = 2\n')
    with pytest.raises(SettingsError) as caught:
        task_options("retail", Shelf, path)
    assert f"{path}:2: tasks.retail.shelf: expected a whole number" in caught.value.body
    assert f'{path}:3: tasks.retail.shelv: unknown; did you mean "shelf"?' in caught.value.body


def test_a_byte_order_mark_is_no_error(write):
    path = write(b'\xef\xbb\xbf[interface]\ntheme = "paper"\n')
    assert load_settings(path).interface.theme == "paper"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[generation]\ntop-p = 1",
            'config.toml:2: generation.top-p: unknown; did you mean "top_p"?',
        ),
        ("\n[generaton]\n", 'config.toml:2: generaton: unknown; did you mean "generation"?'),
        (
            "seed = 4",
            "config.toml:1: seed: unknown here; it belongs under [generation]",
        ),
        (
            "[generation]\ntemperature = -0.5",
            "config.toml:2: generation.temperature: expected a number, at least 0, found -0.5",
        ),
        (
            "generation.top_p = 0",
            "config.toml:1: generation.top_p: expected a number, above 0, at most 1, found 0",
        ),
        (
            "[generation]\ntop_p = nan",
            "config.toml:2: generation.top_p: expected a number, above 0, at most 1, found nan",
        ),
        (
            '[interface]\nlow_bandwidth = "yes"',
            'config.toml:2: interface.low_bandwidth: expected true or false, found "yes"',
        ),
        (
            'interface = { images = "braille" }',
            'config.toml:1: interface.images: expected one of "half", "sixel", "kitty", "off", '
            'found "braille"',
        ),
        ("model = 'glm'", 'config.toml:1: model: expected a table, found "glm"'),
        ("[model]\ncheckpoint = ", "config.toml:2: not valid TOML: Invalid value"),
        ("[model]\ndevice = 'cpu'\ndevice = 'cuda'", "config.toml:3: not valid TOML: "),
    ],
)
def test_an_error_names_file_line_key_and_what_would_be_right(write, text, told):
    (line,) = problems(write(text))
    assert line.startswith(told)


def test_all_errors_are_told_at_once_in_the_order_of_the_file(write):
    told = problems(write("[interface]\nthem = 1\n[model]\ndevice = 'tpu'\n[engine]\nx = 1\n"))
    assert [line.split(":")[1] for line in told] == ["2", "4", "6"]


def test_the_line_is_right_behind_a_text_that_looks_like_the_key(write):
    path = write('[generation]\nsystem_prompt = """\ntop_k = 5\n"""\n\ntop_k = [\n  1,\n]\n')
    (line,) = problems(path)
    assert line.startswith("config.toml:6: generation.top_k: ")


def test_a_file_that_cannot_be_decoded_is_told_as_such(write):
    assert problems(write(b"\xff\xfe")) == ["config.toml: not UTF-8 (invalid start byte)"]


def test_a_folder_in_place_of_the_file_is_told_as_such(tmp_path):
    (tmp_path / "config.toml").mkdir()
    assert problems(tmp_path / "config.toml") == ["config.toml: Is a directory"]


def test_every_field_says_what_it_is_for():
    for area in Settings.__struct_fields__:
        kind = type(getattr(Settings(), area))
        assert set(field_docs(kind)) == set(kind.__struct_fields__)


def test_the_reference_shows_values_and_defaults():
    text = reference(Settings)
    assert "| `top_p` | a number, above 0, at most 1 | not set |" in text
    assert '| `images` | one of "half", "sixel", "kitty", "off" | `"half"` |' in text


def test_the_readme_has_the_present_reference():
    readme = Path(__file__).parents[2] / "README.md"
    _, _, rest = readme.read_text().partition("<!-- settings -->\n")
    section, _, _ = rest.partition("<!-- /settings -->")
    assert section.strip() == settings_in_markdown().strip()


def test_many_errors_in_a_long_file_are_told_at_once(write):
    path = write("# remark\n" * 2000 + "[generation]\n" + "\n".join(f"k{n} = 1" for n in range(50)))
    started = time.monotonic()
    told = problems(path)
    assert time.monotonic() - started < 10  # parsing up to every line would take minutes
    assert told[49].startswith("config.toml:2051: generation.k49: unknown")


def test_engines_are_read_by_name_and_checked_at_the_start(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        '[engines.box]\nurl = "http://box:8000"\nmodel = "m"\n'
        '[engines.hub]\nurl = "https://hub.example"\nmodel = "n"\nsend_images = "never"\n'
    )
    assert load_settings(path) == Settings()
    engines = all_engines(path)
    assert list(engines) == ["box", "hub"]
    assert (engines["box"].send_images, engines["hub"].send_images) == ("ask", "never")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('url = "http://x"', "model"),
        ('url = "http://x"\nmodel = "m"\nsend_images = "sometimes"', "send_images"),
        ('url = "http://x"\nmodel = "m"\napi_key = "sk-1"', "api_key"),
        ('url = "http://x"\nmodel = "m"\nmax_in_flight = 0', "max_in_flight"),
    ],
)
def test_a_wrong_engine_is_told_at_the_start(tmp_path, text, problem):
    path = tmp_path / "config.toml"
    path.write_text(f"[engines.box]\n{text}\n")
    with pytest.raises(SettingsError, match=problem) as caught:
        load_settings(path)
    assert "sk-1" not in str(caught.value)  # a key is not told on, even one in the wrong place


@pytest.mark.parametrize("name", ["", "one,two", " box", "box "])
def test_an_engine_has_a_name_that_a_command_line_can_tell(tmp_path, name):
    path = tmp_path / "config.toml"
    path.write_text(f'[interface]\n[engines."{name}"]\nurl = "http://x"\nmodel = "m"\n')
    with pytest.raises(SettingsError, match="an engine's name") as caught:
        load_settings(path)
    assert "config.toml:2: engines." in caught.value.body
