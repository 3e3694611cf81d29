"""Downloads for the model's process, by the real client from a hub on this host."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_hub import COMMIT, EXTRAS, HUB_ID, FakeHub, environment, serving

# Loads nothing: resolves the name, fetches what is not in the cache (with "again" in any case),
# and says in JSON what happened.
SCRIPT = """
import json, sys
from pathlib import Path
from glm4v_tui.inference.environment import prepare_environment
prepare_environment()
from glm4v_tui.checkpoint import inspect_checkpoint, resolve_model
from glm4v_tui.inference.failures import explain
from glm4v_tui.inference.hub import fetch_checkpoint
told = []
try:
    source = resolve_model(sys.argv[1])
    folder = source.folder
    if folder is None or "again" in sys.argv:
        tell = lambda done, total: told.append((done, total))
        folder = fetch_checkpoint(source.hub_id, tell, source.revision)
    after = resolve_model(sys.argv[1]).folder
    print(json.dumps({
        "told": told, "cached": source.folder, "after": after == folder,
        "files": sorted(file.name for file in Path(folder).rglob("*")),
        "loadable": inspect_checkpoint(Path(folder)).is_loadable,
    }))
except Exception as error:
    problem = explain(error, "loading the model")
    print(json.dumps({
        "class": type(problem).__name__, "title": problem.title, "remedy": problem.remedy,
        "body": problem.body,
    }))
"""


@pytest.fixture
def hub(tiny_glm4v: Path) -> Iterator[FakeHub]:
    with serving(tiny_glm4v) as hub:
        yield hub


def fetch(hub_id: str, home: Path, endpoint: str, *more: str, **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, hub_id, *more],
        env=environment(endpoint, home, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_mirror_is_asked_and_only_safe_files_are_fetched(
    hub: FakeHub, tmp_path: Path, tiny_glm4v: Path
) -> None:
    answer = fetch(HUB_ID, tmp_path, hub.url)
    assert answer["files"] == sorted(file.name for file in tiny_glm4v.iterdir())
    assert answer["loadable"]
    assert answer["cached"] is None
    assert answer["after"]
    assert not any(name in request for request in hub.asked for name in EXTRAS)
    total = sum(file.stat().st_size for file in tiny_glm4v.iterdir())
    done = [done for done, _ in answer["told"]]
    assert done == sorted(done)
    assert (done[0], answer["told"][-1]) == (0, [total, total])
    assert {total for _, total in answer["told"]} == {total}


def test_what_is_here_is_not_fetched_again(hub: FakeHub, tmp_path: Path) -> None:
    fetch(HUB_ID, tmp_path, hub.url)
    again = fetch(HUB_ID, tmp_path, hub.url, "again")
    assert again["told"][0][0] == again["told"][0][1] > 0
    assert hub.bytes_given("model.safetensors") == len(hub.files["model.safetensors"])


@pytest.mark.parametrize("variables", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_what_is_here_needs_no_hub(hub: FakeHub, tmp_path: Path, variables: dict[str, str]) -> None:
    fetch(HUB_ID, tmp_path, hub.url)
    answer = fetch(HUB_ID, tmp_path, "http://127.0.0.1:9", **variables)
    assert answer["cached"]
    assert answer["loadable"]
    assert answer["told"] == []


@pytest.mark.parametrize("revision", ["v1", COMMIT])
def test_a_revision_is_named_behind_an_at_sign(revision: str, hub: FakeHub, tmp_path: Path) -> None:
    assert fetch(f"{HUB_ID}@{revision}", tmp_path, hub.url)["after"]
    assert fetch(f"{HUB_ID}@{revision}", tmp_path, "http://127.0.0.1:9")["cached"]


def test_what_transformers_would_fetch_itself_is_found_in_the_cache(
    hub: FakeHub, tmp_path: Path
) -> None:
    """The cache is in the library's layout: its own client finds every file without the hub."""
    fetch(HUB_ID, tmp_path, hub.url)
    code = (
        "import sys; from huggingface_hub import hf_hub_download, scan_cache_dir\n"
        f"print(hf_hub_download('{HUB_ID}', 'config.json'))\n"
        "(repo,) = scan_cache_dir().repos; print(repo.repo_id, len(repo.revisions))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment("http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[1:] == [f"{HUB_ID} 1"], done.stderr


def test_an_unknown_id_says_so(hub: FakeHub, tmp_path: Path) -> None:
    answer = fetch("owner/other", tmp_path, hub.url)
    assert (answer["class"], answer["title"]) == ("CheckpointError", "The hub has no such model")
    assert answer["remedy"]


def test_no_connection_says_so(tmp_path: Path) -> None:
    answer = fetch(HUB_ID, tmp_path, "http://127.0.0.1:9")
    assert answer["title"] == "The hub cannot be reached", answer
    assert "HF_ENDPOINT" in answer["remedy"]


@pytest.mark.parametrize("switch", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode_says_so_and_names_the_switch(tmp_path: Path, switch: str) -> None:
    answer = fetch(HUB_ID, tmp_path, "http://127.0.0.1:9", **{switch: "1"})
    assert "the hub is switched off" in answer["title"], answer
    assert switch in answer["remedy"], answer
