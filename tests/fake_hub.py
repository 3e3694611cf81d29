"""A model hub on this host: as much of its protocol as huggingface_hub speaks with it.

Large files are redirected to another path, as the real hub does, and come in ranges. What goes
wrong is said beforehand: a list of faults for each file, one for each request.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "a" * 40
HUB_ID = "owner/tiny"
EXTRAS = {
    "modeling_own.py": b"raise SystemExit('remote code ran')",
    "pytorch_model.bin": b"pickle",
    "model.fp16.safetensors": b"a variant",
    "README.md": b"# tiny",
    "original/consolidated.safetensors": b"a copy",
}


@dataclass
class Fault:
    """What happens at one request for a file in place of an answer."""

    cut_after: int | None = None
    """Close the connection when so many bytes were sent."""
    hang_after: int | None = None
    """Send no more after so many, until the hub is closed."""
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    is_corrupt: bool = False
    ignores_range: bool = False


class FakeHub:
    """Serves files as :data:`HUB_ID`.

    Args:
        files: Name -> content.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []
        self.given: list[tuple[str, int, int]] = []
        """(name, first byte, bytes sent) of every answer with a content."""
        self.faults: dict[str, list[Fault]] = {}
        self.is_gated = False
        self.info_faults: list[Fault] = []
        self.renamed: dict[str, str] = {}
        self.cdn = ""
        """Where large files are; empty for this server."""
        self.authorized: list[str] = []
        """Paths that were asked for with a token."""
        self.closing = threading.Event()
        self.hanging = threading.Event()
        """Set when an answer hangs."""
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def bytes_given(self, name: str) -> int:
        return sum(count for given, _, count in self.given if given == name)

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def serving(folder: Path, extras: dict[str, bytes] = EXTRAS) -> Iterator[FakeHub]:
    """A hub with a real checkpoint, and files beside it that nobody should fetch."""
    hub = FakeHub({file.name: file.read_bytes() for file in folder.iterdir()} | extras)
    try:
        yield hub
    finally:
        hub.close()


def environment(endpoint: str, home: Path, **more: str) -> dict[str, str]:
    """Whoever runs the tests may have switched the hub off or told a mirror; tests decide."""
    ours = ("HF_", "TRANSFORMERS_", "HUGGINGFACE_", "GLM4V_", "HTTP_PROXY", "HTTPS_PROXY")
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(ours)}
    return clean | {
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": endpoint,
        "GLM4V_TUI_HOME": str(home / "own"),
        "NO_PROXY": "127.0.0.1",
        **more,
    }


def digest(name: str, data: bytes) -> str:
    """SHA-256 for large files, Git's hash for others."""
    if _is_large(name):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin", "tokenizer.json"))


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._respond()

    def do_GET(self) -> None:
        self._respond()

    def _respond(self) -> None:
        hub, path = self.hub, self.path.partition("?")[0]
        hub.asked.append(f"{self.command} {self.path}")
        if "Authorization" in self.headers:
            hub.authorized.append(path)
        for old, new in hub.renamed.items():
            if f"/{old}/" in f"{path}/":
                self._send(b"", {"Location": self.path.replace(old, new)}, 307)
                return
        if re.fullmatch(rf"/api/models/{HUB_ID}(/revision/(main|v1|{COMMIT}))?", path):
            self._tell_info()
        elif path.startswith(f"/api/models/{HUB_ID}/revision/"):
            self._refuse(404, "RevisionNotFound")
        elif path.startswith(f"/api/models/{HUB_ID}/tree/"):
            self._send_json([{"type": "file", **one} for one in map(self._entry, hub.files)])
        elif match := re.fullmatch(rf"/{HUB_ID}/resolve/(main|v1|{COMMIT})/(.+)", path):
            self._resolve(match[2])
        elif match := re.fullmatch(r"/cdn/(.+)", path):
            self._give(match[1])
        else:
            self._refuse(404, "RepoNotFound")

    def _tell_info(self) -> None:
        if self.hub.info_faults:
            fault = self.hub.info_faults.pop(0)
            self._send(b"no", fault.headers, fault.status or 500)
            return
        siblings = []
        for name in self.hub.files:
            entry = self._entry(name)
            one = {"rfilename": name, "size": entry["size"], "blobId": entry["oid"]}
            if "lfs" in entry:
                one["lfs"] = {**entry["lfs"], "sha256": entry["lfs"]["oid"]}
            siblings.append(one)
        self._send_json({"id": HUB_ID, "sha": COMMIT, "siblings": siblings, "tags": []})

    def _entry(self, name: str) -> dict[str, Any]:
        data = self.hub.files[name]
        entry: dict[str, Any] = {"path": name, "size": len(data), "oid": digest("", data)}
        if _is_large(name):
            entry["lfs"] = {"oid": digest(name, data), "size": len(data), "pointerSize": 130}
        return entry

    def _resolve(self, name: str) -> None:
        if self.hub.is_gated:
            self._refuse(403, "GatedRepo")
        elif name not in self.hub.files:
            self._refuse(404, "EntryNotFound")
        elif _is_large(name):
            data = self.hub.files[name]
            headers = {
                "Location": f"{self.hub.cdn or self.hub.url}/cdn/{name}",
                "X-Linked-Etag": f'"{digest(name, data)}"',
                "X-Linked-Size": str(len(data)),
                "X-Repo-Commit": COMMIT,
            }
            self._send(b"", headers, 302)
        else:
            self._give(name)

    def _give(self, name: str) -> None:
        hub, data = self.hub, self.hub.files[name]
        fault = Fault()
        if self.command == "GET" and hub.faults.get(name):
            fault = hub.faults[name].pop(0)
        if fault.status is not None:
            self._send(b"no", fault.headers, fault.status)
            return
        headers = {"ETag": f'"{digest(name, data)}"', "X-Repo-Commit": COMMIT}
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and not fault.ignores_range:
            start, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            if start >= len(data):
                self._send(b"", {}, 416)
                return
        if fault.is_corrupt:
            data = bytes(byte ^ 1 for byte in data)
        self._send(data[start:], headers, status, fault, (name, start))

    def _refuse(self, status: int, code: str) -> None:
        self._send(b"", {"X-Error-Code": code}, status)

    def _send_json(self, value: Any) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self,
        data: bytes,
        headers: dict[str, str],
        status: int = 200,
        fault: Fault | None = None,
        about: tuple[str, int] | None = None,
    ) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "GET":
            return
        limits = [one for one in (fault.cut_after, fault.hang_after) if one is not None]
        sent = data[: min(limits, default=len(data))]
        self.wfile.write(sent)
        self.wfile.flush()
        if about is not None:
            self.hub.given.append((*about, len(sent)))
        if fault.hang_after is not None:
            self.hub.hanging.set()
            self.hub.closing.wait()
        if limits:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass
