"""RMSNorm (arXiv 1910.07467), in float32 whatever the model computes in."""

from __future__ import annotations

import torch
from torch import nn


class Norm:
    """Divides the last dimension by its root mean square and multiplies it by the weights.

    On a CPU these operations take less than torch's own rms_norm, by a third for a few tokens.
    """

    def __init__(self, norm: nn.Module, eps: float, *, from_one: bool) -> None:
        """`norm` is transformers' module. With `from_one`, as in Gemma, its weights are added to one."""
        weight = norm.get_parameter("weight").data
        self.weight = weight.float() + 1.0 if from_one else weight.to(torch.float32, copy=True)
        self._share = 1.0 / weight.numel()
        self.eps = torch.tensor(eps, device=weight.device)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float()
        length = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
        scale = torch.addcmul(self.eps, length, length, value=self._share).rsqrt_()
        return (y * scale).mul_(self.weight).to(x.dtype)
