"""A launch that shows that Triton, its assembler and a C compiler are there and agree."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from glm4v_tui.inference.kernels.nf4_words import ALPHA, BETA, nf4_values, unpack_word


@triton.jit
def _unpack(
    words_ptr: tl.tensor, values_ptr: tl.tensor, out_ptr: tl.tensor, SHIFTED: tl.constexpr
) -> tl.tensor:
    places = tl.arange(0, 128)
    words = tl.load(words_ptr + places)
    v0, v1, v2, v3, v4, v5, v6, v7 = unpack_word(words, values_ptr, SHIFTED)
    tl.store(out_ptr + places * 8, v0)
    tl.store(out_ptr + places * 8 + 1, v1)
    tl.store(out_ptr + places * 8 + 2, v2)
    tl.store(out_ptr + places * 8 + 3, v3)
    tl.store(out_ptr + places * 8 + 4, v4)
    tl.store(out_ptr + places * 8 + 5, v5)
    tl.store(out_ptr + places * 8 + 6, v6)
    tl.store(out_ptr + places * 8 + 7, v7)


def unpacks(device: torch.device, shifted: int) -> bool:
    """Whether NF4 words are unpacked as they should be, by what is most particular to a GPU."""
    packed = torch.arange(512, device=device).mul(167).remainder(256).to(torch.uint8)
    out = torch.empty(1024, device=device)
    values = nf4_values(device, ALPHA.value if shifted else 1.0)
    with torch.cuda.device(device):
        _unpack[(1,)](packed.view(torch.int32), values, out, SHIFTED=shifted)
    halves = torch.stack((packed >> 4, packed & 15), 1).view(-1)
    exact = values[halves.int()].view(-1, 8)
    exact[:, :shifted] += BETA.value
    return bool((out.view(-1, 8) - exact).abs().max() < 2e-3)


def multiplies(device: torch.device) -> bool:
    """Whether a few tokens by NF4 words give what they should, for eight tokens and sixteen."""
    from glm4v_tui.inference.kernels.few import multiply_few
    from glm4v_tui.inference.kernels.plain import linear
    from glm4v_tui.inference.quantized.kernels import Nf4

    rows, columns = 40, 576
    blocks = rows * columns // 64
    generator = torch.Generator(device).manual_seed(1)

    def made(*shape: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
        return torch.randint(0, 256, shape, dtype=dtype, device=device, generator=generator)

    outer, mean = torch.full((-(-blocks // 256),), 0.02, device=device), torch.tensor(0.04)
    weight = Nf4(made(blocks * 32), made(blocks), outer, mean.to(device))
    for tokens in (5, 11):
        x = torch.randn(tokens, columns, device=device, generator=generator).bfloat16()
        found = x.new_full((tokens, rows), float("nan"))
        with torch.cuda.device(device):
            multiply_few(x, weight, None, found)
        exact = linear(x, weight, None).float()
        if not float((found.float() - exact).norm()) < 0.02 * float(exact.norm()):
            return False
    return True
