"""``glm4v-tui plan``, as users call it."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from glm4v_tui import gpu
from glm4v_tui.cli import cli
from glm4v_tui.commands import plan as command
from glm4v_tui.demo import CHECKPOINT
from glm4v_tui.errors import UsageError
from glm4v_tui.gpu import GpuAbility, GpuReading, GpuReport, HostMemory

GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """One H100 with 60 GiB free; no test sees the machine it runs on."""
    reading = GpuReading(0, "GPU-0", "NVIDIA H100", 80 * GIB, 20 * GIB, 60 * GIB)
    monkeypatch.setattr(command, "read_gpus", lambda: GpuReport((reading,)))
    monkeypatch.setattr(command, "read_abilities", lambda: {0: GpuAbility(3350e9, True)})
    monkeypatch.setattr(command, "read_host", lambda: HostMemory(64 * GIB, 40 * GIB))


def run(*arguments):
    result = CliRunner().invoke(cli, ["plan", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def line_of(text, start):
    return next(line for line in text.splitlines() if line.startswith(start))


def test_it_says_what_fits_what_is_best_and_why():
    text = run("THUDM/glm-4v-9b")
    assert "13.91 billion parameters" in text
    assert "1,602 tokens" in text
    assert line_of(text, "int8 ").split()[-3] == "yes"
    assert line_of(text, "Recommended") == (
        "Recommended: bf16 on cuda:0. It is the most exact that fits."
    )
    assert line_of(text, "This machine") == (
        "This machine: NVIDIA H100, 60.0 GiB free; 40.0 GiB of host memory free."
    )


@pytest.mark.parametrize(
    ("precision", "options", "elsewhere", "note"),
    [
        ("bf16", "", "", []),
        ("int4", "", "", []),
        ("int4-compact", "", "embed", ["int4-compact: embed in host memory."]),
        (
            "int4-compact", "--gpu-memory 6", "embed vision",
            ["int4-compact: embed and vision in host memory;"
             " 'at work' has what the GPU holds of the tower."],
        ),
    ],
)  # fmt: skip
def test_columns_add_up_to_what_is_needed_but_for_what_is_said_to_be_in_host_memory(
    precision, options, elsewhere, note
):
    text = run("zai-org/GLM-4.1V-9B-Thinking", *options.split())
    names = ["layers", "embed", "head", "vision", "adapter", "KV", "at work", "CUDA", "needed"]
    values = line_of(text, f"{precision} ").split()[1 : len(names) + 1]
    sizes = dict(zip(names, map(float, values), strict=True))
    needed = sizes.pop("needed")
    assert sum(size for name, size in sizes.items() if name not in elsewhere) == pytest.approx(
        needed, abs=0.15
    )
    said = [line for line in text.splitlines() if "in host memory" in line]
    assert [line for line in said if line.startswith(f"{precision}: ")] == note


def test_every_usual_card_has_a_line():
    cards = run("zai-org/GLM-4.1V-9B-Thinking").partition("On usual cards")[2]
    rows = [line.split() for line in cards.splitlines()[2:9]]
    assert [row[-5] for row in rows[2:]] == ["12", "16", "24", "48", "80"]
    assert [row[-4] for row in rows[2:]] == ["mixed", "int8", "bf16", "bf16", "bf16"]
    assert "int4-compact" in rows[0]
    assert "int4" in rows[1]


def test_another_gpu_can_be_planned_for():
    text = run("zai-org/GLM-4.1V-9B-Thinking", "--gpu-memory", "6.5", "--context", "4096")
    assert "a GPU with 6.5 GiB free" in text
    assert "int4-compact on cuda:0, embedding in host memory" in text


def test_without_a_gpu_it_plans_for_the_cpu(monkeypatch):
    monkeypatch.setattr(command, "read_gpus", lambda: GpuReport(reason="no driver"))
    text = run("zai-org/GLM-4.1V-9B-Thinking")
    assert "no GPU; 40.0 GiB of host memory free" in text
    assert line_of(text, "Recommended").startswith("Recommended: bf16 on cpu.")


def test_json_has_all_of_it():
    report = json.loads(run("zai-org/glm-4v-9b", "--json", "--image", "560x560"))
    assert report["parameters"] == 13_906_320_896
    assert [plan["precision"] for plan in report["plans"]] == [
        "fp32", "bf16", "fp16", "int8", "mixed", "int4", "int4-compact",
    ]  # fmt: skip
    bf16 = report["plans"][1]
    assert bf16["weights"]["language"] == pytest.approx(2 * 8_158_437_376, rel=0.005)
    assert bf16["fits"] is True
    assert report["recommended"]["precision"] == "bf16"
    assert [card["card"]["memory"] // GIB for card in report["cards"]] == [
        6, 8, 12, 16, 24, 48, 80,
    ]  # fmt: skip


def test_a_folder_is_planned_for():
    text = run(str(CHECKPOINT), "--image", "280x280")
    assert "100 tokens" in text


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("--image", "big"), "The image size cannot be understood"),
        (("--image", "0x10"), "The image size cannot be understood"),
        (("--image", "5x5000"), "The model cannot see such an image"),
        (("--context", "9000"), "The model reads fewer tokens than that"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, title):
    with pytest.raises(UsageError, match=title):
        run("zai-org/glm-4v-9b", *arguments)


def test_abilities_come_from_the_driver(monkeypatch):
    driver = SimpleNamespace(
        NVML_CLOCK_MEM=2,
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMaxClockInfo=lambda handle, clock: 2619,
        nvmlDeviceGetMemoryBusWidth=lambda handle: 5120,
        nvmlDeviceGetCudaComputeCapability=lambda handle: (7, 5),
    )
    monkeypatch.setattr(gpu.abilities, "bindings", lambda: driver)
    (ability,) = gpu.read_abilities().values()
    assert ability.bandwidth == pytest.approx(3.35e12, rel=0.001)
    assert ability.has_bf16 is False
