"""The doctor: what it finds on machines of many kinds, and that nothing stops it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from glm4v_tui import doctor
from glm4v_tui.config import InterfaceSettings
from glm4v_tui.doctor import Finding, Status, files, hardware, model, software, terminal
from glm4v_tui.doctor import hub as hub_check
from glm4v_tui.doctor.finding import DoctorReport, as_text, exit_code, verdict
from glm4v_tui.doctor.software import TorchBuild
from glm4v_tui.gpu import GpuReading, GpuReport, limits
from glm4v_tui.terminal import terminal_facts
from glm4v_tui.ui.self_check import interface_checks
from tests.fake_hub import HUB_ID, Fault, environment, serving
from tests.plan.test_lacking import without

GIB = 1 << 30
CARD = GpuReading(0, "GPU-1", "NVIDIA H200", 141 * GIB, 1 * GIB, 140 * GIB)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GLM4V_TUI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path / "home"


@pytest.fixture
def checkpoint(tiny_glm4v, tmp_path) -> Path:
    """A real model folder, to be damaged."""
    return Path(shutil.copytree(tiny_glm4v, tmp_path / "model"))


def named(findings, name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


# All together -----------------------------------------------------------------------------------


def test_without_a_choice_the_embedded_model_is_looked_over_and_how_to_name_one_is_said():
    findings = doctor.run_checks("", interface_checks())
    areas = list(dict.fromkeys(finding.area for finding in findings))
    assert areas == ["terminal", "software", "hardware", "model", "settings", "tasks", "files"]
    assert "glm4v" in named(findings, "model").detail
    assert named(findings, "model").status is Status.OK
    assert "--model" in named(findings, "choice").detail
    assert exit_code(findings) == 0


def test_every_finding_that_is_not_well_has_a_remedy(home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[interfac]\n")
    (home / "config" / "keymap.toml").write_text('"chat.atach" = "ctrl-t"\n')
    findings = doctor.run_checks("no such model", interface_checks())
    assert [finding for finding in findings if finding.status and not finding.detail] == []
    unwell = [finding for finding in findings if finding.status is not Status.OK]
    assert {finding.area for finding in unwell} >= {"model", "settings"}
    assert [finding for finding in unwell if not finding.remedy] == []


def test_a_broken_check_does_not_stop_the_others():
    def broken():
        yield Finding("settings", "first", Status.OK, "fine")
        raise ZeroDivisionError("columns")

    findings = doctor.run_checks("", [broken])
    assert named(findings, "first").status is Status.OK
    assert "ZeroDivisionError: columns" in named(findings, "check").detail
    assert findings[-1].area == "files"


def test_no_model_library_is_imported_and_nothing_is_printed():
    code = (
        "import sys; from glm4v_tui import doctor; doctor.run_checks('')\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'bitsandbytes', 'textual'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_exit_code_tells_settings_from_the_rest():
    def failed(area: str) -> Finding:
        return Finding(area, "x", Status.FAIL, "x", "x")

    assert exit_code([Finding("model", "x", Status.WARN, "x", "x")]) == 0
    assert exit_code([failed("settings")]) == 2
    assert exit_code([failed("settings"), failed("model")]) == 4


def test_json_is_one_object_with_every_finding():
    findings = doctor.run_checks("no such model")
    report = msgspec.json.decode(doctor.as_json(findings), type=DoctorReport)
    assert report.findings == tuple(findings)
    assert report.fit is False
    assert set(json.loads(doctor.as_json(findings))) == {"version", "fit", "findings"}


def test_text_is_aligned_plain_and_has_remedies_below():
    text = as_text(
        [
            Finding("terminal", "kind", Status.OK, "TERM=xterm"),
            Finding("model", "a longer name", Status.FAIL, "one\x1b[31m\ntwo", "do this"),
        ]
    )
    assert text.splitlines() == [
        "Terminal",
        "  ok    kind           TERM=xterm",
        "",
        "Model",
        "  FAIL  a longer name  one",
        "                       two",
        "                       -> do this",
        "",
        "Not fit to chat: 1 problem to mend.",
    ]


def test_the_verdict_counts():
    assert verdict([]) == "Fit to chat."
    assert verdict([Finding("x", "x", Status.WARN, "x")] * 2) == "Fit to chat. 2 hints above."


# Terminal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "name", "status", "told"),
    [
        ({"TERM": "xterm-256color"}, "colors", Status.OK, "although the terminal does not say"),
        ({"TERM": "linux"}, "colors", Status.WARN, "16: "),
        ({"TERM": "rxvt-256color"}, "colors", Status.WARN, "256: "),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "colors", Status.OK, "NO_COLOR"),
        ({"TERM": "dumb"}, "kind", Status.WARN, "cannot be drawn"),
        ({}, "kind", Status.WARN, "(unset)"),
        ({"TERM": "xterm", "LANG": "C"}, "encoding", Status.WARN, "not UTF-8"),
        ({"TERM": "xterm", "LANG": "C.UTF-8"}, "encoding", Status.OK, "UTF-8"),
        ({"TERM": "xterm", "SSH_TTY": "/dev/pts/1"}, "SSH", Status.OK, "connection"),
        ({"TERM": "screen", "STY": "1.x"}, "GNU screen", Status.WARN, "do not pass"),
    ],
)
def test_terminals(monkeypatch, env, name, status, told):
    for key in ("TERM", "COLORTERM", "TMUX", "STY", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.delenv("TEXTUAL_COLOR_SYSTEM", raising=False)
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    found = named(terminal.check(InterfaceSettings()), name)
    assert found.status is status
    assert told in found.detail


def test_a_pixel_protocol_that_nothing_speaks_for_is_a_hint(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    found = named(terminal.check(InterfaceSettings(images="kitty")), "pictures")
    assert found.status is Status.OK
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("TERM_PROGRAM", "KITTY_WINDOW_ID", "WEZTERM_PANE", "KONSOLE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    found = named(terminal.check(InterfaceSettings(images="kitty")), "pictures")
    assert found.status is Status.WARN


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_tmux_is_asked_what_it_lets_through(tmp_path, monkeypatch):
    socket = tmp_path / "tmux"
    tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*tmux, "new-session", "-d", "sleep 60"], check=True)
    try:
        subprocess.run([*tmux, "set", "-s", "set-clipboard", "external"], check=True)
        subprocess.run([*tmux, "set", "-s", "escape-time", "10"], check=True)
        monkeypatch.setenv("TMUX", f"{socket},1,0")
        found = list(terminal.check_tmux(terminal_facts(), "sixel"))
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert "set-clipboard is external" in named(found, "tmux clipboard").detail
    assert "allow-passthrough" in named(found, "tmux pictures").detail
    assert "tmux Esc key" not in {finding.name for finding in found}


# Software and hardware --------------------------------------------------------------------------


def test_packages_are_held_against_their_ranges():
    found = list(
        software.check_packages(
            ["msgspec>=0.1", "click>=999", "no-such-package", "tomli; python_version < '3'"]
        )
    )
    assert [finding.status for finding in found] == [Status.OK, Status.FAIL, Status.FAIL]
    assert found[1].remedy == "Run: pip install 'click>=999'"
    assert found[2].detail == "not installed"


def test_the_build_of_torch_is_read_without_importing_it():
    build = software.torch_build()
    code = "import torch, json; print(json.dumps([torch.__version__, torch.version.cuda]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert build is not None
    assert [build.version, build.cuda] == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("cuda", "driver", "status"),
    [
        ("13.2", "580.159", Status.OK),
        ("13.2", "575.57.08", Status.FAIL),
        ("12.8", "535.54.03", Status.OK),
        ("12.8", "590.1", Status.OK),
        ("12.8", None, Status.OK),
        ("14.0", "600.1", Status.OK),
    ],
)
def test_torch_is_held_against_the_driver(cuda, driver, status):
    build = TorchBuild("2.15.0", cuda, None)
    (found,) = hardware.check_build(build, GpuReport((CARD,), driver))
    assert found.status is status


def test_a_driver_too_old_names_the_build_that_would_do():
    build = TorchBuild("2.15.0", "13.2", None)
    (found,) = hardware.check_build(build, GpuReport((CARD,), "550.54"))
    assert "CUDA 13 needs driver 580" in found.detail
    assert "built for CUDA 12" in found.remedy


def test_a_torch_for_cpus_beside_a_gpu_is_a_hint():
    build = TorchBuild("2.15.0+cpu", None, None)
    (found,) = hardware.check_build(build, GpuReport((CARD,), "580.1"))
    assert (found.status, "stays unused" in found.detail) == (Status.WARN, True)
    (found,) = hardware.check_build(build, GpuReport((), None, "no driver"))
    assert found.status is Status.OK


def test_gpus_are_listed_with_their_memory(monkeypatch):
    found = list(hardware.check_gpus(GpuReport((CARD,), "580.1")))
    assert [finding.detail for finding in found] == ["NVIDIA H200, 141.0 GiB, 140.0 free"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = list(hardware.check_gpus(GpuReport((CARD,), "580.1")))
    assert "hidden" in found[0].detail
    assert found[1].status is Status.WARN


def test_without_a_gpu_the_reason_is_told():
    (found,) = hardware.check_gpus(GpuReport((), None, "no NVIDIA driver"))
    assert (found.status, found.detail) == (Status.WARN, "none: no NVIDIA driver")


def test_a_limit_of_the_address_space_is_told_with_what_lifts_it(monkeypatch):
    monkeypatch.setattr(limits, "address_space_limit", lambda: 4 * GIB)
    found = named(hardware.check(), "address space")
    assert found.status is Status.WARN
    assert "4.0 GiB (ulimit -v)" in found.detail
    assert "ulimit -v unlimited" in found.remedy


# Model ------------------------------------------------------------------------------------------


def test_a_whole_model_is_described(checkpoint):
    found = list(model.check(str(checkpoint), "cpu"))
    assert {finding.status for finding in found} == {Status.OK}
    assert "glm4v" in found[0].detail
    assert "whole" in found[0].detail


def test_a_truncated_weight_file_is_named(checkpoint):
    weights = next(checkpoint.glob("*.safetensors"))
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)
    found = list(model.check(str(checkpoint), "cpu"))
    assert found[0].status is Status.FAIL
    assert weights.name in found[0].detail
    assert found[0].remedy


def test_a_missing_weight_file_is_named(checkpoint):
    next(checkpoint.glob("*.safetensors")).unlink()
    found = list(model.check(str(checkpoint), "cpu"))
    assert found[0].status is Status.FAIL


def test_a_tensor_that_neither_file_nor_index_has_is_missed(checkpoint):
    without(checkpoint, gone := "model.language_model.layers.0.mlp.down_proj.weight")
    found = list(model.check(str(checkpoint), "cpu"))
    assert [finding.status for finding in found] == [Status.FAIL]
    assert gone in found[0].detail
    assert found[0].remedy


def test_a_head_that_is_missing_is_told_by_its_name(checkpoint):
    found = list(model.check(str(without(checkpoint, "lm_head.weight")), "cpu"))
    assert found[0].status is Status.FAIL
    assert "head (lm_head)" in found[0].detail


# A model that is not here ------------------------------------------------------------------------


def diagnosed(name: str, home: Path, endpoint: str, **variables: str) -> tuple[int, dict]:
    """What ``doctor NAME`` says of the model, by name. The hub's settings are read at start."""
    done = subprocess.run(
        [sys.executable, "-m", "glm4v_tui", "doctor", name, "--json"],
        env=environment(endpoint, home, **variables),
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {one["name"]: one for one in found if one["area"] == "model"}


def test_a_model_that_is_not_here_yet_is_no_failure_where_the_hub_has_it(tiny_glm4v, tmp_path):
    with serving(tiny_glm4v) as hub:
        _, found = diagnosed(HUB_ID, tmp_path, hub.url)
        assert not any(name.endswith(".safetensors") for name, _, _ in hub.given)
    assert found["model"]["status"] == "warn"
    assert f"glm4v-tui model pull {HUB_ID}" in found["model"]["remedy"]
    assert (found["hub"]["status"], found["hub cache"]["status"]) == ("ok", "ok")
    assert "the model takes" in found["hub cache"]["detail"]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "switched off by HF_HUB_OFFLINE=1"),
        ({"TRANSFORMERS_OFFLINE": "yes"}, "switched off by TRANSFORMERS_OFFLINE=yes"),
        ({"HF_ENDPOINT": "hf-mirror.com"}, "HF_ENDPOINT=hf-mirror.com is no address"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "The hub cannot be reached"),
        ({"HF_ENDPOINT": "http://no-such-host.invalid"}, "The name of the hub cannot be looked up"),
    ],
)
def test_a_hub_that_cannot_be_asked_says_why(variables, told, tmp_path):
    code, found = diagnosed(HUB_ID, tmp_path, "http://127.0.0.1:9", **variables)
    assert code == 4
    assert found["hub"]["status"] == "fail"
    assert told in found["hub"]["detail"]
    assert found["hub"]["remedy"]


