"""All KV caches of one model: lent to what runs, kept for what comes, within a budget of memory.

A sequence that begins like one that is held pays only for what is new, be it the next turn of the same
conversation or a new one with the same profile. One thread uses it: the one that runs the forward passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.engine.kv_cache import KVCache, common_prefix

WORTHLESS = 8  # tokens in common that are not worth a copy: a chat template's own beginning


class PrefixCache:
    """Idle caches, least recently used first, and those that are lent."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes that all caches may take up; what is lent counts, but is never taken away."""
        self._budget = budget
        self._idle: list[KVCache] = []
        self._lent: list[KVCache] = []

    @property
    def nbytes(self) -> int:
        """Bytes that all caches take up."""
        return sum(cache.nbytes for cache in [*self._idle, *self._lent])

    def lend(self, sequence: Sequence[int]) -> KVCache:
        """The cache to compute `sequence` with; it holds the longest beginning of it that any cache has.

        An idle cache is handed over when most of what it holds is of use; else what is of use is copied, so
        that a new conversation does not wipe out another's.
        """
        cache = self._find(sequence)
        self._lent.append(cache)
        return cache

    def give_back(self, cache: KVCache) -> None:
        """Keep a lent cache for later; what was used least recently goes once the budget is passed."""
        self._lent.remove(cache)
        if cache.tokens:
            self._idle.append(cache)
        while self._idle and self.nbytes > self._budget:
            del self._idle[0]

    def _find(self, sequence: Sequence[int]) -> KVCache:
        # The most in common; among equals an idle one, and of these the one that holds least besides.
        shared, idle, _, found = max(
            (
                (common_prefix(cache.tokens, sequence), idle, -len(cache.tokens), cache)
                for idle, caches in ((True, self._idle), (False, self._lent))
                for cache in caches
            ),
            key=lambda one: one[:3],
            default=(0, False, 0, KVCache()),
        )
        if idle and 4 * shared >= 3 * len(found.tokens):
            self._idle.remove(found)
            return found
        return found.copy(shared) if shared > WORTHLESS else KVCache()
