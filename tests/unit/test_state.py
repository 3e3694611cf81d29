"""What the program remembers, and that no fault of the disk stops it."""

import json
import multiprocessing
import os
import resource
from pathlib import Path

import pytest

from glm4v_tui import prompt_history
from glm4v_tui.prompt_history import append_prompt, load_prompts
from glm4v_tui.state import RecentModel, State, load_state, save_state, update_state


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "state" / "state.toml"


def test_what_is_saved_comes_back(path):
    state = State(last_folder='/data/"scans"\n2', theme="paper", theme_over="graphite")
    assert save_state(state, path) is None
    assert load_state(path) == (state, None)
    assert [file.name for file in path.parent.iterdir()] == ["state.toml"]


def test_the_first_start_has_defaults_and_no_warning(path):
    assert load_state(path) == (State(), None)


@pytest.mark.parametrize("content", [b"last_folder = ", b"\xff", b"[x"])
def test_a_corrupt_file_gives_defaults_and_a_warning(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    state, warning = load_state(path)
    assert state == State()
    assert warning is not None
    assert "state.toml could not be read" in warning
    assert save_state(State(theme="paper"), path) is None
    assert load_state(path)[0].theme == "paper"


def test_a_wrong_or_later_field_costs_only_itself(path):
    path.parent.mkdir()
    path.write_text('last_folder = "/data"\ntheme = 3\nwindow = [1, 2]\n')
    assert load_state(path) == (State(last_folder="/data"), None)


def test_models_are_remembered_and_nonsense_in_their_place_costs_only_them(path):
    models = (RecentModel("/models/x", "int4", "cuda"), RecentModel("a/b"))
    assert update_state(path, recent_models=models, theme="paper") is None
    assert load_state(path)[0].recent_models == models
    path.write_text('theme = "paper"\nrecent_models = [{ model = 3 }]\n')
    assert load_state(path) == (State(theme="paper"), None)


def test_a_place_that_cannot_be_written_gives_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    warning = save_state(State(), tmp_path / "file" / "state.toml")
    assert warning is not None
    assert "could not be written" in warning


def test_a_folder_name_that_is_not_unicode_gives_a_warning(path):
    folder = os.fsdecode(b"/data/\xff")
    assert "could not be written" in (save_state(State(last_folder=folder), path) or "")


def test_a_full_disk_keeps_the_old_state_whole(path):
    save_state(State(last_folder="/data"), path)
    warning = _with_full_disk(lambda: save_state(State(last_folder="/" + "x" * 9000), path))
    assert "could not be written: File too large" in (warning or "")
    assert load_state(path) == (State(last_folder="/data"), None)
    assert len(list(path.parent.iterdir())) == 1


def test_an_update_keeps_the_other_fields(path):
    save_state(State(last_folder="/data", theme="paper"), path)
    update_state(path, last_folder="/other")
    assert load_state(path)[0] == State(last_folder="/other", theme="paper")


def test_a_chosen_theme_stays_until_the_settings_change():
    state = State(theme="amber", theme_over="graphite")
    assert state.theme_for("graphite") == "amber"
    assert state.theme_for("paper") == "paper"
    assert State().theme_for("paper") == "paper"


def test_prompts_come_back_oldest_first(path):
    for prompt in ("one", "two\nlines", "two\nlines", "drei ü"):
        assert append_prompt(prompt, path) is None
    assert load_prompts(path) == (["one", "two\nlines", "drei ü"], None)


def test_empty_and_endless_prompts_are_not_kept(path):
    append_prompt("  \n", path)
    append_prompt("x" * (prompt_history.LONGEST_PROMPT + 1), path)
    assert load_prompts(path) == ([], None)


def test_a_torn_line_costs_only_itself(path):
    append_prompt("one", path)
    with path.open("ab") as file:
        file.write(b'{"text": "tw')
    append_prompt("three", path)
    with path.open("ab") as file:
        file.write(b'{"text": "\xff"}\nnull\n{"text": 3}\n{"tex')
    assert load_prompts(path) == (["one", "three"], None)


def test_only_the_last_prompts_are_read(path):
    path.parent.mkdir()
    path.write_text("".join(json.dumps({"text": str(n)}) + "\n" for n in range(2000)))
    prompts, _ = load_prompts(path)
    assert len(prompts) == prompt_history.LENGTH
    assert prompts[-1] == "1999"


def test_the_space_is_bounded_and_nothing_recent_is_lost(path, monkeypatch):
    monkeypatch.setattr(prompt_history, "FILE_BYTES", 1000)
    for number in range(200):
        append_prompt(f"prompt {number}", path)
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 3000
    prompts, _ = load_prompts(path)
    assert prompts[-10:] == [f"prompt {number}" for number in range(190, 200)]


def test_two_instances_append_at_once(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(name, path)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    prompts, warning = load_prompts(path)
    assert warning is None
    assert sorted(prompts) == sorted(f"{name}{n}" for name in "ab" for n in range(100))


def test_a_full_disk_costs_one_prompt(path):
    append_prompt("one", path)
    warning = _with_full_disk(lambda: append_prompt("x" * 9000, path))
    append_prompt("three", path)
    prompts, _ = load_prompts(path)
    assert warning is not None
    assert prompts == ["one", "three"]


def _append_many(name: str, path: Path) -> None:
    for number in range(100):
        append_prompt(f"{name}{number}", path)


def _with_full_disk(act):
    """Run with a limit on file size, which fails a write in the middle as a full disk does."""
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        return act()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
