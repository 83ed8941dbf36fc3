"""All KV caches of one model: lent to running jobs, then kept for reuse by prefix, within a memory budget.

A sequence that shares a prefix with a cached one of its owner computes only the rest, be it the next turn of
the same conversation or a new one. Another owner's caches are never looked at: whether a prompt hits them,
and so its latency, would reveal what they hold. That others are at work can be noticed, as their passes take
time and their caches memory; what they read cannot.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from app.local.engine.kv_cache import KVCache
from app.local.engine.owner import Owner
from app.tokenization.sequence import common_prefix

WORTHLESS = 8  # shared tokens that are not worth a copy: a chat template's own prefix


class PrefixCache:
    """Idle caches, least recently used first, and lent ones. Thread-safe."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes that all caches may occupy; lent caches count, but are never evicted."""
        self._budget = budget
        self._idle: list[KVCache] = []
        self._lent: list[KVCache] = []
        self._disowned: list[KVCache] = []  # lent, but owner forgotten: dropped when given back
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that all caches occupy."""
        return sum(cache.nbytes for cache in [*self._idle, *self._lent, *self._disowned])

    def owners(self) -> frozenset[Owner]:
        """The owners of all caches, idle or lent, except forgotten ones."""
        with self._lock:
            return frozenset(cache.owner for cache in [*self._idle, *self._lent] if cache.owner is not None)

    def lend(self, sequence: Sequence[int], owner: Owner | None) -> KVCache:
        """The cache to compute `sequence` with; it holds the longest prefix that the owner's caches have.

        An idle cache is handed over when most of its tokens can be reused; otherwise the shared prefix is
        copied, so that a new conversation does not overwrite another's.
        """
        with self._lock:
            cache = self._find(sequence, owner)
            self._lent.append(cache)
            return cache

    def give_back(self, cache: KVCache) -> None:
        """Keep a lent cache for reuse, unless its owner was forgotten; then evict the least recently used
        ones until the budget is met."""
        with self._lock:
            if cache in self._disowned:
                self._disowned.remove(cache)
                return
            self._lent.remove(cache)
            if cache.tokens:
                self._idle.append(cache)
            while self._idle and self.nbytes > self._budget:
                del self._idle[0]

    def forget(self, owners: Collection[Owner]) -> None:
        """Drop all caches of these owners: idle ones now, lent ones as soon as they are given back."""
        with self._lock:
            self._idle = [cache for cache in self._idle if cache.owner not in owners]
            self._disowned += [cache for cache in self._lent if cache.owner in owners]
            self._lent = [cache for cache in self._lent if cache.owner not in owners]

    def _find(self, sequence: Sequence[int], owner: Owner | None) -> KVCache:
        # The longest shared prefix that can be used; among equals an idle cache,
        # and of these the one with the fewest tokens.
        shared, idle, _, found = max(
            (
                (cache.reach(common_prefix(cache.tokens, sequence)), idle, -len(cache.tokens), cache)
                for idle, caches in ((True, self._idle), (False, self._lent))
                for cache in caches
                if cache.owner == owner
            ),
            key=lambda one: one[:3],
            default=(0, False, 0, KVCache(owner)),
        )
        if idle and 4 * shared >= 3 * len(found.tokens):
            self._idle.remove(found)
            return found
        return found.copy(shared) if shared > WORTHLESS else KVCache(owner)
