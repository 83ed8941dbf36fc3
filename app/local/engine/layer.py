"""A decoder layer in few operations: those of a few tokens cost as much to start as to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from app.local.engine.linear import joined
from app.local.engine.norm import Norm
from app.local.engine.ragged import RaggedBatch
from app.local.engine.rotary import Turn


class DecoderLayer(nn.Module):
    """Attention and a gated MLP, each normed before, in some families after as well, and added to its input.

    Query, key and value are one product, gate and up another.
    """

    def __init__(self, layer: Any, index: int, norm: Callable[[nn.Module], Norm]) -> None:
        """`layer` is transformers' own, whose weights are taken over; `norm` makes a Norm of its modules."""
        super().__init__()
        attention, mlp = layer.self_attn, layer.mlp
        self._index = index
        self.size: int = attention.head_dim
        self.heads = attention.q_proj.out_features // self.size
        self.groups = attention.k_proj.out_features // self.size
        self.scale: float = attention.scaling
        self.window: int | None = getattr(attention, "sliding_window", None)
        self.query_norm, self.key_norm = (
            norm(getattr(attention, name)) if hasattr(attention, name) else None
            for name in ("q_norm", "k_norm")
        )
        self.qkv = joined([attention.q_proj, attention.k_proj, attention.v_proj])
        self.out = attention.o_proj
        self.gate_up = joined([mlp.gate_proj, mlp.up_proj])
        self.down = mlp.down_proj
        self._activation = mlp.act_fn
        self.before_attention = norm(layer.input_layernorm)
        after = hasattr(layer, "pre_feedforward_layernorm")
        self.after_attention = norm(layer.post_attention_layernorm) if after else None
        self.before_mlp = norm(layer.pre_feedforward_layernorm if after else layer.post_attention_layernorm)
        self.after_mlp = norm(layer.post_feedforward_layernorm) if after else None

    def forward(self, x: torch.Tensor, batch: RaggedBatch, turn: Turn) -> None:
        """Add to `x` [tokens, hidden size] what this layer computes of it, in place."""
        seen = self.out(self._attend(self.before_attention(x), batch, turn))
        x += seen if self.after_attention is None else self.after_attention(seen)
        gate, up = self.gate_up(self.before_mlp(x)).chunk(2, -1)
        made = self.down(self._activation(gate).mul_(up))
        x += made if self.after_mlp is None else self.after_mlp(made)

    def _attend(self, x: torch.Tensor, batch: RaggedBatch, turn: Turn) -> torch.Tensor:
        heads, groups, size = self.heads, self.groups, self.size
        qkv = self.qkv(x).view(len(x), heads + 2 * groups, size)
        turned, pairs = qkv.narrow(1, 0, heads + groups), qkv.narrow(1, heads, 2 * groups)
        query = qkv.narrow(1, 0, heads)
        if self.query_norm is not None and self.key_norm is not None:
            keys = qkv.narrow(1, heads, groups)
            query.copy_(self.query_norm(query))
            keys.copy_(self.key_norm(keys))
        turn(turned)
        batch.append(self._index, pairs.view(len(x), 2, groups, size).permute(1, 2, 0, 3))
        return batch.attend(self._index, query, self.scale, self.window)
