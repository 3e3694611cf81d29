"""Prepared launches are those that Triton would make, in front of a driver that has no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inference import fake_gpu

_WEIGHTS = {
    "nf4": """
def weight(shift=0):
    scales = torch.zeros(rows * columns // 64 + 1, dtype=torch.uint8)[shift:]
    return Nf4(
        torch.zeros(rows * columns // 2, dtype=torch.uint8), scales,
        torch.zeros(rows * columns // 64 // 256), torch.zeros(()),
    )
kernel, act = "nf4_words_kernel", unpack.unpack_nf4
""",
    "int8": """
def weight(shift=0):
    scale = torch.zeros(rows + 1)[shift:]
    return Int8(torch.zeros(rows, columns, dtype=torch.int8), scale)
kernel, act = "int8_rows_kernel", unpack.unpack_int8
""",
}
_PROGRAM = """
from glm4v_tui.inference.kernels import Int8, Nf4, prepared, unpack, unpack_kernels

rows, columns = 512, 256
WEIGHT
ours = weight()
out = torch.empty(64, columns, dtype=torch.bfloat16)
few = torch.empty(1, columns, dtype=torch.bfloat16)

def each():
    act(ours, 0, out), act(ours, 0, out), act(ours, 64, out), act(ours, 64, out)
    act(ours, 1, few), act(ours, 1, few)
    act(weight(1), 0, out), act(ours, 0, out.half()), act(ours, 0, out)

def shown(part):
    # Of what is made anew each time the kind, without the address.
    if isinstance(part, torch.Tensor):
        return f"{part.dtype} {part.numel()}"
    return repr(part).split(" at ")[0]

def told():
    return [[shown(part) for part in given] for given in launches]

each()
calls = len(seen)
by_us = told()
launches.clear()
real = getattr(unpack_kernels, kernel)
prepared.Prepared.launch = lambda self, grid, form, args, constants: real[grid](*args, **constants)
each()
by_triton = told()
facts = {
    "same": by_us == by_triton, "launches": len(launches), "by_triton": calls,
    "compiled": len(compiled),
}
"""
_COUNTED = """
from triton.runtime.jit import JITFunction
seen, whole = [], JITFunction.run
def counted(self, *args, **more):
    seen.append(self)
    return whole(self, *args, **more)
JITFunction.run = counted
"""


@pytest.mark.parametrize("kind", _WEIGHTS)
def test_a_prepared_launch_gives_the_driver_what_triton_gives_it(kind: str, tmp_path: Path) -> None:
    """Of nine launches those go through Triton that have something of another form."""
    program = _COUNTED + _PROGRAM.replace("WEIGHT", _WEIGHTS[kind])
    facts = fake_gpu.run(program, tmp_path)
    assert facts == {"same": True, "launches": 9, "by_triton": 3, "compiled": 3}
