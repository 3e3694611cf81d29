"""GPUs, their driver against torch's CUDA, and the host's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui import gpu
from glm4v_tui.doctor.finding import Finding, Status
from glm4v_tui.doctor.software import TorchBuild, torch_build

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_DRIVERS = {11: 450, 12: 525, 13: 580}
"""CUDA's major version to the first driver that runs it, on Linux (NVIDIA, "CUDA compatibility",
table 1)."""
GIB = 1 << 30
_LITTLE_RAM = 4 * GIB


def check() -> Iterator[Finding]:
    report = gpu.read_gpus()
    yield from check_gpus(report)
    yield from check_build(torch_build(), report)
    yield _ram(gpu.read_host())
    if (limit := gpu.limit_words()) is not None:
        yield _finding("address space", Status.WARN, *limit)


def check_gpus(report: gpu.GpuReport) -> Iterator[Finding]:
    """Each GPU and its memory, or why there is none."""
    if not report.gpus:
        reason = report.reason or "the driver shows none"
        yield _finding(
            "GPU",
            Status.WARN,
            f"none: {reason}",
            "Small models run on the CPU. For a GPU, install NVIDIA's driver "
            "(in a container: start it with --gpus all) until nvidia-smi shows it.",
        )
        return
    visible = gpu.visible_gpus(report.gpus)
    for reading in report.gpus:
        hidden = "" if reading in visible else ", hidden by CUDA_VISIBLE_DEVICES"
        yield _finding(
            f"GPU {reading.index}", Status.OK, f"{reading.name}, {_memory(reading)}{hidden}"
        )
    if not visible:
        yield _finding(
            "GPU choice",
            Status.WARN,
            "CUDA_VISIBLE_DEVICES leaves no GPU: the model would run on the CPU",
            "Unset CUDA_VISIBLE_DEVICES, or name a GPU in it.",
        )


def check_build(build: TorchBuild | None, report: gpu.GpuReport) -> Iterator[Finding]:
    """Whether torch and the driver can work together."""
    if build is None:
        return  # that torch is missing is told among the packages
    if build.hip:
        yield _finding("torch build", Status.OK, f"{build.version} for ROCm {build.hip}")
    elif build.cuda is None:
        yield _cpu_build(build, has_gpu=bool(report.gpus))
    else:
        yield _cuda_build(build.version, build.cuda, report.driver_version)


def _cpu_build(build: TorchBuild, *, has_gpu: bool) -> Finding:
    told = f"{build.version}, for the CPU only"
    if not has_gpu:
        return _finding("torch build", Status.OK, told)
    remedy = (
        "Run: pip install --force-reinstall torch torchvision "
        "--index-url https://download.pytorch.org/whl/cu128"
    )
    return _finding("torch build", Status.WARN, f"{told}: the GPU stays unused", remedy)


def _cuda_build(version: str, cuda: str, driver: str | None) -> Finding:
    told = f"{version} for CUDA {cuda}"
    if driver is None:
        return _finding("torch build", Status.OK, told)
    told += f", driver {driver}"
    major = _major(cuda)
    oldest = OLDEST_DRIVERS.get(major, 0)
    if _major(driver) >= oldest:
        return _finding("torch build", Status.OK, told)
    fitting = [known for known, first in OLDEST_DRIVERS.items() if first <= _major(driver)]
    other = f", or a torch built for CUDA {max(fitting)}" if fitting else ""
    return _finding(
        "torch build",
        Status.FAIL,
        f"{told}: CUDA {major} needs driver {oldest} or newer",
        f"Install NVIDIA driver {oldest} or newer{other}; or use --device cpu.",
    )


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _memory(reading: gpu.GpuReading) -> str:
    if reading.memory_total is None:
        return "memory unknown"
    free = reading.memory_free
    free_told = "" if free is None else f", {free / GIB:.1f} free"
    shared = ", shared with the CPU" if reading.is_unified else ""
    return f"{reading.memory_total / GIB:.1f} GiB{free_told}{shared}"


def _ram(host: gpu.HostMemory | None) -> Finding:
    if host is None:
        return _finding("RAM", Status.OK, "unknown")
    told = f"{host.total / GIB:.1f} GiB, {host.available / GIB:.1f} free"
    if host.available < _LITTLE_RAM:
        remedy = "End other programs: loading a model passes through the host's memory."
        return _finding("RAM", Status.WARN, told, remedy)
    return _finding("RAM", Status.OK, told)


def _finding(name: str, status: Status, detail: str, remedy: str = "") -> Finding:
    return Finding("hardware", name, status, detail, remedy)
