"""The KV cache of one sequence: append in place, roll back for free, copy a prefix for another sequence."""

from __future__ import annotations

import torch

from app.local.engine.owner import Owner
from app.local.engine.recurrent.states import States

GROWTH = 256  # positions; a cache grows by at least this many, so that appending a token rarely copies


class KVCache:
    """Keys and values of one sequence, and the token ids they belong to; only `owner` can reuse them.

    One buffer per layer: [2, key-value heads, capacity, head size], keys then values; slot i is position i.
    """

    def __init__(self, owner: Owner | None = None) -> None:
        self.owner = owner
        self.tokens: list[int] = []
        self.states = States()
        self._layers: dict[int, torch.Tensor] = {}

    @property
    def nbytes(self) -> int:
        """Bytes that the buffers occupy, filled or not."""
        return sum(buffer.nbytes for buffer in self._layers.values()) + self.states.nbytes

    def reach(self, length: int) -> int:
        """How many of the first `length` tokens `rollback` and `copy` keep: where layers have a state, maybe
        fewer."""
        return self.states.reach(length)

    def rollback(self, length: int) -> None:
        """Drop everything past the first `length` tokens, or past those in `reach`; the buffers stay
        allocated."""
        length = self.reach(length)
        self.states.rollback(length)
        del self.tokens[length:]

    def clear(self) -> None:
        """Drop all tokens, whatever a failed pass has left."""
        self.tokens.clear()
        self.states = States()

    def copy(self, length: int) -> KVCache:
        """A new cache with a copy of the first `length` tokens, or those in `reach`, for the same owner."""
        length = self.reach(length)
        other = KVCache(self.owner)
        other.states = self.states.copy(length)
        other.tokens = self.tokens[:length]
        for layer, buffer in self._layers.items():
            new = _buffer(buffer, length)
            new[:, :, :length] = buffer[:, :, :length]
            other._layers[layer] = new
        return other

    def append(self, layer: int, pairs: torch.Tensor) -> None:
        """Write a layer's new keys and values [2, heads, new, head size] after the cached tokens."""
        start = len(self.tokens)
        new = pairs.shape[2]
        if layer not in self._layers:
            self._layers[layer] = pairs.new_empty(2, pairs.shape[1], 0, pairs.shape[3])
        self._grow(layer, start + new)
        self._layers[layer].narrow(2, start, new).copy_(pairs)

    def reserve(self, positions: int, layers: int, heads: int, size: int) -> list[torch.Tensor]:
        """The buffers of all layers, for the caller to write to, with room for so many positions. New ones
        are in float32 on the CPU."""
        for layer in range(layers):
            if layer not in self._layers:
                self._layers[layer] = torch.empty(2, heads, 0, size)
            self._grow(layer, positions)
        return list(self._layers.values())

    def view(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A layer's keys and values of the first `length` positions, each [1, heads, length, head size]."""
        keys, values = self._layers[layer].narrow(2, 0, length).chunk(2)
        return keys, values

    def _grow(self, layer: int, positions: int) -> None:
        old, held = self._layers[layer], len(self.tokens)
        if positions > old.shape[2]:
            self._layers[layer] = _buffer(old, max(positions, old.shape[2] * 3 // 2))
            self._layers[layer][:, :, :held] = old[:, :, :held]


def _buffer(like: torch.Tensor, needed: int) -> torch.Tensor:
    return like.new_empty(2, like.shape[1], needed + GROWTH, like.shape[3])
