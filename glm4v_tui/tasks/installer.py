"""The environment's own installer: which it is, how it is called, and what its failures mean."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui.errors import PluginError, UsageError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from glm4v_tui.tasks.specs import Spec


@dataclass(frozen=True)
class Environment:
    """What decides how packages come into a Python environment."""

    prefix: Path
    python: str
    is_virtual: bool
    """It is not the system's own Python."""
    is_managed: bool
    """The system's package manager keeps others out (PEP 668)."""
    has_pip: bool
    uv: str | None
    """Where uv is, when it can be called."""

    @classmethod
    def current(cls) -> Environment:
        """Of this process."""
        marker = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
        return cls(
            Path(sys.prefix),
            sys.executable,
            is_virtual=sys.prefix != sys.base_prefix,
            is_managed=marker.exists(),
            has_pip=importlib.util.find_spec("pip") is not None,
            uv=shutil.which("uv"),
        )

    @property
    def is_of_uv(self) -> bool:
        """uv made it, and says so in ``pyvenv.cfg``."""
        try:
            lines = (self.prefix / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
        except OSError:
            return False
        return any(line.partition("=")[0].strip() == "uv" for line in lines)


@dataclass(frozen=True)
class Installer:
    """How to call it; each call is a list of words."""

    _install: tuple[str, ...]
    _uninstall: tuple[str, ...]

    def install(self, specs: Iterable[Spec], *, upgrade: bool = False) -> list[str]:
        words = [word for spec in specs for word in spec.arguments]
        return [*self._install, *(["--upgrade"] if upgrade else []), *words]

    def uninstall(self, names: Iterable[str]) -> list[str]:
        return [*self._uninstall, *names]


def find_installer(environment: Environment) -> Installer:
    """The installer that belongs to an environment.

    Raises:
        UsageError: nothing may or can be installed into it; says what to do.
    """
    _refuse_foreign(environment)
    if environment.uv and (environment.is_of_uv or not environment.has_pip):
        target = ("--python", environment.python)
        return Installer(
            (environment.uv, "pip", "install", *target),
            (environment.uv, "pip", "uninstall", *target),
        )
    if not environment.has_pip:
        raise UsageError(
            "There is no installer in this environment",
            f"{environment.prefix} has no pip, and there is no uv on PATH.",
            f"Give it one: {environment.python} -m ensurepip, or install uv.",
        )
    pip = (environment.python, "-m", "pip")
    quiet = ("--disable-pip-version-check", "--no-input")
    return Installer((*pip, "install", *quiet), (*pip, "uninstall", *quiet, "-y"))


def _refuse_foreign(environment: Environment) -> None:
    if (environment.prefix / "pipx_metadata.json").exists():
        name = environment.prefix.name
        raise UsageError(
            "This environment belongs to pipx",
            f"{environment.prefix}: pipx keeps its own list of what is in it.",
            f"Let pipx do it: pipx inject {name} PLUGIN, or pipx uninject {name} PLUGIN.",
        )
    if environment.is_managed and not environment.is_virtual:
        raise UsageError(
            "This Python belongs to the operating system",
            "It is marked as externally managed (PEP 668), so nothing is installed into it.",
            "Install glm4v-tui in an environment of its own: python3 -m venv ~/glm4v, "
            "then ~/glm4v/bin/pip install glm4v-tui.",
        )


_NOISE = ("Requirement already satisfied", "  Preparing metadata", "  Stored in directory")
"""Lines of pip's that hide what matters: one for each package that is there already."""


def run_installer(command: list[str], tell: Callable[[str], None]) -> None:
    """Run it to its end and tell each line as it comes.

    Raises:
        PluginError: it failed; says why in plain words where that can be known.
    """
    lines: list[str] = []
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as child:
            assert child.stdout is not None
            for raw in child.stdout:
                lines.append(plain_line(raw.decode("utf-8", "replace").rstrip()))
                if not lines[-1].startswith(_NOISE):
                    tell(lines[-1])
    except OSError as error:
        raise PluginError("The installer cannot be started", str(error)) from error
    if child.returncode:
        raise failure(lines, child.returncode)


_CAUSES = (
    (
        r"externally.managed",
        "This Python belongs to the operating system",
        "Install glm4v-tui in an environment of its own: python3 -m venv ~/glm4v, "
        "then ~/glm4v/bin/pip install glm4v-tui.",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ConnectionError|ProxyError|getaddrinfo"
        r"|name resolution|resolve host|dns error"
        r"|[Nn]etwork (is unreachable|connectivity|was disabled)|error sending request"
        r"|[Cc]onnection (refused|reset|timed out)",
        "The package index cannot be reached",
        "Check the network and its proxy (HTTPS_PROXY), name another index (PIP_INDEX_URL or "
        "UV_INDEX_URL), or give the file of a wheel.",
    ),
    (
        r"No matching distribution|not found in the (package registry|cache)|404 Client Error",
        "There is no such package",
        "Check its name and version, and that the index can be reached. A folder is written with "
        "./ before it.",
    ),
    (
        r"ResolutionImpossible|[Cc]onflict|No solution found",
        "The plugin does not fit what is installed",
        "Ask its author for a version for this glm4v-tui and Python.",
    ),
    (
        r"Permission denied|not writ[e]?able|Read-only file system",
        "This environment cannot be written",
        "Install glm4v-tui in an environment of your own: python3 -m venv ~/glm4v.",
    ),
    (
        r"BackendUnavailable|metadata.generation.failed|[Bb]uild backend|build dependencies",
        "The plugin cannot be built",
        "glm4v-tui plugin check FOLDER says what is wrong with a project.",
    ),
)
"""(what the installer writes, what it means, what to do), the surest first."""


def failure(lines: list[str], returncode: int) -> PluginError:
    """The error behind an installer's last words."""
    text = "\n".join(lines)
    said = [line for line in lines if re.match(r"\s*(error:|ERROR:|×|╰|cause:|Caused by)", line)]
    reason = " ".join(line.strip() for line in (said or lines[-1:])[:3])[:500]
    body = reason or f"The installer ended with exit code {returncode}."
    for pattern, title, remedy in _CAUSES:
        if re.search(pattern, text):
            return PluginError(title, body, remedy)
    return PluginError("The installer failed", body, "What it wrote stands above.")
