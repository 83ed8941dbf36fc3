"""Qwen3.5's layers with a state: a short convolution and the gated delta rule (arXiv 2412.06464)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from app.local.engine.linear import joined
from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.scan import Steps
from app.local.engine.recurrent.stateful_pass import StatefulPass


class GatedDelta(nn.Module):
    """Takes the place of transformers' layer, over the states of a ragged batch."""

    def __init__(self, layer: Any) -> None:
        """`layer` is transformers' own, whose weights are taken over."""
        super().__init__()
        self._index: int = layer.layer_idx
        self._groups, self._heads = layer.num_k_heads, layer.num_v_heads
        self._key, self._value = layer.head_k_dim, layer.head_v_dim
        parts = [layer.in_proj_qkv, layer.in_proj_z, layer.in_proj_b, layer.in_proj_a]
        self._sizes = [one.out_features for one in parts]
        self.into = joined(parts)
        self.out, self.norm = layer.out_proj, layer.norm
        self._convolution = Convolution(layer.conv1d)
        self._rate = -layer.A_log.data.float().exp()
        self._bias = layer.dt_bias.data.float()

    def forward(self, hidden_states: torch.Tensor, *, ragged: StatefulPass, **_others: Any) -> torch.Tensor:
        """[1, tokens, hidden size] gives the same shape."""
        mixed, gate, strength, rate = self.into(hidden_states[0]).split(self._sizes, -1)
        mixed = F.silu(ragged.convolve(self._index, self._convolution, mixed)).float()
        width = self._groups * self._key
        query, key, value = mixed.split_with_sizes([width, width, self._heads * self._value], -1)
        steps = Steps(
            _unit(query.view(-1, self._groups, self._key)) * self._key**-0.5,
            _unit(key.view(-1, self._groups, self._key)),
            value.view(-1, self._heads, self._value),
            self._rate * F.softplus(rate.float() + self._bias),
            strength.float().sigmoid(),
        )
        read = ragged.scan(self._index, steps).to(hidden_states.dtype)
        made = self.norm(read.reshape(-1, self._value), gate.reshape(-1, self._value))
        out: torch.Tensor = self.out(made.view(1, len(gate), -1))
        return out


def _unit(x: torch.Tensor) -> torch.Tensor:
    return x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt()
