"""``plugin new``: names, places, and nothing overwritten unasked."""

import pytest

from glm4v_tui.commands.plugin.new import NewOptions, run
from glm4v_tui.errors import UsageError
from glm4v_tui.tasks.scaffold import names_of


@pytest.mark.parametrize(
    ("word", "distribution", "module", "title", "stem"),
    [
        ("caps", "glm4v-tui-caps", "glm4v_tui_caps", "Caps", "Caps"),
        (
            "bottle-caps",
            "glm4v-tui-bottle-caps",
            "glm4v_tui_bottle_caps",
            "Bottle caps",
            "BottleCaps",
        ),
        ("glm4v-tui-x_1", "glm4v-tui-x-1", "glm4v_tui_x_1", "X 1", "X1"),
        ("class", "glm4v-tui-class", "glm4v_tui_class", "Class", "Class"),
    ],
)
def test_all_names_follow_from_one(word, distribution, module, title, stem):
    names = names_of(word)
    assert (names.distribution, names.module, names.title, names.stem) == (
        distribution,
        module,
        title,
        stem,
    )


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("Bottle Caps", "bottle-caps"),
        ("../caps", "caps"),
        ("3d", "d"),
        ("a--b", "a-b"),
        ("caps-", "caps"),
        ("a" * 41, "a" * 40),
        ("瓶盖", ""),
        ("", ""),
        ("a\x1b[31m", ""),
    ],
)
def test_a_wrong_name_is_refused_with_one_that_would_do(word, near):
    with pytest.raises(UsageError, match="cannot name a plugin") as told:
        names_of(word)
    assert near in told.value.remedy
    assert "\x1b" not in str(told.value)


def test_nothing_is_overwritten_unasked(tmp_path, capsys):
    assert run(NewOptions("caps", str(tmp_path))) == 0
    test = tmp_path / "glm4v-tui-caps" / "tests" / "test_caps.py"
    test.unlink()
    readme = test.parents[1] / "README.md"
    readme.write_text("mine")
    with pytest.raises(UsageError, match="Something is there already") as told:
        run(NewOptions("caps", str(tmp_path)))
    assert str(readme) in told.value.body
    assert (readme.read_text(), test.exists()) == ("mine", False)
    assert run(NewOptions("caps", str(tmp_path), force=True)) == 0
    assert readme.read_text() != "mine"


def test_a_task_file_may_go_anywhere_and_is_not_overwritten(tmp_path, capsys):
    options = NewOptions("caps", str(tmp_path / "new folder"), as_toml=True)
    assert run(options) == 0
    assert "'" in capsys.readouterr().out  # the command can be copied although the path has a space
    with pytest.raises(UsageError, match="already"):
        run(options)


def test_the_name_of_a_plugin_that_is_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="There is a plugin defect already"):
        run(NewOptions("defect", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        run(NewOptions("caps", str(tmp_path / "file")))