def test_what_the_hub_says_of_a_model_is_told(tiny_glm4v, tmp_path):
    with serving(tiny_glm4v) as hub:
        _, found = diagnosed("owner/other", tmp_path, hub.url)
        assert "The hub has no such model" in found["hub"]["detail"]
        hub.renamed = {"THUDM/tiny": HUB_ID}
        code, found = diagnosed("THUDM/tiny", tmp_path, hub.url)
        assert (found["hub"]["status"], found["hub"]["detail"]) == (
            "warn",
            f"THUDM/tiny is called {HUB_ID} now",
        )
        hub.is_gated = True
        code, found = diagnosed(HUB_ID, tmp_path, hub.url)
        assert code == 4
        assert "without an account" in found["hub"]["detail"]


def test_what_answers_and_is_no_hub_is_told_as_such(tmp_path):
    with serving(tmp_path, {}) as hub:
        hub.info_faults = [Fault(status=200)]
        _, found = diagnosed(HUB_ID, tmp_path, hub.url)
    assert found["hub"]["detail"].startswith("This is no model hub")


def test_a_disk_without_room_for_the_model_is_a_failure(tiny_glm4v, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=100))
    found = hub_check._room(5000)
    assert found.status is Status.FAIL
    assert "HF_HOME" in found.remedy


