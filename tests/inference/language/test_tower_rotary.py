"""The lean rotary embedding of the vision tower is transformers' own."""

from __future__ import annotations

import pytest
import torch
from transformers.models.glm4v.modeling_glm4v import rotate_half

from glm4v_tui.inference.language.tower_rotary import turn_both


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_queries_and_keys_are_turned_as_before(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(4)
    q, k = (torch.randn(9, 3, 8, generator=generator).to(dtype) for _ in range(2))
    cos, sin = (torch.randn(9, 8, generator=generator) for _ in range(2))
    expected = [
        (x.float() * cos[:, None] + rotate_half(x.float()) * sin[:, None]).to(dtype) for x in (q, k)
    ]
    found = turn_both(q.clone(), k.clone(), cos, sin)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_views_of_one_matrix_do_not_disturb_each_other() -> None:
    both = torch.randn(5, 2, 3, 8, dtype=torch.float32).to(torch.bfloat16)
    q, k = both.unbind(1)
    kept = k.clone()
    cos, sin = torch.ones(5, 8), torch.zeros(5, 8)
    turn_both(q, k, cos, sin)
    assert torch.equal(k, kept)
