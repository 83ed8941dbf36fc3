"""Weights in 8 bits: the elements of a row in blocks that share a scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

BLOCK = 32  # elements that share a scale
ZERO = 128  # the byte that stands for zero

Bytes = npt.NDArray[np.uint8]
Scales = npt.NDArray[np.float32]


def quantised(weight: torch.Tensor) -> tuple[Bytes, Scales]:
    """`weight` [out, in] as bytes [out, blocks, BLOCK] and scales [out, blocks]; the last block is padded.

    A block's greatest magnitude becomes 127, so an element errs by at most 1/254 of it.
    """
    rows, columns = weight.shape
    blocks = -(-columns // BLOCK)
    padded = torch.zeros(rows, blocks * BLOCK)
    padded[:, :columns] = weight
    parts = padded.view(rows, blocks, BLOCK)
    scales = parts.abs().amax(-1) / 127
    steps = (parts / scales.clamp_min(torch.finfo(torch.float32).tiny)[..., None]).round_().add_(ZERO)
    return steps.to(torch.uint8).numpy(), scales.numpy()


def dequantised(steps: Bytes, scales: Scales, columns: int) -> torch.Tensor:
    """The weights [out, columns] that these bytes and scales stand for, in float32."""
    parts = (torch.from_numpy(steps).float() - ZERO) * torch.from_numpy(scales)[..., None]
    return parts.flatten(1)[:, :columns]
