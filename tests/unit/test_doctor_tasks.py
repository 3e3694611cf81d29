"""What the doctor says of plugins, and of what the settings say of them."""

import pytest

from glm4v_tui.config import load_settings
from glm4v_tui.doctor import tasks
from glm4v_tui.doctor.finding import Status


@pytest.fixture
def findings(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    (tmp_path / "config" / "tasks").mkdir(parents=True)

    def look(text: str = "", **task_files: str) -> dict[str, tuple[Status, str]]:
        (tmp_path / "config" / "config.toml").write_text(text)
        for name, content in task_files.items():
            (tmp_path / "config" / "tasks" / f"{name}.toml").write_text(content)
        found = tasks.check(load_settings())
        return {finding.name: (finding.status, finding.detail) for finding in found}

    return look


def test_the_bundled_tasks_are_named(findings):
    assert findings() == {"tasks": (Status.OK, "defect, medical, retail")}


def test_a_wrong_option_fails_with_file_line_and_key(findings):
    status, detail = findings('[tasks.medical]\nwindow = "lugn"\n')["tasks.medical"]
    assert status is Status.FAIL
    assert "config.toml:2: tasks.medical.window: expected one of" in detail


def test_names_that_nobody_has_are_told_with_the_nearest(findings):
    found = findings('[plugins]\ndisabled = ["defct"]\n')
    assert found["plugins"] == (
        Status.WARN, 'plugins.disabled: there is no plugin defct; did you mean "defect"?',
    )  # fmt: skip
    found = findings("[tasks.retial]\nx = 1\n")
    assert any('did you mean "retail"?' in detail for _, detail in found.values())


def test_a_task_file_with_an_error_is_named(findings):
    status, detail = findings(bad='name = "bad"\n')["bad.toml"]
    assert status is Status.WARN
    assert "question" in detail
