"""A look at installed or unfinished plugins from a process of their own.

Whatever a plugin does while it is loaded, it does to that process: it may print, hang, leave or
crash. The child answers with one JSON file::

    python -P -m glm4v_tui.tasks.probe ANSWER < request
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.plain import plain_line
from glm4v_tui.tasks import hookspecs
from glm4v_tui.tasks.plugin_report import PluginState
from glm4v_tui.tasks.plugins import bundled_tasks, find_plugins, load_alone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import Distribution

LIMIT_S = 30.0
"""A plugin that is not loaded by then never will be."""


class Installed(msgspec.Struct, frozen=True):
    """An entry point in the group, and the distribution that it comes from."""

    name: str
    value: str
    """The module that has the hooks."""
    distribution: str = ""
    version: str = ""
    url: str = ""
    """Where it was installed from, when that was no package index."""


class Probed(msgspec.Struct, frozen=True):
    """What became of a plugin in a process of its own."""

    state: PluginState
    reasons: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    seconds: float = 0.0
    tasks: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    exporters: tuple[str, ...] = ()

    @property
    def is_fit(self) -> bool:
        """Nothing at all is wrong with it."""
        return self.state is PluginState.OK

    @property
    def brings(self) -> str:
        return brings_in_words(self.tasks, self.readers, self.exporters)


def brings_in_words(tasks: Sequence[str], readers: Sequence[str], exporters: Sequence[str]) -> str:
    """What a plugin brings: ``tasks caps, lids; reader DICOM``; ``nothing``."""
    parts = (("task", tasks), ("reader", readers), ("exporter", exporters))
    said = [f"{kind}{'s' * (len(names) > 1)} {', '.join(names)}" for kind, names in parts if names]
    return "; ".join(said) or "nothing"


class Request(msgspec.Struct, frozen=True):
    """What the child is to do: load a plugin, or say which there are."""

    plugin: Installed | None = None
    folders: tuple[str, ...] = ()
    """Looked through for modules before anything else."""


def installed_plugins() -> list[Installed]:
    """The plugins that a process started now would find.

    Raises:
        OSError, ValueError: no process could be started, or it did not answer.
    """
    answer, ended = _ask(Request(), LIMIT_S)
    if answer is None:
        raise ValueError(ended)
    return msgspec.json.decode(answer, type=list[Installed])


def probe(plugin: Installed, folders: tuple[str, ...] = (), *, limit_s: float = LIMIT_S) -> Probed:
    """Load a plugin, call its hooks and try its tasks, all in a process that may break."""
    answer, ended = _ask(Request(plugin, folders), limit_s)
    if answer is None:
        return Probed(PluginState.FAILED, (ended,))
    return msgspec.json.decode(answer, type=Probed)


def _ask(request: Request, limit_s: float) -> tuple[bytes | None, str]:
    """The child's answer; without one, how the child ended."""
    with tempfile.TemporaryDirectory(prefix="glm4v-tui-") as folder:
        answer, printed = Path(folder, "answer.json"), Path(folder, "printed.txt")
        with printed.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(answer)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            ended = _awaited(child, msgspec.json.encode(request), limit_s)
        if answer.exists():
            return answer.read_bytes(), ""
        lines = printed.read_text("utf-8", "replace").strip().splitlines()
        said = f" ({plain_line(lines[-1])[:200]})" if lines else ""
        return None, ended + said


def _awaited(child: subprocess.Popen[bytes], request: bytes, limit_s: float) -> str:
    """How the child ended; all that it started is ended with it."""
    try:
        child.communicate(request, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return f"it was not loaded after {limit_s:g} s"
    finally:
        _end(child)
    if child.returncode < 0:
        return f"it ended its process by {signal.Signals(-child.returncode).name}"
    return f"it ended its process with exit code {child.returncode}"


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of it is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _url(distribution: Distribution | None) -> str:
    """Of ``direct_url.json`` (PEP 610)."""
    text = distribution.read_text("direct_url.json") if distribution else None
    try:
        found = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return ""
    return str(found.get("url", "")) if isinstance(found, dict) else ""


def describe(entry: EntryPoint) -> Installed:
    """An entry point as a plain value."""
    dist = entry.dist
    return Installed(
        entry.name,
        entry.value,
        dist.name if dist else "",
        dist.version if dist else "",
        _url(dist),
    )


def _loaded(request: Installed) -> Probed:
    from glm4v_tui.tasks.rehearsal import hints_for, rehearse

    entry = EntryPoint(request.name, request.value, hookspecs.PROJECT)
    plugins = load_alone(entry)
    report = plugins.reports[0]
    hints: list[str] = []
    for task in plugins.tasks.values():
        for problem in rehearse(task):
            report.warn(problem)
        hints += hints_for(task)
    taken = bundled_tasks(but=request.name)
    for name in set(report.tasks) & taken.keys():
        report.warn(f"the task {name} comes from the bundled plugin {taken[name]} already")
    return Probed(
        report.state,
        tuple(report.reasons),
        tuple(hints),
        report.seconds,
        tuple(report.tasks),
        tuple(report.readers),
        tuple(report.exporters),
    )


def main() -> None:
    """The child."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    sys.path[:0] = request.folders
    found = _loaded(request.plugin) if request.plugin else [*map(describe, find_plugins())]
    answer = Path(sys.argv[1])
    unfinished = answer.with_suffix(".part")
    unfinished.write_bytes(msgspec.json.encode(found))
    unfinished.replace(answer)
    os._exit(0)  # whatever threads and exit functions the plugin has left


if __name__ == "__main__":
    main()
