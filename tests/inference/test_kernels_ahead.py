"""Kernels are compiled several at a time, in front of a driver that has no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.inference import fake_gpu

_ACT = """
from glm4v_tui.inference.kernels import norm
from glm4v_tui.inference.kernels.ahead import Compiling, rehearsing

def act(columns):
    x = torch.zeros(3, columns, dtype=torch.bfloat16)
    norm.rms_norm(x, x[0], 1e-5, torch.empty_like(x))
"""


def run(what: str, folder: Path) -> dict[str, Any]:
    return fake_gpu.run(_ACT + what, folder)


def test_what_is_gone_through_is_compiled_in_threads_and_launched_only_in_earnest(
    tmp_path: Path,
) -> None:
    facts = run(
        """
with rehearsing() as noted:
    for columns in (64, 128, 128, 256):
        act(columns)
facts = {"noted": len(noted), "before": [len(launched), len(compiled)]}
work = Compiling(noted, torch.device("cpu"))
work.wait()
facts |= {"done": work.is_done, "after": [len(launched), len(compiled), len(loaded)]}
facts["by"] = sorted({name.split("_")[0] for name in compiled + loaded})
act(128), act(64)
facts["earnest"] = [len(launched), len(compiled), len(loaded)]
act(512)
facts["another"] = [len(launched), len(compiled), len(loaded)]
""",
        tmp_path,
    )
    assert facts == {
        "noted": 3, "before": [0, 0], "done": True, "after": [0, 3, 3], "by": ["kernels"],
        "earnest": [2, 3, 3], "another": [3, 4, 4],
    }  # fmt: skip


def test_threads_go_on_compiling_meanwhile(tmp_path: Path) -> None:
    facts = run(
        """
with rehearsing() as first:
    act(64), act(128)
with rehearsing() as second:
    work = Compiling(first, torch.device("cpu"))
    act(256)
    work.wait()
    act(128)
facts = {"noted": len(second), "compiled": len(compiled), "launched": len(launched)}
""",
        tmp_path,
    )
    assert facts == {"noted": 1, "compiled": 2, "launched": 1}


def test_what_cannot_be_compiled_is_left_to_its_launch(tmp_path: Path) -> None:
    facts = run(
        """
with rehearsing() as noted:
    act(64), act(128)
name = next(iter(noted))
noted[name] = (noted[name][0], "{}")
work = Compiling(noted, torch.device("cpu"))
work.wait()
act(64), act(128)
facts = {"done": work.is_done, "launched": len(launched), "compiled": len(compiled)}
""",
        tmp_path,
    )
    assert facts == {"done": True, "launched": 2, "compiled": 2}


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_skipped_afterwards(tmp_path: Path, fails: bool) -> None:
    facts = run(
        f"""
try:
    with rehearsing():
        act(64)
        if {fails}:
            raise ValueError
except ValueError:
    pass
act(64)
facts = {{"launched": len(launched), "hook": knobs.runtime.jit_cache_hook is None}}
""",
        tmp_path,
    )
    assert facts == {"launched": 1, "hook": True}
