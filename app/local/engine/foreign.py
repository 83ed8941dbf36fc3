"""Forward passes in transformers' code, for the families that the engine's own decoder does not compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface

from app.local.engine.linear import pack
from app.local.engine.ragged import RaggedBatch

ATTENTION = "costeer_ragged"


class ForeignDecoder:
    """A transformers model whose layers read and write the caches of a ragged batch."""

    def __init__(self, model: Any) -> None:
        """`model` was loaded with `ATTENTION` as its attn_implementation."""
        pack(model)
        self._model = model

    def __call__(self, batch: RaggedBatch) -> torch.Tensor:
        """Extend the caches of the batch by its tokens. Returns float32 log-probabilities [kept, V] where it
        asks for them."""
        output = self._model(
            input_ids=batch.ids[None],
            position_ids=batch.positions[None],
            logits_to_keep=batch.kept,
            # Four-dimensional, so that transformers builds none; attention has a mask for each sequence.
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch.ids.device),
            past_key_values=_Cache(batch),
            use_cache=True,
            ragged=batch,
        )
        logits: torch.Tensor = output.logits[0]
        return logits.float().log_softmax(-1)


class _Cache:
    """What transformers' layers call of a KV cache; not its Cache class, whose batches are rectangular."""

    is_compileable = False

    def __init__(self, batch: RaggedBatch) -> None:
        self._batch = batch

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append a layer's keys and values [1, heads, tokens, head size]."""
        self._batch.append(layer_idx, torch.cat([keys, values]))
        return keys, values

    def get_seq_length(self, _layer_idx: int = 0) -> int:
        """Called by models that get no position ids; ours always do, so only the type matters."""
        return 0


def ragged_attention(
    module: nn.Module,
    query: torch.Tensor,
    _key: torch.Tensor,
    _value: torch.Tensor,
    _attention_mask: torch.Tensor | None,
    *,
    ragged: RaggedBatch,
    scaling: float | None = None,
    **_kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers' layers call with `query` [1, heads, tokens, head size]; the batch, passed through
    the model as `ragged`, has the keys. Returns [1, tokens, heads, head size]."""
    layer: Any = module.layer_idx
    seen = ragged.attend(layer, query[0].transpose(0, 1), scaling)
    return seen.view(1, query.shape[2], query.shape[1], query.shape[3]), None


AttentionInterface.register(ATTENTION, ragged_attention)
