"""A process in front of a driver without a GPU: kernels are compiled, and their launches noted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# The kernels of this process run in Triton's interpreter, which compiles nothing.
_PROGRAM = """
import json, os, threading
os.environ.pop("TRITON_INTERPRET", None)
import torch
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

class Utils:
    def load_binary(self, *_):
        loaded.append(threading.current_thread().name)
        return 1, 1, 1, 0, 1024
    def get_device_properties(self, _): return {"max_shared_mem": 1 << 20}

class Launcher:
    def __init__(self, src, metadata): self.name = src.fn.__name__
    def __call__(self, *given):
        launched.append(self.name)
        launches.append(given)

class Driver:
    utils, launcher_cls = Utils(), Launcher
    def get_current_device(self): return 0
    def get_current_stream(self, _): return 0
    def get_current_target(self): return GPUTarget("cuda", 90, 32)

launched, launches, loaded, compiled = [], [], [], []
driver.set_active(Driver())
knobs.compilation.listener = lambda **_: compiled.append(threading.current_thread().name)

WHAT
print(json.dumps(facts))
"""


def run(what: str, folder: Path) -> dict[str, Any]:
    """``facts`` of a program that finds ``launched`` (names), ``launches`` (what the driver's
    launcher was given), ``compiled`` and ``loaded`` (threads). Kernels are kept in the folder."""
    environment = os.environ | {"TRITON_CACHE_DIR": str(folder)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.replace("WHAT", what)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts
