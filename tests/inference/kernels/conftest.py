"""The kernels run in Triton's interpreter where there is no GPU, and on it where there is one."""

from __future__ import annotations

import importlib.util

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["test_*.py"]
DTYPES = [torch.bfloat16, torch.float16] if DEVICE == "cuda" else [torch.float16]
"""The interpreter rounds to bfloat16 towards zero and takes its bits for integers in products."""
DTYPE = DTYPES[0]


@pytest.fixture(autouse=True, params=["kernels", "plain"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is for the kernels, interpreted on a CPU, and for plain torch as well."""
    is_usable = {"kernels": lambda _: True, "plain": lambda _: False}[request.param]
    monkeypatch.setattr("glm4v_tui.inference.kernels.is_usable", is_usable)
