"""Python, the packages this program needs, and the CUDA build of torch."""

from __future__ import annotations

import importlib.metadata as metadata
import platform
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.doctor.finding import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

DISTRIBUTION = "glm4v-tui"
OLDEST_PYTHON = (3, 11)


class TorchBuild(msgspec.Struct, frozen=True):
    version: str
    cuda: str | None
    """CUDA version it was built with, such as ``12.8``; None without CUDA."""
    hip: str | None
    """The same for AMD's ROCm."""


def check() -> Iterator[Finding]:
    yield _python()
    yield from check_packages(_requirements())
    yield from _bitsandbytes(torch_build())


def check_packages(requirements: list[str]) -> Iterator[Finding]:
    """One finding for each requirement that applies to this machine.

    Args:
        requirements: As in a package's metadata: ``torch>=2.11; sys_platform == 'linux'``.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield _finding("packages", Status.WARN, "not checked", "Run: pip install packaging")
        return
    if not requirements:
        detail = "this program was not installed as a package, so its needs are unknown"
        yield _finding("packages", Status.WARN, detail, "Install it with pip.")
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement)


def torch_build() -> TorchBuild | None:
    """How torch was built, read from its ``version.py`` as text; None when it is not there."""
    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return None
    try:
        text = (Path(spec.submodule_search_locations[0]) / "version.py").read_text()
    except OSError:
        return None
    return TorchBuild(_value(text, "__version__") or "", _value(text, "cuda"), _value(text, "hip"))


def _value(text: str, name: str) -> str | None:
    found = re.search(rf"^{name}\b[^=\n]*=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    return found[1] if found else None


def _python() -> Finding:
    told = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] < OLDEST_PYTHON:
        remedy = f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."
        return _finding("Python", Status.FAIL, told, remedy)
    return _finding("Python", Status.OK, told)


def _requirements() -> list[str]:
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []


def _package(requirement: Requirement) -> Finding:
    wanted = f"{requirement.name}{requirement.specifier}"
    install = f"Run: pip install '{wanted}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return _finding(requirement.name, Status.FAIL, "not installed", install)
    if not requirement.specifier.contains(version, prereleases=True):
        told = f"{version}, but {requirement.specifier} is needed"
        return _finding(requirement.name, Status.FAIL, told, install)
    return _finding(requirement.name, Status.OK, version)


def _bitsandbytes(build: TorchBuild | None) -> Iterator[Finding]:
    """Its compiled part comes in one file for each CUDA version."""
    spec = find_spec("bitsandbytes")
    if build is None or build.cuda is None or spec is None or not spec.submodule_search_locations:
        return
    folder = Path(spec.submodule_search_locations[0])
    wanted = f"libbitsandbytes_cuda{build.cuda.replace('.', '')}.so"
    if not (folder / wanted).exists():
        yield _finding(
            "bitsandbytes CUDA",
            Status.WARN,
            f"has no {wanted}, which torch's CUDA {build.cuda} needs; bf16 works without",
            "Run: pip install --upgrade bitsandbytes",
        )


def _finding(name: str, status: Status, detail: str, remedy: str = "") -> Finding:
    return Finding("software", name, status, detail, remedy)
