"""Tasks from files: what each field means, and every mistake told by file, line and key."""

import json
from pathlib import Path

import msgspec
import pytest

from glm4v_tui.chat import Box
from glm4v_tui.errors import SettingsError
from glm4v_tui.images import Facts
from glm4v_tui.tasks import toml_task
from glm4v_tui.tasks.call import make_call
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.results import ResultState, read_result
from glm4v_tui.tasks.schema import form_of
from glm4v_tui.tasks.task import Generation, Label, Language, NoOptions, Words
from glm4v_tui.tasks.toml_task import load_toml_task

from .grammar import lets_through

HEAD = 'name = "bottles"\nquestion = "How full?"\n'
FIELD = "[fields.level]\ntype = 'whole number'\n"


@pytest.fixture
def load(tmp_path):
    def load_it(text):
        file = tmp_path / "bottles.toml"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        return load_toml_task(file)

    return load_it


@pytest.fixture
def mistakes(load):
    """The lines that tell what is wrong with a file."""

    def mistakes_of(text):
        with pytest.raises(SettingsError) as caught:
            load(text)
        assert caught.value.exit_code == 2
        return caught.value.body.splitlines()

    return mistakes_of


def test_the_example_of_the_documentation_is_a_task(load):
    example = toml_task.__doc__.partition("::\n")[2].rpartition("A field")[0]
    task = load("\n".join(line.removeprefix("    ") for line in example.splitlines()))
    assert check_task(task) == []
    assert (task.name, task.title, task.version) == ("bottles", "Bottles", "1")
    assert task.question == Words("How full is the bottle, and is the cap on?",
                                  "瓶子有多满？盖子盖上了吗？")  # fmt: skip
    assert task.labels == (Label("pass", "p"),)
    assert task.generation == Generation(256, 0.0)
    call = make_call(task, NoOptions(), Language.EN, [])
    assert "- level (whole number 0 to 100): percent of the bottle that is filled" in (
        call.system_prompt
    )
    assert "- flaws (list of text or null, may be left out)" in call.system_prompt
    assert lets_through(call.schema, '{"level": 50, "cap": "on"}')
    assert not lets_through(call.schema, '{"level": 500, "cap": "on"}')


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("", "x", 1),
        ("type = 'text'\nmax = 3", "abc", "abcd"),
        ("type = 'whole number'\nmin = -2\nmax = 2", -2, 3),
        ("type = 'whole number'", 5, 5.5),
        ("type = 'number'\nmin = 0.5", 0.5, 0.25),
        ("type = 'yes/no'", True, "yes"),
        ("type = 'choice'\nchoices = ['on', 'größe \"x\"', '1']", 'größe "x"', "off"),
        ("type = 'box'", [1, 2, 3, 999], [1, 2, 3, 1000]),
        ("type = 'box'", [1, 2, 3, 4], [1, 2, 3]),
        ("type = 'box'\nlist = true", [[1, 2, 3, 4]], [1, 2, 3, 4]),
        ("type = 'choice'\nchoices = ['a']\nlist = true", ["a", "a"], ["b"]),
        ("optional = true", None, 1),
        ("type = 'number'\noptional = true\nlist = true", [1.5], ["x"]),
    ],
)
def test_a_field_takes_what_its_type_says(load, field, good, bad):
    task = load(f"{HEAD}[fields.one]\n{field}\n")
    assert check_task(task) == []
    for value, fits in ((good, True), (bad, False)):
        text = json.dumps({"one": value}, ensure_ascii=False)
        assert lets_through(form_of(task.result_type), text) is fits, text
        read = read_result(task, text, is_finished=True).state
        assert (read is ResultState.WHOLE) is fits, text


def test_an_optional_field_may_be_left_out(load):
    task = load(f"{HEAD}{FIELD}[fields.note]\noptional = true\n")
    value = read_result(task, '{"level": 1}', is_finished=True).require()
    assert msgspec.to_builtins(value) == {"level": 1, "note": None}


