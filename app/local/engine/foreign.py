"""Forward passes in transformers' code, for the families that the engine's own decoder does not compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface

from app.local.engine.linear import pack
from app.local.engine.ragged import RaggedBatch
from app.local.engine.recurrent.convolution import Convolution
from app.local.engine.recurrent.layers import take_over
from app.local.engine.recurrent.scan import Steps

ATTENTION = "costeer_ragged"
# What an attention function may be told and need not heed: the batch says it already, or it is for training.
_NEEDLESS = {"dropout", "position_ids", "cache_position", "use_cache", "position_embeddings"}


class ForeignDecoder:
    """A transformers model whose layers read and write the caches of a ragged batch."""

    def __init__(self, model: Any) -> None:
        """`model` was loaded with `ATTENTION` as its attn_implementation."""
        take_over(model)
        pack(model)
        self._model = model

    def __call__(self, batch: RaggedBatch) -> torch.Tensor:
        """Extend the caches of the batch by its tokens. Returns float32 log-probabilities [kept, V] where it
        asks for them."""
        return self.run(RaggedPass(batch))

    def run(self, layers: RaggedPass) -> torch.Tensor:
        """As above, for a caller who wants to know which layers took part."""
        batch = layers.batch
        output = self._model(
            input_ids=batch.ids[None],
            position_ids=batch.positions[None],
            logits_to_keep=batch.kept,
            # Four-dimensional, so that transformers builds none; attention has a mask for each sequence.
            attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=batch.ids.device),
            past_key_values=layers,
            use_cache=True,
            ragged=layers,
        )
        logits: torch.Tensor = output.logits[0]
        return logits.float().log_softmax(-1)


class RaggedPass:
    """A batch on its way through transformers' layers, which call it as they would a KV cache. It is not of
    transformers' Cache class, whose batches are rectangular."""

    is_compileable = False

    def __init__(self, batch: RaggedBatch) -> None:
        self.batch = batch
        self.windows: dict[int, int | None] = {}  # of the layers that have been computed
        self._keys: dict[int, torch.Tensor] = {}

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append a layer's keys and values [1, heads, tokens, head size]."""
        self.batch.append(layer_idx, torch.cat([keys, values]))
        self._keys[layer_idx] = keys
        return keys, values

    def get_seq_length(self, _layer_idx: int = 0) -> int:
        """Called by models that get no position ids; ours always do, so only the type matters."""
        return 0

    def attend(
        self,
        layer: int,
        query: torch.Tensor,
        keys: torch.Tensor,
        *,
        scale: float | None,
        window: int | None,
        cap: float | None,
    ) -> torch.Tensor:
        """Attention of a layer's `query` [tokens, heads, head size]. Its `keys` are those that `update` got
        of it, or of an earlier layer which shares its cache. Returns [tokens, heads * value size]."""
        owner = next(one for one, own in self._keys.items() if own is keys)
        self.windows[layer] = window
        return self.batch.attend(owner, query, scale, window, cap=cap)

    def convolve(self, layer: int, convolution: Convolution, x: torch.Tensor) -> torch.Tensor:
        """A layer's convolution of `x` [tokens, channels], along each sequence. Returns the same shape."""
        self.windows.setdefault(layer)
        return self.batch.convolve(layer, convolution, x)

    def scan(self, layer: int, steps: Steps) -> torch.Tensor:
        """What the tokens read of the layer's states, [tokens, heads, value size]."""
        return self.batch.scan(layer, steps)


def ragged_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    _value: torch.Tensor,
    _attention_mask: torch.Tensor | None,
    *,
    ragged: RaggedPass,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers' layers call with `query` [1, heads, tokens, head size]; the batch, passed through
    the model as `ragged`, has the keys. Returns [1, tokens, heads, value size]. Raises NotImplementedError
    for what it would have to heed and does not know."""
    told = {name for name, value in others.items() if value is not None and value is not False}
    if unknown := told - _NEEDLESS:
        raise NotImplementedError(f"attention with {', '.join(sorted(unknown))}")
    if not getattr(module, "is_causal", True):
        raise NotImplementedError("attention in both directions")
    layer: Any = module.layer_idx
    rows = query[0].transpose(0, 1)
    seen = ragged.attend(layer, rows, key, scale=scaling, window=sliding_window, cap=softcap)
    return seen.view(1, query.shape[2], query.shape[1], -1), None


AttentionInterface.register(ATTENTION, ragged_attention)
