"""The model: where it is, whether it is whole, whether it will fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glm4v_tui import demo, gpu
from glm4v_tui.doctor import hub, tensors
from glm4v_tui.doctor.finding import Finding, Status
from glm4v_tui.errors import GlmError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from glm4v_tui.checkpoint import CheckpointReport, ModelSource

GIB = 1 << 30
_EMBEDDED = "none: the small embedded model answers; F4 or --model names another"


def check(name: str, device: str = "auto") -> Iterator[Finding]:
    """Look a model over without loading it.

    Args:
        name: A folder or a hub id; empty when none was chosen, which means the embedded one.
    """
    from glm4v_tui.checkpoint import inspect_checkpoint, resolve_model

    if not name:
        yield _finding("choice", Status.OK, _EMBEDDED)
    try:
        source = resolve_model(name or str(demo.CHECKPOINT))
    except GlmError as error:
        yield _failed("model", error.title, error.body, error.remedy)
        return
    if source.folder is None:
        yield _not_here_yet(source)
        yield from hub.check(source)
        return
    report = inspect_checkpoint(Path(source.folder))
    lacking = tensors.check(Path(source.folder)) if report.is_loadable else None
    if lacking is not None:
        yield lacking
    elif report.is_loadable:
        yield _finding("model", Status.OK, f"{source.name}: {_what_it_is(report)}")
        yield _room(report, device)
    for problem in report.problems:
        yield _failed(source.short_name, problem.title, problem.body, problem.remedy)
    for hint in report.hints:
        told = f"{hint.title}: {hint.body}"
        yield _finding(source.short_name, Status.WARN, told, hint.remedy)


def _what_it_is(report: CheckpointReport) -> str:
    files = "1 file" if len(report.files) == 1 else f"{len(report.files)} files"
    return (
        f"{report.model_type}, {_size(report.parameters)} parameters, "
        f"{report.weight_bytes / GIB:.1f} GiB {report.dtype} in {files}, whole"
    )


def _size(parameters: int) -> str:
    for unit, name in ((10**9, "billion"), (10**6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.1f} {name}"
    return str(parameters)


def _room(report: CheckpointReport, device: str) -> Finding:
    """Weights against free memory; what a conversation takes comes on top."""
    gpus = () if device == "cpu" else gpu.visible_gpus(gpu.read_gpus().gpus)
    free = [reading.memory_free for reading in gpus if reading.memory_free is not None]
    where = "GPU memory"
    if not free:
        host = gpu.read_host()
        where, free = "RAM", [host.available] if host else []
    need = report.weight_bytes
    if not free:
        return _finding("room", Status.OK, f"needs {need / GIB:.1f} GiB; free memory is unknown")
    told = f"weights of {need / GIB:.1f} GiB, {sum(free) / GIB:.1f} GiB of {where} free"
    if need < sum(free):
        return _finding("room", Status.OK, told)
    remedy = "End what holds the memory, or choose a smaller model."
    return _finding("room", Status.WARN, told, remedy)


def _not_here_yet(source: ModelSource) -> Finding:
    lacking = hub.lacking(source)
    if lacking:
        return _finding(
            "model",
            Status.WARN,
            f"{source.name} is in the cache, but not whole: {'; '.join(lacking)}",
            f"Run: glm4v-tui model pull {source.name} (what is here need not come again), or "
            f"glm4v-tui model verify {source.name} --mend",
        )
    return _finding(
        "model",
        Status.WARN,
        f"{source.name} is not on this host yet: the first start downloads it",
        f"To do it now: glm4v-tui model pull {source.name}",
    )


def _failed(name: str, title: str, body: str, remedy: str) -> Finding:
    return _finding(name, Status.FAIL, f"{title}: {body}" if body else title, remedy)


def _finding(name: str, status: Status, detail: str, remedy: str = "") -> Finding:
    return Finding("model", name, status, detail, remedy)
