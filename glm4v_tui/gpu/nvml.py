"""Readings of NVIDIA GPUs through NVML, whatever the driver leaves out."""

from __future__ import annotations

import sys
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from glm4v_tui.gpu.host import read_host
from glm4v_tui.gpu.readings import GpuReading, GpuReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RETRY_AFTER = 30
"""Readings to skip before a missing driver is looked for again."""

T = TypeVar("T")


class GpuMonitor:
    """Reads all GPUs again and again. Keeps NVML open and opens it anew after it was lost.

    Safe to call from several threads; they take turns.
    """

    def __init__(self, load_nvml: Callable[[], Any] | None = None) -> None:
        """``load_nvml`` returns the bindings; by default ``pynvml`` where a driver is there."""
        self._load_nvml = load_nvml or bindings
        self._lock = Lock()
        self._nvml: Any = None
        self._pause = 0
        self._reason = ""

    def read(self) -> GpuReport:
        """The state of now. A driver that is missing is looked for again every 30 readings."""
        with self._lock:
            if not self._is_open():
                return GpuReport(reason=self._reason)
            try:
                report = _report(self._nvml)
            except self._nvml.NVMLError as error:
                self._reason = str(error)
                self._shut_down()
                return GpuReport(reason=self._reason)
            if report.gpus and not any(gpu.uuid for gpu in report.gpus):
                self._shut_down()  # the driver was exchanged under us; the next reading finds it
            return report

    def close(self) -> None:
        """Let go of the driver. A later :meth:`read` opens it again."""
        with self._lock:
            self._shut_down()

    def _is_open(self) -> bool:
        if self._nvml is not None:
            return True
        if self._pause > 0:
            self._pause -= 1
            return False
        return self._open()

    def _open(self) -> bool:
        try:
            nvml = self._load_nvml()
            nvml.nvmlInit()
        except Exception as error:  # noqa: BLE001 - a broken driver or package must not end the program
            self._reason, self._pause = str(error) or type(error).__name__, _RETRY_AFTER
            return False
        self._nvml, self._reason = nvml, ""
        return True

    def _shut_down(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            ask(nvml, nvml.nvmlShutdown)


def read_gpus() -> GpuReport:
    """One reading of all GPUs, for a report."""
    monitor = GpuMonitor()
    try:
        return monitor.read()
    finally:
        monitor.close()


def bindings() -> Any:
    """The bindings of NVML. Raises whatever keeps them from being there."""
    if sys.platform == "linux":
        # The bindings are a large module; without a driver they are not worth their import.
        import ctypes

        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as error:
            raise OSError(f"no NVIDIA driver ({error})") from error
    import pynvml

    return pynvml


def _report(nvml: Any) -> GpuReport:
    """Raises NVMLError when NVML as a whole does not answer."""
    count = nvml.nvmlDeviceGetCount()
    gpus = tuple(reading for index in range(count) for reading in _device(nvml, index))
    return GpuReport(gpus, ask(nvml, nvml.nvmlSystemGetDriverVersion))


def _device(nvml: Any, index: int) -> Iterator[GpuReading]:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError_NoPermission:
        return  # a GPU that this container was not given
    except nvml.NVMLError:
        # A GPU that fell off the bus must not hide the others.
        yield GpuReading(index, "", "unknown GPU")
        return
    instances = tuple(_instances(nvml, handle))
    for part in instances or (handle,):
        yield _reading(nvml, index, part)


def _instances(nvml: Any, handle: Any) -> Iterator[Any]:
    mode = ask(nvml, nvml.nvmlDeviceGetMigMode, handle)
    if not mode or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return
    for slot in range(ask(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot)
        if instance is not None:
            yield instance


def _reading(nvml: Any, index: int, handle: Any) -> GpuReading:
    rates = ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    temperature = ask(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
    total, used, free, reserved, is_unified = _memory(nvml, handle)
    return GpuReading(
        index=index,
        uuid=ask(nvml, nvml.nvmlDeviceGetUUID, handle) or "",
        name=ask(nvml, nvml.nvmlDeviceGetName, handle) or "unknown GPU",
        memory_total=total,
        memory_used=used,
        memory_free=free,
        memory_reserved=reserved,
        utilization=None if rates is None else rates.gpu,
        temperature=temperature,
        is_unified=is_unified,
    )


_Memory = tuple[int | None, int | None, int | None, int | None, bool]


def _memory(nvml: Any, handle: Any) -> _Memory:
    # The second version tells the driver's own share apart: 480 MiB of an idle H100 that the
    # first one counts as used.
    memory = ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    if memory is not None and memory.total:
        return memory.total, memory.used, memory.free, memory.reserved, False
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError_NotSupported:
        return _host_memory()
    except nvml.NVMLError:
        return None, None, None, None, False
    if not memory.total:
        return _host_memory()
    return memory.total, memory.used, memory.free, None, False


def _host_memory() -> _Memory:
    """A GPU without memory of its own (GB10, Jetson) works in the host's."""
    host = read_host()
    if host is None:
        return None, None, None, None, True
    return host.total, host.used, host.available, None, True


def ask(nvml: Any, question: Callable[..., T], *about: Any) -> T | None:
    """The driver's answer; None when it refuses one."""
    try:
        return question(*about)
    except nvml.NVMLError:
        return None
