"""Cheap distortions of whole batches, on the device that trains."""

import torch
from torch import Tensor
from torch.nn import functional


def distort(pixels: Tensor) -> Tensor:
    """Images as floats in 0..1, with contrast, light, blur and noise of their own.

    `pixels` is (count, height, width, 3) uint8.
    """
    x = pixels.float() / 255
    x = (
        (x - 0.5) * _each(x, 0.88, 1.08, share=0.5, neutral=1.0)
        + 0.5
        + _each(x, -0.04, 0.04, share=0.5)
    )
    blurred = functional.avg_pool2d(
        x.permute(0, 3, 1, 2), 3, stride=1, padding=1, count_include_pad=False
    )
    x = torch.lerp(x, blurred.permute(0, 2, 3, 1), _each(x, 0.1, 0.6, share=0.35))
    x = x + torch.randn_like(x) * _each(x, 0.005, 0.045, share=0.6)
    return x.clamp(0, 1)


def _each(like: Tensor, low: float, high: float, share: float, neutral: float = 0.0) -> Tensor:
    """One number an image, (count, 1, 1, 1): uniform for a share of them, else neutral."""
    count = len(like)
    drawn = torch.empty(count, device=like.device).uniform_(low, high)
    chosen = torch.rand(count, device=like.device) < share
    return torch.where(chosen, drawn, neutral).view(-1, 1, 1, 1)
