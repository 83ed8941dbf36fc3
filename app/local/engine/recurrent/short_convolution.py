"""LFM2's layers with a state: a gated short convolution, whose state is its last inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.stateful_pass import StatefulPass


class ShortConvolution(nn.Module):
    """Takes the place of transformers' layer, over the states of a ragged batch."""

    def __init__(self, layer: Any) -> None:
        """`layer` is transformers' own, whose weights are taken over."""
        super().__init__()
        self._index: int = layer.layer_idx
        self.into, self.out = layer.in_proj, layer.out_proj
        self._convolution = Convolution(layer.conv)

    def forward(self, hidden_states: torch.Tensor, *, ragged: StatefulPass, **_others: Any) -> torch.Tensor:
        """[1, tokens, hidden size] gives the same shape."""
        before, after, x = self.into(hidden_states[0]).chunk(3, -1)
        made = after * ragged.convolve(self._index, self._convolution, before * x)
        out: torch.Tensor = self.out(made[None])
        return out
