"""A stranger's plugin and task file, made from the README alone, in a clean environment.

The files and commands are those that stand in the README; only the image is this test's own.
"""

import json
import re
import shlex
import time

import pytest

from glm4v_tui.demo import SAMPLES
from tests.plugins.environment import ROOT

PART = SAMPLES / "part-tile-1.png"
SECTION = re.search(
    r"^## Write a task\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.M | re.S
)[1]
TASK_FILE, SETTINGS = re.findall(r"^```toml\n(.*?)^```", SECTION, re.M | re.S)
[MODULE] = re.findall(r"^```python\n(.*?)^```", SECTION, re.M | re.S)
COMMANDS = [line.partition("#")[0].strip() for line in re.findall(r"^    (.*)", SECTION, re.M)]
"""Indented lines: those of blocks of code are within these."""
DEFECTS = {"hole", "scratch", "crack", "none"}


def words_of(beginning: str) -> list[str]:
    """The command in the README that begins so, without the program's name."""
    [command] = {line for line in COMMANDS if line.startswith(beginning)}
    words = shlex.split(command.replace("part.jpg", str(PART)))[1:]
    return words + ["-y"] * ("install" in beginning)


def test_a_task_file_is_written_used_and_removed(separate):
    started = time.monotonic()
    assert separate.program("plugin", "new", "tile", "--toml").returncode == 0
    file = separate.tasks / "tile.toml"
    file.write_text(TASK_FILE)
    checked = separate.program(*words_of("glm4v-tui plugin check ~"))
    assert (checked.returncode, checked.stdout.count("hint")) == (0, 0), checked.stdout
    asked = separate.program(*words_of("glm4v-tui ask part.jpg --task tile "))
    assert asked.returncode == 0, asked.stderr
    result = json.loads(asked.stdout)["result"]
    assert result["defect"] in DEFECTS
    assert result.get("where") is None or len(result["where"]) == 4
    file.unlink()
    assert "tile" not in separate.program("tasks").stdout.split()
    print(f"\na task file, all commands together: {time.monotonic() - started:.1f} s")


OWN_TEST = """
def test_an_answer_becomes_a_result() -> None:
    from glm4v_tui_tile_holes import Options

    answer = '{"defect": "hole", "place": "left", "certain": 40}'
    result = read_result(TASK, answer, is_finished=True).require()
    assert result == Result("hole", "left", 40)
    assert TASK.check(result, [], Options())
"""


def test_a_plugin_is_written_installed_used_and_removed(separate):
    started = time.monotonic()
    untouched = separate.files()
    assert separate.program(*words_of("glm4v-tui plugin new tile-holes")).returncode == 0
    project = separate.home / "glm4v-tui-tile-holes"
    (project / "glm4v_tui_tile_holes" / "__init__.py").write_text(MODULE)
    test = project / "tests" / "test_tile_holes.py"
    test.write_text(test.read_text().partition("\n\ndef test_an_answer")[0] + OWN_TEST)
    tested = separate.run(separate.python, "-m", "pytest", "-q", project)
    assert "4 passed" in tested.stdout, tested.stdout
    for linter in (("ruff", "check", "--no-cache"), ("mypy", "--strict")):
        linted = separate.run(separate.python, "-m", *linter, project / "glm4v_tui_tile_holes")
        assert linted.returncode == 0, linted.stdout

    def program(beginning):
        done = separate.program(*words_of(beginning), folder=project)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "plugin tile-holes: task tile-holes" in program("glm4v-tui plugin check .")
    installed = program("glm4v-tui plugin install -e .")
    assert f"pip install --disable-pip-version-check --no-input -e {project}" in installed
    assert "Plugin tile-holes (from glm4v-tui-tile-holes 0.1.0): ok" in installed
    assert re.search(
        "^tile-holes +0.1.0 +glm4v-tui-tile-holes +ok ", program("glm4v-tui plugin list"), re.M
    )

    answer = json.loads(program("glm4v-tui ask part.jpg --task tile-holes"))
    result = answer["result"]
    assert (answer["task"], set(result)) == ("tile-holes", {"defect", "place", "certain"})
    assert result["defect"] in DEFECTS
    assert 0 <= result["certain"] <= 100
    assert answer["warnings"] == ["The model is not sure."] * (result["certain"] < 50)

    program("glm4v-tui plugin uninstall")
    assert separate.files() == untouched
    assert "tile-holes" not in program("glm4v-tui plugin list")
    again = separate.program("ask", PART, "--task", "tile-holes")
    assert (again.returncode, again.stdout) == (2, "")
    assert "There is no task tile-holes" in again.stderr
    print(f"\na plugin, all commands together: {time.monotonic() - started:.1f} s")


def test_the_settings_of_the_readme_count(separate):
    project = separate.home / "glm4v-tui-of-readme"
    assert separate.program("plugin", "new", "tile-holes", "--dir", project).returncode == 0
    project /= "glm4v-tui-tile-holes"
    (project / "glm4v_tui_tile_holes" / "__init__.py").write_text(MODULE)
    separate.pip("install", "-q", "--no-deps", "--target", separate.packages, project)
    try:
        separate.settings(SETTINGS)
        plugins = json.loads(separate.program("plugin", "list", "--json").stdout)["plugins"]
        assert {one["name"]: one["state"] for one in plugins if one["name"] == "defect"} == {
            "defect": "disabled"
        }
        separate.settings(SETTINGS.replace("material", "materiel"))
        wrong = separate.program("ask", PART, "--task", "tile-holes")
        assert wrong.returncode == 2
        assert (
            'config.toml:2: tasks.tile-holes.materiel: unknown; did you mean "material"?'
            in wrong.stderr
        )
        separate.settings(SETTINGS)
        code = (
            "from glm4v_tui.commands.start import *; from glm4v_tui.tasks.asking import *\n"
            "task = plugins_of(load_settings()).tasks['tile-holes']\n"
            "print(ask_about(task, [], language_of(load_settings())).text)"
        )
        said = separate.run(separate.python, "-c", code)
        assert said.stdout == "What defect is there, and where? (glazed clay)\n", said.stderr
    finally:
        separate.settings("")
        separate.pip("uninstall", "-q", "-y", "glm4v-tui-tile-holes")


@pytest.mark.parametrize("name", ["b", "z_caps", "a-name-that-is-as-long-as-a-name-may-be"])
def test_what_new_writes_passes_its_own_tests_and_linters(separate, name):
    assert separate.program("plugin", "new", name).returncode == 0
    project = separate.home / f"glm4v-tui-{name.replace('_', '-')}"
    module = project.name.replace("-", "_")
    for command in (
        ("pytest", "-q", project),
        ("ruff", "check", "--no-cache", project),
        ("ruff", "format", "--check", "--no-cache", project),
        ("mypy", "--strict", project / module, project / "tests"),
    ):
        done = separate.run(separate.python, "-m", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert separate.program("plugin", "check", project).stdout.endswith("\nFit.\n")


def test_the_task_file_that_new_writes_can_be_asked_at_once(separate):
    written = separate.program("plugin", "new", "mugs", "--toml")
    file = separate.tasks / "mugs.toml"
    assert str(file) in written.stdout
    assert separate.program("plugin", "check", file).returncode == 0
    tasks = json.loads(separate.program("tasks", "--json").stdout)["tasks"]
    mugs = next(task for task in tasks if task["name"] == "mugs")
    assert (mugs["source"], mugs["labels"]) == ("mugs.toml", ["good", "bad"])
