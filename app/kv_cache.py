"""A ragged KV cache: rows of different lengths in one batch, appended in place, rolled back for free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

GROWTH = 256  # positions; a cache grows by at least so many, so that appending a token rarely copies


class KVCache:
    """Keys and values of `rows` sequences, plus the token ids that they stand for.

    Each row holds its sequence from slot 0 on, whatever the other rows' lengths, so that a row can be cut
    or extended alone: no padding moves when a prompt changes. Which slots a query may see is the attention
    mask's affair (`mask`). Implements what transformers' attention layers call (`update`); not its Cache
    class, whose batches are rectangular. Buffers: [rows, key-value heads, capacity, head size] a layer.
    """

    is_compileable = False

    def __init__(self, rows: int) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(rows)]
        self._keys: list[torch.Tensor] = []
        self._values: list[torch.Tensor] = []
        self._active: range = range(rows)
        self._new = 0

    @property
    def rows(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens held, over all rows."""
        return sum(map(len, self.tokens))

    def rollback(self, row: int, length: int) -> None:
        """Forget everything of `row` past its first `length` tokens; the buffers stay."""
        del self.tokens[row][length:]

    def begin(self, active: range, new: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prepare a pass that appends `new` tokens to each row of `active` (adjacent rows).

        Returns position ids [active, new] and the attention mask [active, 1, new, keys], True where a new
        token sees a slot: those of its own row up to itself.
        """
        self._active, self._new = active, new
        lengths = torch.tensor([len(self.tokens[row]) for row in active])
        positions = lengths[:, None] + torch.arange(new)
        slots = torch.arange(int(lengths.max()) + new)
        return positions, (slots <= positions[:, :, None])[:, None]

    def commit(self, appended: Sequence[Sequence[int]]) -> None:
        """Record the tokens that the pass appended, one list for each active row."""
        for row, ids in zip(self._active, appended, strict=True):
            self.tokens[row].extend(ids)

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer_idx: int, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append a layer's new keys and values [active, heads, new, head size]; returns all that count."""
        end = max(len(self.tokens[row]) for row in self._active) + self._new
        while layer_idx >= len(self._keys):
            self._keys.append(keys.new_zeros(self.rows, keys.shape[1], 0, keys.shape[3]))
            self._values.append(values.new_zeros(self.rows, values.shape[1], 0, values.shape[3]))
        if end > self._keys[layer_idx].shape[2]:
            self._grow(layer_idx, end)
        all_keys, all_values = self._keys[layer_idx], self._values[layer_idx]
        for index, row in enumerate(self._active):
            start = len(self.tokens[row])
            all_keys[row, :, start : start + self._new] = keys[index]
            all_values[row, :, start : start + self._new] = values[index]
        rows = slice(self._active.start, self._active.stop)
        return all_keys[rows, :, :end], all_values[rows, :, :end]

    def _grow(self, layer: int, needed: int) -> None:
        # Slots past a row's end are masked but still multiplied, so they must hold numbers: zeros.
        for buffers in (self._keys, self._values):
            old = buffers[layer]
            capacity = max(needed, old.shape[2] * 3 // 2) + GROWTH
            new = old.new_zeros(*old.shape[:2], capacity, old.shape[3])
            new[:, :, : old.shape[2]] = old
            buffers[layer] = new

    def get_seq_length(self, _layer_idx: int = 0) -> int:
        """Asked by models that were given no position ids; ours always are, so only the type matters."""
        return len(self.tokens[self._active.start])
