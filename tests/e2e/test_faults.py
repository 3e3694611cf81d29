"""What goes wrong on real machines, done to real processes."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.checkpoints import make_glm4v

from .stage import ask
from .terminal import program, wait_gone

ANSWERING = r"answering +\d"
DONE = r"tok/s · \d+ in"
LONG = {"max_new_tokens": 1500, "seed": 1}
SHORT = {"max_new_tokens": 8, "seed": 1}


@pytest.fixture
def load(stage, tiny_glm4v):
    """Start the chat with a checkpoint on the CPU."""

    def start(folder: Path = tiny_glm4v, generation=SHORT, wait="ready", **options):
        stage.settings(generation=generation, engine=options.pop("engine", {}))
        chat = stage.start("--model", folder, "--device", "cpu", **options)
        if wait:
            chat.wait_for(wait, timeout=60)
        return chat

    return start


# The worker -------------------------------------------------------------------------------------


def test_a_worker_killed_while_loading_is_told_and_started_again(load):
    chat = load(wait="")
    worker = chat.worker()
    worker.kill()
    chat.wait_for("process ended|loading failed")
    chat.wait_for("SIGKILL")
    ask(chat, "Still there?")
    chat.wait_for(DONE, timeout=60)
    assert chat.worker().pid != worker.pid


def test_a_worker_killed_while_answering_loses_only_that_answer(load):
    chat = load(generation=LONG)
    ask(chat, "Tell a long story.")
    chat.wait_for(ANSWERING, timeout=60)
    worker = chat.worker()
    worker.kill()
    chat.wait_for("The model's process ended")
    assert "Tell a long story." in chat.screen_text()
    ask(chat, "Are you back?")
    chat.wait_for(ANSWERING, timeout=60)
    assert chat.worker().pid != worker.pid
    chat.press("escape")
    chat.wait_for("stopped")


def test_a_worker_that_never_answers_is_told_and_can_be_stopped(load):
    chat = load(generation=LONG, engine={"silent_after_s": 1.0, "abort_within_s": 1.0})
    ask(chat, "Tell a long story.")
    chat.wait_for(ANSWERING, timeout=60)
    worker = chat.worker()
    worker.suspend()
    chat.wait_for("no sign of life")
    chat.press("escape")
    chat.wait_for("process ended")
    wait_gone([worker])
    ask(chat, "Are you back?")
    chat.wait_for(ANSWERING, timeout=60)


def test_a_worker_that_only_paused_goes_on(load):
    chat = load(generation=LONG | {"max_new_tokens": 400}, engine={"silent_after_s": 1.0})
    ask(chat, "Tell a story.")
    chat.wait_for(ANSWERING, timeout=60)
    worker = chat.worker()
    worker.suspend()
    chat.wait_for("no sign of life")
    worker.resume()
    chat.wait_for(DONE, timeout=60)
    chat.wait_gone("no sign of life")
    assert chat.worker() == worker


TORN = """
import os, sys
if "glm4v_tui.engine.worker" in sys.orig_argv:
    descriptor = int(sys.orig_argv[-1])
    {write}
    os._exit(0)
"""


@pytest.mark.parametrize(
    "write",
    [
        'os.write(descriptor, b"\\x00\\x00\\x10\\x00 and then nothing")',
        'os.write(descriptor, b"\\xff\\xff\\xff\\xff no such length")',
        'os.write(descriptor, b"\\x00\\x00\\x00\\x04\\xc1\\xc1\\xc1\\xc1")',
    ],
    ids=["cut off", "impossible length", "not a message"],
)
def test_a_torn_frame_is_told_and_harms_nothing(load, tmp_path, write):
    """The worker's first words are cut off, or were never of this protocol."""
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "sitecustomize.py").write_text(TORN.format(write=write))
    chat = load(wait="", PYTHONPATH=str(tmp_path / "torn"))
    chat.wait_for("loading failed", timeout=30)
    chat.wait_for("process ended")
    chat.type("still typing")
    chat.wait_for("still typing")
    chat.press("ctrl+q")
    assert chat.wait_exit() == 0


# The machine ------------------------------------------------------------------------------------


def test_a_full_disk_for_the_log_stops_no_answer(stage, tiny_glm4v):
    """Every word that the worker logs fails with "no space left on device"."""
    stage.settings(generation=SHORT)
    logs = stage.folder / "glm4v-tui" / "state" / "log"
    logs.mkdir(parents=True)
    full_log = f'ln -s /dev/full {logs}/worker-$$.log; exec "$@"'
    command = program("--model", tiny_glm4v, "--device", "cpu")
    chat = stage.start(argv=["sh", "-c", full_log, "sh", *command])
    chat.wait_for("ready", timeout=60)
    ask(chat, "What is it?")
    chat.wait_for(DONE, timeout=60)
    assert (logs / f"worker-{chat.process.pid}.log").is_char_device()
    assert Path(f"/proc/{chat.worker().pid}/fd/2").resolve() == Path("/dev/full")


