"""Plugins found, held against the settings, loaded; none of them disturbs the others."""

import sys
from importlib.metadata import EntryPoint

import pytest

from glm4v_tui.config import PluginSettings
from glm4v_tui.errors import UsageError
from glm4v_tui.images.readers import install_readers, installed_readers
from glm4v_tui.tasks import plugin_loading
from glm4v_tui.tasks import plugins as plugins_module
from glm4v_tui.tasks.checking import check_task
from glm4v_tui.tasks.plugin_report import PluginState
from glm4v_tui.tasks.plugins import find_plugins, load_plugins

from .fakes import Look

TASK = """
from glm4v_tui import hookimpl
from tests.tasks.fakes import Look

def task(name_):
    return type("Task_" + name_, (Look,), {"name": name_})()
"""
GOOD = f"{TASK}\n@hookimpl\ndef glm4v_tui_tasks():\n    return [task('good')]\n"


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load plugins whose modules have these texts, by their names."""
    monkeypatch.syspath_prepend(tmp_path)
    before, readers = set(sys.modules), installed_readers()

    def load_them(settings=PluginSettings(), files=(), **texts):  # noqa: B008
        entries = []
        for name, text in texts.items():
            (tmp_path / f"fake_{name}.py").write_text(text)
            entries.append(EntryPoint(name, f"fake_{name}", "glm4v_tui"))
        monkeypatch.setattr(plugins_module, "find_plugins", lambda: entries)
        return load_plugins(settings, files)

    yield load_them
    install_readers(readers)
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


def report_of(plugins, name):
    return next(report for report in plugins.reports if report.name == name)


def test_the_bundled_plugins_are_found_first():
    names = [entry.name for entry in find_plugins()]
    assert names[:3] == ["defect", "medical", "retail"]


def test_a_good_plugin_is_loaded_without_a_word(load):
    plugins = load(good=GOOD)
    assert list(plugins.tasks) == ["good"]
    assert plugins.sources == {"good": "good"}
    assert (report_of(plugins, "good").state, plugins.notices) == (PluginState.OK, [])


@pytest.mark.parametrize(
    "settings", [PluginSettings(disabled=("bad",)), PluginSettings(enabled=("good",))]
)
def test_nothing_of_a_plugin_that_is_switched_off_is_imported(load, settings):
    plugins = load(settings, bad="raise RuntimeError", good=GOOD)
    assert "fake_bad" not in sys.modules
    assert report_of(plugins, "bad").state is PluginState.DISABLED
    assert (list(plugins.tasks), plugins.notices) == (["good"], [])


def test_the_disabled_stay_out_also_where_they_are_enabled(load):
    both = PluginSettings(enabled=("good",), disabled=("good",))
    assert load(both, good=GOOD).tasks == {}


HOOK = f"{TASK}\n@hookimpl\ndef glm4v_tui_tasks():\n"
BROKEN = {
    "import error": ("import no_such_module", PluginState.FAILED, "no_such_module"),
    "syntax": ("def", PluginState.FAILED, "SyntaxError"),
    "leaves": ("import sys; sys.exit(3)", PluginState.FAILED, "SystemExit"),
    "escapes": ("raise ValueError('\\x1b[31mred\\nline')", PluginState.FAILED, "red line"),
    "no hook": (
        "from glm4v_tui import hookimpl\n@hookimpl\ndef glm4v_tui_taks():\n    return []\n",
        PluginState.INCOMPATIBLE,
        "glm4v_tui_taks",
    ),
    "arguments": (
        "from glm4v_tui import hookimpl\n@hookimpl\ndef glm4v_tui_tasks(more):\n    return []\n",
        PluginState.INCOMPATIBLE,
        "more",
    ),
    "hook raises": (f"{HOOK}    raise KeyError('x')\n", PluginState.FAILED, "glm4v_tui_tasks"),
    "hook leaves": (f"{HOOK}    raise SystemExit\n", PluginState.FAILED, "SystemExit"),
    "hook gives a number": (f"{HOOK}    return 5\n", PluginState.FAILED, "int"),
    "hook gives a class": (f"{HOOK}    return [Look]\n", PluginState.WARNED, "is no Task"),
    "hook gives text": (f"{HOOK}    return ['x']\n", PluginState.WARNED, "str is no Task"),
    "future": (
        f"{HOOK}    t = task('future'); type(t).api = 99; return [t]\n",
        PluginState.WARNED,
        "needs version 99",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_named_once_and_the_next_is_loaded(load, kind):
    text, state, said = BROKEN[kind]
    plugins = load(bad=text, good=GOOD)
    report = report_of(plugins, "bad")
    assert report.state is state
    assert said in " ".join(report.reasons)
    (notice,) = plugins.notices
    assert notice.startswith("Plugin bad: ")
    assert not set(notice) & set("\x1b\n")
    assert list(plugins.tasks) == ["good"]


def test_what_a_hook_offered_before_it_raised_stays(load):
    plugins = load(half=f"{HOOK}    yield task('first')\n    raise ValueError('later')\n")
    assert list(plugins.tasks) == ["first"]
    assert "later" in plugins.notices[0]


def test_a_hook_may_give_nothing(load):
    assert load(none=f"{HOOK}    return None\n").notices == []


def test_of_two_tasks_with_one_name_the_first_stays(load):
    plugins = load(good=GOOD, second=GOOD)
    assert plugins.sources == {"good": "good"}
    assert "comes from good already" in plugins.notices[0]


def test_of_two_plugins_with_one_name_the_first_stays(load, tmp_path, monkeypatch):
    (tmp_path / "fake_other.py").write_text(GOOD.replace("task('good')", "task('other')"))
    (tmp_path / "fake_good.py").write_text(GOOD)
    both = [EntryPoint("good", module, "glm4v_tui") for module in ("fake_good", "fake_other")]
    monkeypatch.setattr(plugins_module, "find_plugins", lambda: both)
    plugins = load_plugins(PluginSettings())
    assert list(plugins.tasks) == ["good"]
    first, second = plugins.reports
    assert (first.state, second.state) == (PluginState.OK, PluginState.INCOMPATIBLE)
    assert "called good already" in second.reasons[0]


def test_a_slow_import_is_told(load, monkeypatch):
    monkeypatch.setattr(plugin_loading, "SLOW_S", -1.0)
    report = report_of(load(good=GOOD), "good")
    assert report.state is PluginState.WARNED
    assert "its import took" in report.reasons[0]


def test_importing_a_model_library_is_told_and_the_plugin_works(load, tmp_path, monkeypatch):
    (tmp_path / "fake_heavy_library.py").write_text("")
    monkeypatch.setattr(plugin_loading, "_HEAVY", ("fake_heavy_library",))
    plugins = load(heavy=f"import fake_heavy_library\n{GOOD}")
    assert "imports fake_heavy_library" in plugins.notices[0]
    assert list(plugins.tasks) == ["good"]


def test_a_plugin_that_never_ends_is_left_behind(load, monkeypatch):
    monkeypatch.setattr(plugin_loading, "LIMIT_S", 0.3)
    forever = "import threading\nthreading.Event().wait(30)\n"
    plugins = load(stuck=forever, sound=f"{HOOK}    return []\n")
    states = {report.name: report.state for report in plugins.reports}
    assert states == {"stuck": PluginState.FAILED, "sound": PluginState.OK}
    assert "left behind" in report_of(plugins, "stuck").reasons[0]


def test_a_hook_that_never_ends_is_left_behind(load, monkeypatch):
    monkeypatch.setattr(plugin_loading, "LIMIT_S", 0.3)
    forever = "    import threading\n    threading.Event().wait(30)\n"
    plugins = load(stuck_hook=f"{HOOK}{forever}")
    assert "glm4v_tui_tasks failed: TimeoutError" in report_of(plugins, "stuck_hook").reasons[0]


def test_what_a_plugin_prints_is_not_on_standard_output(load, capsys):
    plugins = load(loud=f"print('hello')\n{HOOK}    print('again')\n    return []\n")
    assert capsys.readouterr() == ("", "")
    (report,) = [report for report in plugins.reports if report.name == "loud"]
    assert 'it prints while it is loaded: "hello"' in report.reasons
    assert 'it prints while it is loaded: "again"' in report.reasons


def test_readers_and_exporters_are_checked_and_the_first_of_a_name_stays(load):
    plugins = load(
        more="""
