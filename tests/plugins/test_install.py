"""``plugin install`` and ``uninstall``: what is run, what is asked, what is remembered."""

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from glm4v_tui.errors import UsageError
from glm4v_tui.tasks.installer import Environment, failure, find_installer
from glm4v_tui.tasks.specs import read_spec
from tests.e2e.terminal import ScreenTerminal, environment
from tests.plugins.environment import NO_NETWORK, task_code, write_plugin

# Which installer ----------------------------------------------------------------------------

HERE = Environment(Path("/nowhere"), "/env/bin/python", True, False, True, None)


def made_by_uv(folder: Path) -> Path:
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9.1\n")
    return folder


def test_pip_of_this_very_python_is_the_rule():
    command = find_installer(HERE).install([read_spec("caps==1.0")])
    assert command[:4] == ["/env/bin/python", "-m", "pip", "install"]
    assert command[-1] == "caps==1.0"
    assert find_installer(HERE).uninstall(["caps"])[-2:] == ["-y", "caps"]


def test_uv_is_taken_where_it_made_the_environment_or_pip_is_missing(tmp_path):
    uv = ["/bin/uv", "pip", "install", "--python", "/env/bin/python"]
    of_uv = replace(HERE, prefix=made_by_uv(tmp_path), uv="/bin/uv")
    for place in (of_uv, replace(HERE, has_pip=False, uv="/bin/uv")):
        assert find_installer(place).install([read_spec("caps")])[:5] == uv
    assert find_installer(replace(of_uv, uv=None)).install([])[1:3] == ["-m", "pip"]
    assert find_installer(replace(HERE, uv="/bin/uv")).install([])[1:3] == ["-m", "pip"]


def test_environments_of_others_are_refused_with_a_remedy(tmp_path):
    (tmp_path / "pipx_metadata.json").write_text("{}")
    for place, remedy in (
        (replace(HERE, prefix=tmp_path), "pipx inject"),
        (replace(HERE, is_virtual=False, is_managed=True), "python3 -m venv"),
        (replace(HERE, has_pip=False), "ensurepip"),
    ):
        with pytest.raises(UsageError) as told:
            find_installer(place)
        assert remedy in told.value.remedy
    assert find_installer(replace(HERE, is_virtual=True, is_managed=True))


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        (["error: externally-managed-environment"], "operating system"),
        (
            [
                "WARNING: Retrying (Retry(total=0)) after connection broken by "
                "'NewConnectionError('<...>: Failed to establish a new connection')': /simple/x/",
                "ERROR: No matching distribution found for x",
            ],
            "cannot be reached",
        ),
        (["error: Failed to fetch: `https://x/`", "  Caused by: dns error"], "cannot be reached"),
        (["hint: Packages were unavailable because the network was disabled."], "be reached"),
        (["ERROR: No matching distribution found for x"], "no such package"),
        (["  cause: Because x was not found in the package registry"], "no such package"),
        (["ERROR: ResolutionImpossible: for help visit"], "does not fit"),
        (["error: failed to create directory: Permission denied (os error 13)"], "be written"),
        (["pip._vendor.pyproject_hooks._impl.BackendUnavailable: Cannot import"], "be built"),
        (["ERROR: something else"], "The installer failed"),
        ([], "The installer failed"),
    ],
)
def test_what_an_installer_writes_is_understood(lines, title):
    error = failure(lines, 1)
    assert title in error.title
    assert error.body
    assert error.remedy


# What is to be installed ------------------------------------------------------------------------


def test_paths_are_told_absolutely_and_names_as_they_are(tmp_path, monkeypatch):
    project = write_plugin(tmp_path, "caps", "")
    monkeypatch.chdir(tmp_path)
    for text in ("./caps", "caps/", str(project)):
        spec = read_spec(text)
        assert (spec.text, spec.name) == (str(project), "caps")
    assert read_spec("caps").text == "caps"  # as pip sees it: a package, although a folder is there
    assert read_spec("caps", is_editable=True).arguments == ["-e", str(project)]
    wheel = tmp_path / "some_caps-1.0-py3-none-any.whl"
    wheel.touch()
    assert read_spec(wheel.name).name == "some_caps"
    for text, name in (
        ("Caps[x]>=1,<2", "Caps"),
        ("caps @ https://host/c.whl", "caps"),
        ("a[x]@git+https://h/c", "a"),
    ):
        assert (read_spec(text).text, read_spec(text).name) == (text, name)
    assert read_spec("git+https://host/caps.git").name == ""


