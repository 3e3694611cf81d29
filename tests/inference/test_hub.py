"""Downloads by the real client from a hub on this host that speaks the hub's protocol."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "a" * 40
HUB_ID = "owner/tiny"
_EXTRAS = {
    "modeling_own.py": b"raise SystemExit('remote code ran')",
    "pytorch_model.bin": b"pickle",
    "README.md": b"# tiny",
    "original/consolidated.safetensors": b"a copy",
}

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
    cached = resolve_model(sys.argv[1]).folder
    folder = cached
    if cached is None or "again" in sys.argv:
        folder = fetch_checkpoint(sys.argv[1], lambda done, total: told.append((done, total)))
    after = resolve_model(sys.argv[1]).folder
    print(json.dumps({
        "told": told, "cached": cached, "after": after == folder,
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


class _Hub(BaseHTTPRequestHandler):
    files: dict[str, bytes]
    asked: list[str]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def _respond(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{HUB_ID}/revision/") or path == f"/api/models/{HUB_ID}":
            siblings = [{"rfilename": name} for name in self.files]
            self._send_json({"id": HUB_ID, "sha": COMMIT, "siblings": siblings})
        elif path.startswith(f"/api/models/{HUB_ID}/tree/"):
            self._send_json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": _digest(data)}
                    for name, data in self.files.items()
                ]
            )
        elif match := re.fullmatch(rf"/{HUB_ID}/resolve/{COMMIT}/(.+)", path):
            self._send_file(self.files[match[1]])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send_json(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send_file(self, data: bytes) -> None:
        self._send(data, {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": COMMIT})

    def _send(self, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def _digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(tiny_glm4v: Path) -> Iterator[ThreadingHTTPServer]:
    files = {file.name: file.read_bytes() for file in tiny_glm4v.iterdir()} | _EXTRAS
    handler = type("Hub", (_Hub,), {"files": files, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(hub_id: str, home: Path, endpoint: str, *more: str, **environment: str) -> dict[str, Any]:
    # Whoever runs the tests may have switched the hub off, or told a mirror; these tests decide.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "TRANSFORMERS_", "HUGGINGFACE_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, hub_id, *more],
        env=clean | {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_mirror_is_asked_and_only_safe_files_are_fetched(
    hub: ThreadingHTTPServer, tmp_path: Path, tiny_glm4v: Path
) -> None:
    answer = fetch(HUB_ID, tmp_path, url(hub))
    assert answer["files"] == sorted(file.name for file in tiny_glm4v.iterdir())
    assert answer["loadable"]
    assert answer["cached"] is None
    assert answer["after"]
    asked = hub.RequestHandlerClass.asked  # type: ignore[attr-defined]
    assert not any(name in request for request in asked for name in _EXTRAS)
    total = sum(file.stat().st_size for file in tiny_glm4v.iterdir())
    done = [done for done, _ in answer["told"]]
    assert done == sorted(done)
    assert (done[0], answer["told"][-1]) == (0, [total, total])
    assert {total for _, total in answer["told"]} == {total}


def test_what_is_here_is_not_fetched_again(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    fetch(HUB_ID, tmp_path, url(hub))
    again = fetch(HUB_ID, tmp_path, url(hub), "again")
    assert again["told"][0][0] == again["told"][0][1] > 0
    asked = hub.RequestHandlerClass.asked  # type: ignore[attr-defined]
    assert sum(request.startswith("GET") and "safetensors" in request for request in asked) == 1


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_what_is_here_needs_no_hub(
    hub: ThreadingHTTPServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    fetch(HUB_ID, tmp_path, url(hub))
    answer = fetch(HUB_ID, tmp_path, "http://127.0.0.1:9", **environment)
    assert answer["cached"]
    assert answer["loadable"]
    assert answer["told"] == []


def test_an_unknown_id_says_so(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    answer = fetch("owner/other", tmp_path, url(hub))
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