from glm4v_tui import Exporter, ImageReader, hookimpl
@hookimpl
def glm4v_tui_image_readers():
    return [ImageReader("X", (".x",), lambda f, n: None), ImageReader("X", (".y",), None), 3]
@hookimpl
def glm4v_tui_exporters():
    one = Exporter("csv", ".csv", "CSV", lambda r, o: None)
    return [one, one, Exporter("jsonl", ".j", "J", None), Exporter("all", "", "A", None), "x"]
"""
    )
    assert [reader.suffixes for reader in installed_readers()] == [(".x",)]
    assert list(plugins.exporters) == ["jsonl", "csv"]
    reasons = report_of(plugins, "more").reasons
    assert len(reasons) == 6


def test_the_users_files_are_tasks_and_a_broken_one_is_told(load, tmp_path):
    good, bad, gone = (tmp_path / name for name in ("good.toml", "bad.toml", "gone.toml"))
    good.write_text('name = "mine"\nquestion = "?"\n[fields.a]\n')
    bad.write_text('name = "mine2"\nquestion = "?"\n[fields.a]\nmni = 3\n')
    plugins = load(files=[bad, gone, good], good=GOOD)
    assert plugins.sources == {"good": "good", "mine": "good.toml"}
    assert "bad.toml:4: fields.a.mni: unknown" in plugins.notices[0]
    assert "gone.toml" in plugins.notices[1]


def test_an_unknown_task_is_told_with_the_nearest(load):
    plugins = load(good=GOOD)
    with pytest.raises(UsageError, match="no task goood") as caught:
        plugins.task("goood\x1b[31m".replace("\x1b[31m", ""))
    assert "good" in caught.value.body


# A task held against the contract ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Big Name"}, "no task name"),
        ({"name": 3}, "name is int, not str"),
        ({"question": "text"}, "question is str, not Words"),
        ({"labels": "pf"}, "labels is str, not tuple"),
        ({"labels": ("p",)}, r"labels are to be Label"),
        ({"labels": (*Look.labels, *Look.labels)}, "same key"),
        ({"version": "1 beta"}, "one word"),
        ({"version": ""}, "one word"),
        ({"reasoning_tokens": -1}, "below 0"),
        ({"reasoning_tokens": True}, "reasoning_tokens is bool"),
        ({"api": "1"}, "api is str"),
        ({"generation": {}}, "generation is dict"),
        ({"result_type": object}, "no JSON form"),
        ({"result_type": {"type": "strung"}}, "no JSON form"),
        ({"result_type": {"type": "object"}}, "may hold anything"),
        ({"options_type": Look.result_type}, "needs a default"),
        ({"options_type": 3}, "options_type is int"),
        ({"notice": None}, "notice is NoneType"),
    ],
)
def test_what_does_not_fit_is_told(changed, said):
    (problem, *_) = check_task(type("Odd", (Look,), changed)())
    assert said in problem


def test_the_tests_own_task_fits():
    assert check_task(Look()) == []


def test_what_is_missing_is_told():
    from glm4v_tui import Task

    assert check_task(Task()) == ["the task Task lacks name, title, summary, question, result_type"]
