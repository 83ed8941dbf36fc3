"""What layers with a state ask of the pass that they take part in."""

from __future__ import annotations

from typing import Protocol

import torch

from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.scan import Steps


class StatefulPass(Protocol):
    """The new tokens of several sequences on their way through a model's layers."""

    def convolve(self, layer: int, convolution: Convolution, x: torch.Tensor) -> torch.Tensor:
        """A layer's convolution of `x` [tokens, channels], along each sequence. Returns the same shape."""
        ...

    def scan(self, layer: int, steps: Steps) -> torch.Tensor:
        """What the tokens read of the layer's states, [tokens, heads, value size]."""
        ...
