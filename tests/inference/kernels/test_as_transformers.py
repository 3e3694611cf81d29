"""The plain way gives the very values of transformers' modules, rounding included."""

from __future__ import annotations

import torch
from transformers.models.glm4v.modeling_glm4v import Glm4vRMSNorm, apply_rotary_pos_emb

from glm4v_tui.inference.kernels import plain
from tests.inference.kernels.conftest import DEVICE
from tests.inference.kernels.references import random


def test_norm() -> None:
    x = random(3, 320, dtype=torch.bfloat16)
    module = Glm4vRMSNorm(320, 1e-5).to(DEVICE, torch.bfloat16)
    module.weight.data = random(320, dtype=torch.bfloat16, seed=1)
    assert torch.equal(plain.rms_norm(x, module.weight, 1e-5), module(x))


def test_rotary() -> None:
    q, k = (random(2, heads, 128, dtype=torch.bfloat16) for heads in (32, 2))
    angles = random(2, 32, dtype=torch.float32).repeat_interleave(2, dim=1)
    cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
    turned = apply_rotary_pos_emb(q[:, :, None], k[:, :, None], cos[:, None], sin[:, None])
    for own, exact in zip((q, k), turned, strict=True):
        assert torch.equal(plain.rotate(own, cos, sin), exact[:, :, 0])
