"""All KV caches of one model: lent to what runs, kept for what comes, within a budget of memory.

A sequence that begins like one that its owner has held pays only for what is new, be it the next turn of the
same conversation or a new one. Another owner's caches are never looked at: whether a prompt is found there,
and so how long it takes, would tell what is in them. That others are at work can be noticed, as their passes
take time and their caches room; what they read cannot.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from app.local.engine.kv_cache import KVCache
from app.local.engine.owner import Owner
from app.tokenization.sequence import common_prefix

WORTHLESS = 8  # tokens in common that are not worth a copy: a chat template's own beginning


class PrefixCache:
    """Idle caches, least recently used first, and those that are lent. Safe to call from any thread."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes that all caches may take up; what is lent counts, but is never taken away."""
        self._budget = budget
        self._idle: list[KVCache] = []
        self._lent: list[KVCache] = []
        self._disowned: list[KVCache] = []  # lent still, and of no use to anybody else
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that all caches take up."""
        return sum(cache.nbytes for cache in [*self._idle, *self._lent, *self._disowned])

    def owners(self) -> frozenset[Owner]:
        """Whose caches there are, idle or lent, but for those that were forgotten."""
        with self._lock:
            return frozenset(cache.owner for cache in [*self._idle, *self._lent] if cache.owner is not None)

    def lend(self, sequence: Sequence[int], owner: Owner | None) -> KVCache:
        """The cache to compute `sequence` with; it holds the longest beginning of it that a cache of the
        owner has.

        An idle cache is handed over when most of what it holds is of use; else what is of use is copied, so
        that a new conversation does not wipe out another's.
        """
        with self._lock:
            cache = self._find(sequence, owner)
            self._lent.append(cache)
            return cache

    def give_back(self, cache: KVCache) -> None:
        """Keep a lent cache for later, unless its owner was forgotten; what was used least recently goes once
        the budget is passed."""
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
        """Drop all that is kept for these owners: now, and what is lent as soon as it is given back."""
        with self._lock:
            self._idle = [cache for cache in self._idle if cache.owner not in owners]
            self._disowned += [cache for cache in self._lent if cache.owner in owners]
            self._lent = [cache for cache in self._lent if cache.owner not in owners]

    def _find(self, sequence: Sequence[int], owner: Owner | None) -> KVCache:
        # The most in common; among equals an idle one, and of these the one that holds least besides.
        shared, idle, _, found = max(
            (
                (common_prefix(cache.tokens, sequence), idle, -len(cache.tokens), cache)
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
