"""Readings of GPUs, with a driver that answers what real drivers were seen to answer."""

# ruff: noqa: N802 - the names are those of the bindings

import os
from types import SimpleNamespace

import pynvml
import pytest

from glm4v_tui.gpu import (
    GpuMonitor,
    GpuReading,
    HostMemory,
    gpus_of,
    host,
    process_memory,
    read_gpus,
    read_host,
    same_device,
    visible_gpus,
)

GIB = 1 << 30


class Card:
    """What one GPU (or MIG instance) answers; an exception among the answers is raised."""

    def __init__(self, uuid="GPU-1111", name="NVIDIA H100 80GB HBM3", **answers):
        self.answers = {
            "v2": SimpleNamespace(total=80 * GIB, used=20 * GIB, free=59 * GIB, reserved=GIB),
            "v1": SimpleNamespace(total=80 * GIB, used=21 * GIB, free=59 * GIB),
            "rates": SimpleNamespace(gpu=42),
            "temperature": 55,
            "instances": None,
            "uuid": uuid,
            "name": name,
        } | answers


class Driver:
    """The functions of the bindings that are read, over :class:`Card`, with the real errors."""

    def __init__(self, *cards):
        self.cards = cards
        self.opened = 0
        self.is_lost = False

    def __getattr__(self, name):  # constants and error classes
        return getattr(pynvml, name)

    def nvmlInit(self):
        self.opened += 1

    def nvmlShutdown(self):
        pass

    def nvmlDeviceGetCount(self):
        if self.is_lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return len(self.cards)

    def nvmlSystemGetDriverVersion(self):
        return "580.159"

    def nvmlDeviceGetHandleByIndex(self, index):
        card = self.cards[index]
        if isinstance(card, Exception):
            raise card
        return card

    def nvmlDeviceGetMemoryInfo(self, card, version=None):
        return answer(card, "v2" if version else "v1")

    def nvmlDeviceGetUtilizationRates(self, card):
        return answer(card, "rates")

    def nvmlDeviceGetTemperature(self, card, sensor):
        return answer(card, "temperature")

    def nvmlDeviceGetUUID(self, card):
        return answer(card, "uuid")

    def nvmlDeviceGetName(self, card):
        return answer(card, "name")

    def nvmlDeviceGetMigMode(self, card):
        if card.answers["instances"] is None:
            raise refused(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, card):
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card, slot):
        if slot >= len(card.answers["instances"]):
            raise refused(pynvml.NVML_ERROR_NOT_FOUND)
        return card.answers["instances"][slot]


def refused(code=pynvml.NVML_ERROR_NOT_SUPPORTED):
    return pynvml.NVMLError(code)


def answer(card, what):
    value = card.answers[what]
    if isinstance(value, Exception):
        raise value
    return value


def read(*cards):
    return GpuMonitor(lambda: Driver(*cards)).read()


def test_a_card_is_read_in_bytes_without_the_drivers_own_share():
    report = read(Card())
    assert report.driver_version == "580.159"
    assert report.gpus == (
        GpuReading(
            index=0,
            uuid="GPU-1111",
            name="NVIDIA H100 80GB HBM3",
            memory_total=80 * GIB,
            memory_used=20 * GIB,
            memory_free=59 * GIB,
            memory_reserved=GIB,
            utilization=42,
            temperature=55,
        ),
    )
    assert report.gpus[0].memory_fraction == 0.25


def test_an_old_driver_knows_only_the_first_kind_of_reading():
    (gpu,) = read(Card(v2=refused(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND))).gpus
    assert (gpu.memory_used, gpu.memory_reserved) == (21 * GIB, None)


def test_unified_memory_is_the_hosts():
    (gpu,) = read(Card(v2=refused(), v1=refused())).gpus
    memory = read_host()
    assert gpu.is_unified
    assert gpu.memory_total == memory.total
    (gpu,) = read(Card(v2=SimpleNamespace(total=0), v1=SimpleNamespace(total=0))).gpus
    assert gpu.is_unified


def test_forbidden_readings_are_unknown():
    no = refused(pynvml.NVML_ERROR_NO_PERMISSION)
    (gpu,) = read(Card(v2=no, v1=no, rates=no, temperature=no)).gpus
    assert gpu.name == "NVIDIA H100 80GB HBM3"
    assert (gpu.memory_used, gpu.utilization, gpu.temperature) == (None, None, None)
    assert gpu.memory_fraction is None


def test_instances_of_a_divided_gpu_stand_for_it():
    parts = [Card("MIG-a", "NVIDIA H100 MIG 3g.40gb"), Card("MIG-b", "NVIDIA H100 MIG 3g.40gb")]
    gpus = read(Card(instances=parts), Card("GPU-2222")).gpus
    assert [(gpu.index, gpu.uuid) for gpu in gpus] == [(0, "MIG-a"), (0, "MIG-b"), (1, "GPU-2222")]


def test_a_gpu_off_the_bus_does_not_hide_the_others():
    gpus = read(refused(pynvml.NVML_ERROR_GPU_IS_LOST), Card("GPU-2222")).gpus
    assert [gpu.memory_used for gpu in gpus] == [None, 20 * GIB]


def test_a_lost_driver_is_opened_again():
    driver = Driver(Card())
    monitor = GpuMonitor(lambda: driver)
    assert monitor.read().gpus
    driver.is_lost = True
    assert monitor.read().reason == "GPU is lost"
    driver.is_lost = False
    assert monitor.read().gpus
    assert driver.opened == 2


def test_a_missing_driver_is_looked_for_now_and_then():
    tries = []

    def load():
        tries.append(1)
        raise OSError("no NVIDIA driver")

    monitor = GpuMonitor(load)
    reports = [monitor.read() for _ in range(40)]
    assert {report.reason for report in reports} == {"no NVIDIA driver"}
    assert len(tries) == 2


def test_the_real_driver_or_its_absence_is_told():
    report = read_gpus()
    assert report.gpus or report.reason


def test_the_real_host_and_process_are_read():
    memory = read_host()
    assert memory.total > memory.used > 0
    assert process_memory() > 1 << 20
    assert process_memory(os.getpid()) > 1 << 20
    assert process_memory(2**22 + 1) is None


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "memory.current").write_text("73741824\n")
    assert read_host() == HostMemory(1073741824, 1_000_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert read_host().total > 1073741824


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ["GPU-aa11", "GPU-bb22", "GPU-bb33"]),
        ("1", ["GPU-bb22"]),
        ("2,0", ["GPU-bb33", "GPU-aa11"]),
        ("GPU-aa", ["GPU-aa11"]),
        ("GPU-bb", []),  # names two
        ("1,1,0", ["GPU-bb22"]),
        ("0,9,1", ["GPU-aa11"]),
        ("-1", []),
        ("", []),
    ],
)
def test_cuda_visible_devices(wanted, expected):
    gpus = tuple(
        GpuReading(i, uuid, "") for i, uuid in enumerate(["GPU-aa11", "GPU-bb22", "GPU-bb33"])
    )
    environ = {} if wanted is None else {"CUDA_VISIBLE_DEVICES": wanted}
    assert [gpu.uuid for gpu in visible_gpus(gpus, environ)] == expected


def test_the_workers_uuids_decide(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    gpus = (GpuReading(0, "GPU-aa11", ""), GpuReading(1, "GPU-BB22", ""))
    assert gpus_of(gpus, ["bb22"]) == gpus[1:]
    assert gpus_of(gpus, [""]) == gpus[:1]
    assert same_device("GPU-BB22", "bb22")
    assert not same_device("", "")
