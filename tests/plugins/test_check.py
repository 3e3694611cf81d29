"""``plugin check``: all that is wrong, whatever a plugin does while it is looked at."""

import pytest

from glm4v_tui.errors import UsageError
from glm4v_tui.tasks.checkup import check
from tests.plugins.environment import task_code, write_plugin

BROKEN = {
    "exits": ("import os; os._exit(7)", "it ended its process with exit code 7"),
    "crashes": ("import os; os.kill(os.getpid(), 11)", "it ended its process by SIGSEGV"),
    "hangs": ("while True: pass", "it was not loaded after 3 s"),
    "slow": ("import time; time.sleep(1.1)", "its import took 1."),
    "raises": ("raise RuntimeError('no')", "RuntimeError: no"),
    "empty": (
        "",
        "plugin_empty brings nothing: it needs a hook that gives something (glm4v_tui_tasks",
    ),
    "heavy": ("import sys; sys.modules['torch'] = sys", "it imports torch with itself"),
    "bundled": (
        task_code("defect"),
        "the task defect comes from the bundled plugin defect already",
    ),
    "prepares": (
        task_code("p", methods="def prepare(self, image, facts, options):\n        return 5"),
        "prepare gave int, not an image or None",
    ),
    "examines": (
        task_code("e", methods="def examine(self, i, f, o):\n        return {'a': object()}"),
        "failed while examining the image: TypeError",
    ),
    "wordless": (
        task_code("w", methods="def ask(self, facts, options, language):\n        return ' '"),
        "failed while wording its question: TypeError",
    ),
    "shows": (
        task_code(
            "s",
            methods="def render(self, result, facts, options):\n"
            "        return {'green': Panel()}[result.color]",
        ),
        'failed while showing its result: KeyError: \'red\' (with the result {"color":"red"})',
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_project_is_told_and_harms_nobody(tmp_path, name):
    code, says = BROKEN[name]
    found = check(str(write_plugin(tmp_path, name, code)), limit_s=3 if name == "hangs" else 30)
    assert not found.is_fit
    assert says in "\n".join(found.faults)


def test_a_sound_project_is_fit(tmp_path):
    found = check(str(write_plugin(tmp_path, "sound", task_code("sound"))))
    assert (found.faults, found.hints) == ((), ())
    assert found.brings[0].startswith("plugin sound: task sound; import ")


def test_hints_leave_it_fit(tmp_path):
    code = task_code("hinted", methods="question = Words('Which?')\n    labels = ()")
    code = code.replace('color: Literal["red", "green"]', "text: str\n    counts: list[int]")
    found = check(str(write_plugin(tmp_path, "hinted", code)))
    assert found.is_fit
    for said in ("no Chinese", "without labels", "text says nothing of its longest length"):
        assert said in "\n".join(found.hints)
    assert "counts[] has no range" in "\n".join(found.hints)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("glm4v_tui]", "glm4v-tui]", "missing; the group is glm4v_tui, not glm4v-tui"),
        ("[project.entry-points.glm4v_tui]\na =", "[x]\na =", "no plugin is named here"),
        (
            '"plugin_a"\n',
            '"plugin_b"\n',
            "pyproject.toml:9: project.entry-points.glm4v_tui.a: there",
        ),
        ('"plugin_a"\n', "5\n", "expected the name of a module"),
        ('name = "a"\n', "", "project.name: missing"),
        ("[project]", "[project", "pyproject.toml:4: not valid TOML"),
    ],
)
def test_what_is_wrong_in_pyproject_is_told_by_key(tmp_path, old, new, says):
    project = write_plugin(tmp_path, "a", task_code("a"))
    file = project / "pyproject.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert says in "\n".join(check(str(project)).faults)


def test_all_of_a_task_file_is_told_at_once_by_line_and_key(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text(
        'name = "A b"\nquestion = "q"\ntitel = "t"\n[fields.class]\n[fields.a]\ntype = "chioce"\n'
        "[[labels]]\nnam = 1\n"
    )
    faults = [fault.removeprefix(f"{file}:") for fault in check(str(file)).faults]
    assert [fault[: fault.index(" ", 3)] for fault in faults] == [
        "3: titel:",
        "4: fields.class:",
        "6: fields.a.type:",
        "7: labels:",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "A b"\nquestion = "q"\n[fields.a]\n', ':1: name: "A b" is no task name'),
        ('name = "a"\nquestion = "q"\n', ": fields: a task needs at least one"),
        ('name = "defect"\nquestion = "q"\n[fields.a]\n', "the bundled plugin defect has this"),
        (
            'name = "a"\nquestion = "q"\n[fields.a]\n[[labels]]\nname="x"\nkey="k"\n'
            '[[labels]]\nname="y"\nkey="k"\n',
            ":4: labels: two labels have the same key",
        ),
    ],
)
def test_a_wrong_task_file_is_told(tmp_path, text, says):
    file = tmp_path / "a.toml"
    file.write_text(text)
    assert says in "\n".join(check(str(file)).faults)


def test_installed_plugins_are_checked_by_name():
    assert check("defect").is_fit
    assert check("defect").subject.startswith("defect (glm4v-tui ")
    with pytest.raises(UsageError, match="no plugin defct") as told:
        check("defct")
    assert "defect" in told.value.body


def test_a_folder_without_a_project_is_told(tmp_path):
    assert "there is no pyproject.toml" in check(str(tmp_path)).faults[0]