def test_boxes_are_places_in_the_picture(load):
    task = load(
        f"{HEAD}[fields.cap]\ntype = 'box'\n[fields.flaws]\ntype = 'box'\nlist = true\n"
        "[fields.label]\ntype = 'box'\noptional = true\n"
    )
    raw = '{"cap": [0, 0, 499, 999], "flaws": [[500, 0, 999, 999], [0, 0, 0, 0]]}'
    value = read_result(task, raw, is_finished=True).require()
    regions = task.regions(value, Facts(200, 100, "PNG"))
    assert [(region.label, region.box) for region in regions] == [
        ("cap", Box(0, 0, 100, 100)),
        ("flaws", Box(100, 0, 200, 100)),
        ("flaws", Box(0, 0, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        (HEAD, None, "fields", "at least one"),
        (f"{HEAD}fields = 3\n", None, "fields", "at least one"),
        (f"{HEAD}[fields]\nlevel = 3\n", 4, "fields.level", "expected a table"),
        (f"question = 'x'\n{FIELD}", None, "name", "missing"),
        (f"name = 'Big Bottles'\nquestion = 'x'\n{FIELD}", 1, "name", "lower-case"),
        (f"name = 'a'\nquestion = ' '\n{FIELD}", 2, "question", "empty"),
        (f"{HEAD}version = '1 beta'\n{FIELD}", 3, "version", "one word"),
        (f"{HEAD}questoin_zh = 'x'\n{FIELD}", 3, "questoin_zh", "did you mean"),
        (f"{HEAD}max_new_tokens = 0\n{FIELD}", 3, "max_new_tokens", "at least 1"),
        (f"{HEAD}reasoning_tokens = -1\n{FIELD}", 3, "reasoning_tokens", "at least 0"),
        (f"{HEAD}temperature = nan\n{FIELD}", 3, "temperature", "nan"),
        (f"{HEAD}is_private = 'yes'\n{FIELD}", 3, "is_private", "true or false"),
        (f"{HEAD}{FIELD}kind = 1\n", 5, "fields.level.kind", "unknown"),
        (f"{HEAD}[fields.a]\ntype = 'choise'\n", 4, "fields.a.type", "one of"),
        (f"{HEAD}[fields.a]\ntype = 'choice'\n", None, "fields.a.choices", "needs some"),
        (f"{HEAD}[fields.a]\nchoices = ['x']\n", 4, "fields.a.choices", "belong to"),
        (
            f"{HEAD}[fields.a]\ntype='choice'\nchoices = ['x', 'x']\n",
            5,
            "fields.a.choices",
            "twice",
        ),
        (f"{HEAD}[fields.a]\ntype='choice'\nchoices = ['']\n", 5, "fields.a.choices", "empty"),
        (
            f'{HEAD}[fields.a]\ntype="choice"\nchoices = ["\\u001b[31m"]\n',
            5,
            "fields.a.choices",
            "invisible",
        ),
        (f"{HEAD}[fields.a]\ntype='number'\nmin = 2\nmax = 1\n", 5, "fields.a.min", "above max"),
        (f"{HEAD}[fields.a]\ntype='number'\nmax = inf\n", 5, "fields.a.max", "found inf"),
        (f"{HEAD}[fields.a]\ntype='number'\nmax = nan\n", 5, "fields.a.max", "found nan"),
        (f"{HEAD}[fields.a]\ntype='whole number'\nmax = 1.5\n", 5, "fields.a.max", "whole"),
        (f"{HEAD}[fields.a]\ntype='whole number'\nmax = 1e300\n", 5, "fields.a.max", "1e15"),
        (f"{HEAD}[fields.a]\nmax = 0\n", 4, "fields.a.max", "1 to 4000"),
        (f"{HEAD}[fields.a]\nmin = 3\n", 4, "fields.a.min", "no least text"),
        (f"{HEAD}[fields.a]\ntype='box'\nmax = 3\n", 5, "fields.a.max", "no greatest box"),
        (f"{HEAD}[fields.class]\n", 3, "fields.class", "Python keyword"),
        (f"{HEAD}[fields.__init__]\n", 3, "fields.__init__", "begins with a letter"),
        (f"{HEAD}[fields.'two words']\n", 3, 'fields."two words"', "letters"),
        (f"{HEAD}{FIELD}[[labels]]\nname='a'\n[[labels]]\nname='a'\n", 5, "labels", "same name"),
        (
            f"{HEAD}{FIELD}[[labels]]\nname='a'\nkey='p'\n[[labels]]\nname='b'\nkey='p'\n",
            5,
            "labels",
            "same key",
        ),
        (f"{HEAD}{FIELD}[[labels]]\nkey='p'\n", 5, "labels", "name"),
        (f"{HEAD}{FIELD}[[labels]]\nname=''\n", 5, "labels", "empty"),
        (f"{HEAD}{FIELD}[[labels]]\nname='a'\nkye='p'\n", 5, "labels", "kye"),
        (f"{HEAD}labels = 3\n{FIELD}", 3, "labels", "expected"),
        (f"{HEAD}{FIELD}{FIELD}", 5, "", "not valid TOML"),
        ("name = ", 1, "", "not valid TOML"),
        (f"{HEAD}x = '\udcff'\n{FIELD}", None, "", "not UTF-8"),
        (f"{HEAD}# {'x' * (1 << 18)}\n{FIELD}", None, "", "256 KB"),
    ],
)
def test_a_mistake_is_told_by_file_line_and_key(mistakes, text, line, key, said):
    told = mistakes(text)[0]
    place = "bottles.toml" if line is None else f"bottles.toml:{line}"
    assert f"{place}: " in told
    assert not key or f": {key}: " in told
    assert said in told


def test_all_mistakes_of_the_fields_are_told_at_once(mistakes):
    told = mistakes(f"{HEAD}[fields.a]\nmin = 3\n[fields.class]\n[fields.b]\nmax = 0\n")
    assert len(told) == 3


def test_a_file_that_is_not_there_is_the_callers_business(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_toml_task(tmp_path / "none.toml")


def test_a_folder_is_told(tmp_path: Path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SettingsError, match=r"folder\.toml"):
        load_toml_task(tmp_path / "folder.toml")


def test_whole_numbers_at_the_limit_stay_exact(load):
    task = load(f"{HEAD}[fields.a]\ntype = 'whole number'\nmax = 1e15\n")
    assert lets_through(form_of(task.result_type), '{"a": 1000000000000000}')
    assert not lets_through(form_of(task.result_type), '{"a": 1000000000000001}')
