"""Broken plugins, really installed beside a sound one: each is named, none disturbs the others."""

import json

import pytest
from PIL import Image

from tests.plugins.environment import task_code, write_plugin

ANSWER = '{"color": "red"}'
SLOW_METHODS = """
    def check(self, result, facts, options):
        raise SystemExit("check")
    def render(self, result, facts, options):
        return "no panel"
    def regions(self, result, facts):
        raise ValueError("regions")
"""
CODES = {
    "sound": task_code("sound"),
    "raises": "raise RuntimeError('on \\x1b[31mimport')",
    "leaves": "raise SystemExit(3)",
    "hookfails": task_code("x", hook="@hookimpl\ndef glm4v_tui_tasks():\n    return 1 / 0"),
    "hookleaves": task_code("x", hook="@hookimpl\ndef glm4v_tui_tasks():\n    raise SystemExit"),
    "halfway": task_code(
        "halfway",
        hook="@hookimpl\ndef glm4v_tui_tasks():\n    yield Own()\n    raise OSError('disk')",
    ),
    "nothing": task_code("x", hook="@hookimpl\ndef glm4v_tui_tasks():\n    return 5"),
    "classes": task_code("x", hook="@hookimpl\ndef glm4v_tui_tasks():\n    return [Own, 5]"),
    "readers": task_code("x", hook="@hookimpl\ndef glm4v_tui_image_readers():\n    return ['png']"),
    "plaintext": task_code("plaintext", methods="question = 'Which?'"),
    "misnamed": task_code("x", hook="@hookimpl\ndef glm4v_tui_task():\n    return []"),
    "unmarked": task_code("x", hook="def glm4v_tui_tasks():\n    return [Own()]"),
    "arguments": task_code("x", hook="@hookimpl\ndef glm4v_tui_tasks(config):\n    return []"),
    "twice": task_code("sound"),
    "bundled": task_code("defect"),
    "heavy": task_code("heavy", before="import torch"),
    "prints": task_code("prints", before="print('hello'); import sys; sys.stderr.write('there')"),
    "newer": task_code("newer", methods="api = 99"),
    "prepares": task_code(
        "prepares",
        methods="def prepare(self, image, facts, options):\n        return image.nothing",
    ),
    "shows": task_code("shows", methods=SLOW_METHODS),
}
SAYS = {
    "raises": ("failed", "RuntimeError: on import"),
    "leaves": ("failed", "SystemExit: 3"),
    "hookfails": ("failed", "its glm4v_tui_tasks failed: ZeroDivisionError"),
    "hookleaves": ("failed", "its glm4v_tui_tasks failed: SystemExit"),
    "halfway": ("failed", "its glm4v_tui_tasks failed: OSError: disk"),
    "nothing": ("failed", "its glm4v_tui_tasks failed: TypeError: 'int' object"),
    "classes": ("warned", "type is no Task: subclass glm4v_tui.Task and offer an instance"),
    "readers": ("warned", "str is no ImageReader"),
    "plaintext": ("warned", "the task Own: question is str, not Words"),
    "misnamed": ("incompatible", "unknown hook 'glm4v_tui_task'; did you mean \"glm4v_tui_tasks\""),
    "unmarked": ("warned", "glm4v_tui_tasks is not marked with @hookimpl"),
    "arguments": ("incompatible", "Argument(s) {'config'}"),
    "twice": ("warned", "the task sound comes from sound already"),
    "bundled": ("warned", "the task defect comes from defect already"),
    "heavy": ("warned", "it imports torch with itself"),
    "prints": ("warned", 'it prints while it is loaded: "hello there"'),
    "newer": ("warned", "needs version 99 of the task contract, not 1"),
}
WITH_TASKS = {"sound", "heavy", "prints", "prepares", "shows", "halfway"}


@pytest.fixture(scope="module")
def zoo(separate):
    """An environment with all of them."""
    projects = [write_plugin(separate.home, name, code) for name, code in CODES.items()]
    separate.pip("install", "-q", "--no-deps", *projects)
    yield separate
    separate.settings("")


@pytest.fixture(scope="module")
def listed(zoo):
    done = zoo.program("plugin", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["plugins"]}


@pytest.fixture
def asked(zoo, tmp_path):
    """Ask with a task; the scripted engine answers."""
    image, script = tmp_path / "a.png", tmp_path / "script.toml"
    Image.new("RGB", (40, 30), "red").save(image)
    script.write_text(f"[[answers]]\ntext = '{ANSWER}'\ntokens_per_s = 1e6\n")

    zoo.settings("[plugins]\ndisabled = ['heavy']")  # torch takes seconds

    def ask(name):
        return zoo.program("ask", image, "--task", name, "--json", "--scripted", script)

    return ask


@pytest.mark.parametrize(("name", "says"), SAYS.items())
def test_each_is_named_with_its_state_and_reason(listed, name, says):
    state, reason = says
    assert listed[name]["state"] == state
    assert reason in "; ".join(listed[name]["reasons"])


def test_what_works_is_there(listed):
    assert listed["sound"]["state"] == "ok"
    assert listed["defect"]["state"] == "ok"
    assert {name for name in CODES if listed[name]["tasks"]} == WITH_TASKS
    assert listed["heavy"]["import_s"] > listed["sound"]["import_s"]


def test_each_is_named_once_in_words(zoo):
    done = zoo.program("plugin", "list")
    for _, reason in SAYS.values():
        assert done.stdout.count(reason) == 1, reason
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_the_sound_task_answers_and_standard_output_is_its_own(asked):
    done = asked("sound")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"color": "red"}
    assert "Plugin raises: RuntimeError: on import" in done.stderr
    assert "Traceback" not in done.stderr


def test_prepare_that_fails_ends_this_question_only(asked):
    done = asked("prepares")
    assert (done.returncode, done.stdout) == (5, "")
    assert "The task prepares failed while preparing the image\nAttributeError" in done.stderr


def test_a_result_is_kept_whatever_fails_in_showing_it(asked):
    done = asked("shows")
    assert done.returncode == 5, done.stderr  # a script must not take it for a success
    assert "The result is whole" in done.stderr
    answer = json.loads(done.stdout)
    assert answer["result"] == {"color": "red"}
    assert [warning.split(" failed while ")[1] for warning in answer["warnings"]] == [
        "checking its result: SystemExit: check",
        "showing its result: TypeError: render gave str, not a Panel",
        "placing its result: ValueError: regions",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        "[plugins]\ndisabled = ['raises', 'heavy', 'prints']",
        "[plugins]\nenabled = ['sound', 'defect']",
    ],
)
def test_what_the_settings_leave_out_is_not_imported(zoo, settings):
    zoo.settings(settings)
    done = zoo.program("plugin", "list", "--json")
    plugins = {one["name"]: one for one in json.loads(done.stdout)["plugins"]}
    for name in ("raises", "heavy", "prints"):
        assert (plugins[name]["state"], plugins[name]["import_s"]) == ("disabled", 0)
    assert plugins["sound"]["state"] == "ok"
    zoo.settings("")
