"""One forward pass over the new tokens of several sequences, concatenated: no padding, whatever the lengths.

Linear layers, which cost most, see all tokens as one sequence; attention reads each sequence's own KV cache.
So weights are read once for the whole batch: all prompts of a reply, and several replies at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from transformers import AttentionInterface

from app.local.engine.branch import Branch
from app.local.engine.kv_cache import KVCache

ATTENTION = "costeer_ragged"


@dataclass(frozen=True)
class Part:
    """The next tokens of one sequence: `cache` holds what comes before `ids`. Logits are returned for the
    last `keep` of `ids`, then for all tokens of the `branches`, which do not stay in the cache."""

    cache: KVCache
    ids: Sequence[int]
    keep: int
    branches: Sequence[Branch] = ()

    def __len__(self) -> int:
        """Number of tokens computed."""
        return len(self.ids) + sum(len(branch.ids) for branch in self.branches)

    @property
    def kept(self) -> int:
        """Number of rows of logits returned."""
        return self.keep + len(self) - len(self.ids)


class RaggedBatch:
    """Passed to the model as its KV cache (`update`), and called by our attention function (`attend`).

    Implements what transformers' attention layers call, not its Cache class, whose batches are rectangular.
    """

    is_compileable = False

    def __init__(self, parts: Sequence[Part], device: torch.device) -> None:
        self._parts = parts
        self._device = device
        self._starts = [len(part.cache.tokens) for part in parts]
        self._spans: list[slice] = []
        end = 0
        for part in parts:
            self._spans.append(slice(end, end + len(part)))
            end += len(part)
        self._masks: dict[int, torch.Tensor] = {}

    def inputs(self) -> dict[str, torch.Tensor]:
        """`input_ids` and `position_ids` [1, tokens], and `logits_to_keep`, where to return logits."""
        ids: list[int] = []
        runs: list[torch.Tensor] = []
        for start, part in zip(self._starts, self._parts, strict=True):
            for first, run in ((start, part.ids), *((one.start, one.ids) for one in part.branches)):
                ids += run
                runs.append(torch.arange(first, first + len(run)))
        positions = torch.cat(runs)
        kept = [
            torch.arange(span.stop - part.kept, span.stop)
            for span, part in zip(self._spans, self._parts, strict=True)
        ]
        return {
            "input_ids": torch.tensor([ids], device=self._device),
            "position_ids": positions[None].to(self._device),
            "logits_to_keep": torch.cat(kept).to(self._device),
        }

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append a layer's keys and values [1, heads, tokens, head size], each to its sequence's cache."""
        for part, span in zip(self._parts, self._spans, strict=True):
            part.cache.append(layer_idx, keys[0, :, span], values[0, :, span])
        return keys, values

    def attend(self, layer: int, query: torch.Tensor, scale: float | None) -> torch.Tensor:
        """Grouped-query attention of `query` [1, heads, tokens, head size] over each sequence's own cache.

        Returns [1, tokens, heads, head size]. The query heads of a group become further query rows:
        transformers repeats every key in memory for each of them, which costs more than the attention.
        """
        _, heads, tokens, size = query.shape
        out = query.new_empty(1, tokens, heads, size)
        for index, (part, span) in enumerate(zip(self._parts, self._spans, strict=True)):
            new = len(part)
            keys, values = part.cache.view(layer, self._starts[index] + new)
            share = heads // keys.shape[0]
            rows = query[0, :, span].reshape(1, keys.shape[0], share * new, size)
            mask = self._mask(index, share) if new > 1 else None
            seen = F.scaled_dot_product_attention(rows, keys[None], values[None], mask, scale=scale)
            out[0, span] = seen.reshape(heads, new, size).transpose(0, 1)
        return out

    def commit(self) -> None:
        """Record the tokens that the pass has appended, except those of branches: their slots are free."""
        for part in self._parts:
            part.cache.tokens.extend(part.ids)

    def split(self, logits: torch.Tensor) -> list[torch.Tensor]:
        """Split the returned `logits` [1, kept, V] by sequence: [kept, V] each."""
        return list(torch.split(logits[0], [part.kept for part in self._parts]))

    def get_seq_length(self, _layer_idx: int = 0) -> int:
        """Called by models that get no position ids; ours always do, so only the type matters."""
        return self._starts[0]

    def _mask(self, index: int, share: int) -> torch.Tensor:
        """[share * new, slots], True where a new token attends to a slot: all up to its own, but a branch's
        tokens only to the prefix it continues and to the branch itself."""
        if index not in self._masks:
            start, part = self._starts[index], self._parts[index]
            slots = torch.arange(start + len(part), device=self._device)
            own = torch.arange(start, start + len(part), device=self._device)
            seen = slots <= own[:, None]
            first = len(part.ids)
            for branch in part.branches:
                seen[first : first + len(branch.ids), branch.start : start + first] = False
                first += len(branch.ids)
            self._masks[index] = seen.repeat(share, 1)
        return self._masks[index]


def ragged_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    _key: torch.Tensor,
    _value: torch.Tensor,
    _attention_mask: torch.Tensor | None,
    *,
    ragged: RaggedBatch,
    scaling: float | None = None,
    **_kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers' layers call; the batch, passed through the model as `ragged`, has the keys."""
    layer: Any = module.layer_idx
    return ragged.attend(layer, query, scaling), None


AttentionInterface.register(ATTENTION, ragged_attention)
