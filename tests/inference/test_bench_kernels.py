"""``bench kernels`` without a GPU: a reason and a remedy."""

from __future__ import annotations

import pytest
import torch

from glm4v_tui.errors import EngineError
from glm4v_tui.inference.measuring.kernels import measure_kernels


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_it_says_what_it_needs() -> None:
    with pytest.raises(EngineError, match="need a GPU"):
        measure_kernels(lambda _: None, 1)