# Files ------------------------------------------------------------------------------------------


def test_a_wrong_settings_file_fails_with_its_line(home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("\n[generation]\ntop_p = 2\n")
    found = named(doctor.run_checks(""), "config.toml")
    assert found.status is Status.FAIL
    assert "config.toml:3: generation.top_p" in found.detail


def test_places_are_tried_without_leaving_a_trace(home):
    (found,) = files.check_places()
    assert found.status is Status.OK
    assert not home.exists()


def test_a_place_that_cannot_be_written_is_a_hint(monkeypatch):
    monkeypatch.setenv("GLM4V_TUI_HOME", "/proc/none")
    (found,) = files.check_places()
    assert found.status is Status.WARN
    assert "nothing is remembered" in found.detail


def test_keys_and_themes_are_checked_too(home):
    folder = home / "config"
    (folder / "themes").mkdir(parents=True)
    (folder / "keymap.toml").write_text('"chat.serch" = "ctrl+t"\n')
    (folder / "themes" / "wrong.toml").write_text("primary = 3\n")
    (folder / "config.toml").write_text('[interface]\ntheme = "wrong"\n')
    found = doctor.run_checks("", interface_checks())
    assert 'did you mean "chat.search"?' in named(found, "keys").detail
    assert "primary" in named(found, "theme files").detail
    assert named(found, "theme").status is Status.WARN