def test_a_full_disk_stops_no_question(stage, picture):
    """No file of the interface may grow by a byte: no history, no state."""
    command = program(picture, "--scripted", stage.script("A square.", "Red."))
    chat = stage.start(argv=["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command])
    ask(chat, "What is it?")
    chat.wait_for("A square.")
    ask(chat, "What color?")
    chat.wait_for("Red.")
    chat.press("ctrl+q")
    assert chat.wait_exit() == 0


def test_a_home_that_cannot_be_written_stops_no_answer(stage, tiny_glm4v):
    stage.settings(generation=SHORT)
    (stage.folder / "glm4v-tui" / "state").write_text("a file where a folder should be")
    chat = stage.start("--model", tiny_glm4v, "--device", "cpu")
    chat.wait_for("ready", timeout=60)
    ask(chat, "What is it?")
    chat.wait_for(DONE, timeout=60)


# The checkpoint ---------------------------------------------------------------------------------


@pytest.fixture
def sharded(tmp_path):
    return make_glm4v(tmp_path / "sharded", shards=3)


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def test_a_missing_shard_is_named(load, sharded):
    missing = shards(sharded)[1]
    missing.unlink()
    chat = load(sharded, wait="loading failed")
    chat.wait_for(missing.name)


@pytest.mark.parametrize("damage", ["truncated", "no header", "empty"])
def test_a_damaged_shard_is_named(load, sharded, damage):
    broken = shards(sharded)[1]
    data = broken.read_bytes()
    broken.write_bytes(
        {"truncated": data[: len(data) // 2], "no header": b"\xff" * 4096, "empty": b""}[damage]
    )
    chat = load(sharded, wait="loading failed")
    chat.wait_for(broken.name)
    assert "Traceback" not in chat.screen_text()


def test_ask_says_the_same_and_exits_with_4(stage, sharded, picture):
    missing = shards(sharded)[1]
    missing.unlink()
    ask = stage.start("ask", picture, "-q", "What?", "--model", sharded, wait=missing.name)
    assert ask.wait_exit() == 4
    assert b"Traceback" not in ask.output


def test_a_folder_without_a_model_is_told(load, tmp_path):
    (tmp_path / "empty").mkdir()
    load(tmp_path / "empty", wait="loading failed")


def test_a_config_of_an_unknown_kind_is_told(load, sharded):
    config = sharded / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "nonesuch"}))
    chat = load(sharded, wait="loading failed")
    chat.wait_for("nonesuch")


# The terminal goes away -------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["starting", "loading", "idle", "answering"])
def test_a_closed_terminal_leaves_no_process(load, moment):
    chat = load(generation=LONG, wait="ready" if moment in ("idle", "answering") else "")
    worker = chat.worker()
    if moment == "loading":
        chat.wait_for("preparing|loading|ready", timeout=60)
    if moment == "answering":
        ask(chat, "Tell a long story.")
        chat.wait_for(ANSWERING, timeout=60)
    children = {worker, *chat.children()}
    chat.hang_up()
    chat.wait_exit(10)
    wait_gone(children)


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_interface_leaves_no_process(load, ends):
    chat = load(generation=LONG)
    ask(chat, "Tell a long story.")
    chat.wait_for(ANSWERING, timeout=60)
    children = chat.children()
    assert children
    chat.process.send_signal(ends)
    chat.wait_exit(10)
    wait_gone(children)


def test_ctrl_c_while_loading_leaves_and_ends_the_worker(load):
    chat = load(wait="")
    children = [chat.worker()]
    chat.press("ctrl+c")
    chat.wait_for("again to quit")
    chat.press("ctrl+c")
    assert chat.wait_exit() == 130
    wait_gone(children)


def test_ctrl_c_in_the_terminal_does_not_reach_the_worker(load):
    """It is the interface's to decide: the worker has a session of its own."""
    chat = load()
    worker = chat.worker()
    chat.press("ctrl+c")
    chat.wait_for("again to quit")
    ask(chat, "Still there?")
    chat.wait_for(DONE, timeout=60)
    assert chat.worker() == worker
    assert psutil.Process(worker.pid).ppid() == chat.process.pid


def test_two_instances_have_a_worker_each(load):
    one, two = load(), load()
    assert one.worker().pid != two.worker().pid
    one.press("ctrl+q")
    assert one.wait_exit() == 0
    ask(two, "Still there?")
    two.wait_for(DONE, timeout=60)


def test_a_wrong_setting_names_file_and_key(stage):
    stage.settings(generation={"temperatur": 0.5})
    ended = stage.start("--scripted", stage.script("Yes."), wait="temperature")
    assert ended.wait_exit() == 2
    assert b"config.toml" in ended.output
    assert b"Traceback" not in ended.output