@pytest.mark.parametrize(
    "text", ["--index-url=x", "-r", "", "a b", "./none", "~/none.whl", "/etc/passwd", "."]
)
def test_what_names_nothing_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        read_spec(text)


# In a real environment --------------------------------------------------------------------------


@pytest.fixture
def project(separate):
    folder = separate.home / "work"
    if not folder.exists():
        write_plugin(folder, "caps", task_code("caps"))
    yield folder / "caps"
    separate.program("plugin", "uninstall", "-y", "caps")


def remembered(separate) -> list[dict]:
    return tomllib.loads(separate.remembered.read_text())["plugins"]


def test_a_new_environment_is_refilled(separate, project):
    done = separate.program("plugin", "install", "-y", "-e", "work/caps")
    assert done.returncode == 0, done.stdout + done.stderr
    known = {"spec": str(project), "name": "caps", "version": "1", "editable": True}
    assert remembered(separate) == [known]
    separate.pip("uninstall", "-q", "-y", "caps")  # what a new environment lacks
    told = separate.program("plugin", "list").stdout
    assert f"caps 1 is missing; it was installed from {project}" in told
    assert "glm4v-tui plugin install --remembered" in told
    missing = json.loads(separate.program("plugin", "list", "--json").stdout)["missing"]
    assert missing == [known]

    refilled = separate.program("plugin", "install", "--remembered", "-y")
    assert refilled.returncode == 0, refilled.stdout + refilled.stderr
    assert f"-e {project}" in refilled.stdout
    assert "is missing" not in separate.program("plugin", "list").stdout
    again = separate.program("plugin", "install", "--remembered", "-y")
    assert (again.returncode, again.stdout) == (0, "All that is remembered is there.\n")
    gone = separate.program("plugin", "uninstall", "-y", "caps")
    assert "caps is removed and forgotten" in gone.stdout
    assert remembered(separate) == []


def test_a_folder_that_is_gone_does_not_stop_the_others(separate, project):
    other = write_plugin(separate.home / "work", "lids", task_code("lids"))
    both = separate.program("plugin", "install", "-y", "work/caps", "work/lids")
    assert both.returncode == 0, both.stdout + both.stderr
    separate.pip("uninstall", "-q", "-y", "caps", "lids")
    other.rename(other.with_name("moved"))
    done = separate.program("plugin", "install", "--remembered", "-y")
    assert done.returncode == 5
    assert "lids cannot be installed again. There is no such file or folder" in done.stdout
    assert "Plugin caps (from caps 1): ok" in done.stdout
    forgotten = separate.program("plugin", "uninstall", "lids")
    assert "lids was not installed any more; it is forgotten." in forgotten.stdout


def test_a_broken_plugin_is_installed_reported_and_can_be_removed(separate):
    write_plugin(separate.home / "work", "broken", "raise OSError('no scale is connected')")
    done = separate.program("plugin", "install", "-y", "work/broken")
    assert done.returncode == 5
    assert "Plugin broken (from broken 1): failed" in done.stdout
    assert "OSError: no scale is connected" in done.stdout
    assert separate.program("plugin", "uninstall", "-y", "broken").returncode == 0


def test_a_package_without_a_plugin_is_told_and_not_remembered(separate):
    folder = write_plugin(separate.home / "work", "plain", "")
    file = folder / "pyproject.toml"
    file.write_text(file.read_text().replace("entry-points.glm4v_tui", "entry-points.other"))
    done = separate.program("plugin", "install", "-y", "work/plain")
    assert done.returncode == 5
    assert "plain is installed, and it brings no plugin" in done.stdout
    assert done.stdout.endswith("-y plain\n")  # the command that removes it
    assert all(one["name"] != "plain" for one in remembered(separate))
    separate.pip("uninstall", "-q", "-y", "plain")


