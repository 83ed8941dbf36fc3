"""Mamba-2's layers (arXiv 2405.21060), as Granite 4, Bamba and Falcon-H1 have them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.scan import Steps
from app.local.engine.recurrent.stateful_pass import StatefulPass


class Mamba(nn.Module):
    """Takes the place of transformers' layer, over the states of a ragged batch."""

    def __init__(self, layer: Any) -> None:
        """`layer` is transformers' own, whose weights are taken over."""
        super().__init__()
        self._index: int = layer.layer_idx
        self._heads, self._size = layer.num_heads, layer.head_dim
        self._groups, self._state = layer.n_groups, layer.ssm_state_size
        width = self._groups * self._state
        self._sizes = [layer.intermediate_size, layer.conv_dim, layer.num_heads]
        self._mixed = [layer.intermediate_size, width, width]
        self.into, self.out, self.norm = layer.in_proj, layer.out_proj, layer.norm
        self._activation = layer.act
        self._convolution = Convolution(layer.conv1d)
        self._rate = -layer.A_log.data.float().exp()
        self._skip = layer.D.data.float()[:, None]
        self._bias = layer.dt_bias.data.float()
        self._least, self._most = layer.time_step_limit
        # Falcon-H1 scales what goes in, and each of the projections.
        self._scale = getattr(layer, "ssm_in_multiplier", 1.0)
        scales = getattr(layer, "mup_vector", None)
        self._scales = None if scales is None else scales.data.view(-1)

    def forward(self, hidden_states: torch.Tensor, *, ragged: StatefulPass, **_others: Any) -> torch.Tensor:
        """[1, tokens, hidden size] gives the same shape."""
        projected = self.into(hidden_states[0] * self._scale if self._scale != 1.0 else hidden_states[0])
        if self._scales is not None:
            projected = projected * self._scales
        gate, mixed, step = projected.split(self._sizes, -1)
        mixed = self._activation(ragged.convolve(self._index, self._convolution, mixed)).float()
        x, key, query = mixed.split(self._mixed, -1)
        x = x.unflatten(-1, (self._heads, self._size))
        step = F.softplus(step.float() + self._bias).clamp(self._least, self._most)
        steps = Steps(
            query.unflatten(-1, (self._groups, self._state)),
            key.unflatten(-1, (self._groups, self._state)),
            x * step[..., None],
            self._rate * step,
        )
        read = (ragged.scan(self._index, steps) + x * self._skip).flatten(1)
        made = (
            read * F.silu(gate)
            if isinstance(self.norm, nn.Identity)
            else self.norm(read[None], gate[None])[0]
        )
        out: torch.Tensor = self.out(made.to(hidden_states.dtype)[None])
        return out
