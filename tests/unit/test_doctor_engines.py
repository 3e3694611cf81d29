"""What the doctor says of the engines that the settings name."""

import pytest

from glm4v_tui import doctor
from glm4v_tui.doctor.finding import Status, exit_code

BOX = '[engines.box]\nurl = "https://box.example"\nmodel = "m"\n'


@pytest.fixture
def findings(tmp_path, monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path))
    (tmp_path / "config").mkdir()

    def look(text):
        (tmp_path / "config" / "config.toml").write_text(text)
        found = doctor.run_checks("")
        unwell = [
            one
            for one in found
            if one.status is not Status.OK and one.area in ("settings", "tasks")
        ]
        assert all(one.remedy for one in unwell)
        return unwell, exit_code(found)

    return look


def test_engines_that_are_as_they_should_be_are_not_mentioned(findings):
    both = BOX + BOX.replace("box", "den").replace('"m"', '"m"\ntls = "off"')
    assert findings('[model]\nengine = "box, den"\n' + both) == ([], 0)


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ("bax", 'there is no engine "bax"; did you mean "box"?'),
        ("box, nope", 'there is no engine "nope"'),
        ("box, old", "serve different models: box: m, old: k"),
    ],
)
def test_an_engine_that_cannot_be_used_stands_in_the_way(findings, engine, says):
    old = BOX.replace("box", "old").replace('"m"', '"k"')
    (unwell,), code = findings(f'[model]\nengine = "{engine}"\n{BOX}{old}')
    assert (unwell.name, unwell.status, code) == ("model.engine", Status.FAIL, 2)
    assert says in unwell.detail


@pytest.mark.parametrize(("key", "status"), [("box", Status.FAIL), ("", Status.WARN)])
def test_certificates_that_are_nowhere_are_told_of_the_engine(findings, key, status):
    """Of an engine that is not in use, chats do not come to nothing."""
    (unwell,), _ = findings(f'[model]\nengine = "{key}"\n{BOX}tls = "/nonexistent.pem"\n')
    assert (unwell.name, unwell.status) == ("engines.box", status)
    assert "/nonexistent.pem: " in unwell.detail
    assert "PEM" in unwell.remedy


def test_certificates_that_hold_none_are_told(findings, tmp_path):
    (tmp_path / "empty.pem").write_text("none")
    (unwell,), _ = findings(f'{BOX}tls = "{tmp_path}/empty.pem"\n')
    assert "empty.pem: " in unwell.detail


def test_an_address_that_is_none_is_told(findings):
    (unwell,), _ = findings(BOX.replace("https", "htps"))
    assert unwell.detail == "The server's URL is none: htps://box.example"


@pytest.mark.parametrize("key", ["tasks", "private_tasks"])
def test_tasks_that_nobody_has_are_told_with_the_nearest(findings, key):
    (unwell,), code = findings(f'{BOX}{key} = ["medical", "defct"]\n')
    assert (unwell.name, unwell.status, code) == ("engines.box", Status.WARN, 0)
    assert unwell.detail == f'engines.box.{key}: no task defct is loaded; did you mean "defect"?'


def test_a_file_that_cannot_be_read_is_told_once(findings):
    (unwell,), code = findings("[engines")
    assert (unwell.name, unwell.status, code) == ("config.toml", Status.FAIL, 2)


def test_engines_that_cannot_be_read_are_told_once(findings):
    (unwell,), code = findings('[engines."a,b"]\nurl = "http://x"\nmodel = "m"\n')
    assert (unwell.name, unwell.status, code) == ("config.toml", Status.FAIL, 2)
    assert "comma" in unwell.detail