def test_nothing_is_done_without_consent(separate, project):
    before = separate.files()
    done = separate.program("plugin", "install", "work/caps")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "Nobody is there to say yes")
    assert f"-m pip install --disable-pip-version-check --no-input {project}\n" in done.stdout
    assert separate.files() == before


@pytest.mark.parametrize(("answer", "is_there"), [("n", False), ("", False), ("y", True)])
def test_the_user_is_asked(separate, project, answer, is_there):
    environ = environment(separate.home, PYTHONPATH=None, GLM4V_TUI_HOME=None) | NO_NETWORK
    command = [str(separate.env / "bin" / "glm4v-tui"), "plugin", "install", "work/caps"]
    terminal = ScreenTerminal(command, size=(120, 40), environ=environ, cwd=separate.home)
    try:
        terminal.wait_for(r"Go on\? \[y/N\]")
        terminal.type(f"{answer}\n")
        terminal.wait_for("it brings task caps" if is_there else "Nothing was done.", timeout=60)
    finally:
        terminal.close()
    assert ("caps" in separate.program("tasks").stdout.split()) is is_there


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["install"], 2, "There is nothing to install"),
        (["install", "-y", "no-such-plugin-anywhere"], 5, "There is no such package"),
        (["install", "-y", "./nowhere"], 2, "There is no such file or folder"),
        (["uninstall", "-y", "defect"], 2, 'under [plugins]: disabled = ["defect"]'),
        (["uninstall", "-y", "glm4v-tui"], 2, "comes with glm4v-tui and stays"),
        (["uninstall", "-y", "numpy"], 2, "There is no plugin numpy"),
        (["uninstall"], 2, "Missing argument"),
        (["check", "nothing"], 2, "There is no file and no plugin nothing"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_wrong_commands_are_told_and_change_nothing(separate, command, code, says):
    before = separate.files()
    done = separate.program("plugin", *command)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert separate.files() == before


def test_an_index_that_cannot_be_reached_is_told(separate):
    network = {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "https://127.0.0.1:9/", "PIP_RETRIES": "1"}
    done = separate.program("plugin", "install", "-y", "caps-of-nobody", **network)
    assert done.returncode == 5
    assert done.stderr.startswith("The package index cannot be reached\n")


def test_a_task_file_is_not_uninstalled_but_named(separate):
    separate.tasks.mkdir(parents=True, exist_ok=True)
    file = separate.tasks / "own.toml"
    file.write_text('name = "own"\nquestion = "q"\n[fields.a]\n')
    done = separate.program("plugin", "uninstall", "own")
    assert done.returncode == 2
    assert str(file) in done.stderr
    file.unlink()


def test_what_another_environment_has_is_not_said_to_be_removed(separate, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    caps = write_plugin(tmp_path, "far", task_code("far"))
    separate.pip("install", "-q", "--no-deps", "--target", elsewhere, caps)
    (separate.packages / "zz_far.pth").write_text(f"{elsewhere}\n")
    done = separate.program("plugin", "uninstall", "-y", "far")
    assert done.returncode == 5
    assert "far is still there" in done.stderr
    (separate.packages / "zz_far.pth").unlink()


@pytest.mark.parametrize("text", ["plugins = [", "plugins = 5", "[[plugins]]\nname = 1"])
def test_a_damaged_list_is_told_and_kept(separate, project, text):
    separate.remembered.parent.mkdir(parents=True, exist_ok=True)
    separate.remembered.write_text(text)
    done = separate.program("plugin", "install", "-y", "work/caps")
    assert done.returncode == 2
    assert "The list of installed plugins cannot be read" in done.stderr
    assert separate.remembered.read_text() == text
    listed = separate.program("plugin", "list")
    assert (listed.returncode, "defect" in listed.stdout) == (0, True)
    assert str(separate.remembered) in listed.stderr
    separate.remembered.unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_environment_that_cannot_be_written_is_told(separate, project):
    separate.packages.chmod(0o555)
    try:
        done = separate.program("plugin", "install", "-y", "work/caps")
    finally:
        separate.packages.chmod(0o755)
    assert done.returncode == 5
    assert "This environment cannot be written" in done.stderr
