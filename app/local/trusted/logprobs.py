"""What the server said of one position: logprobs of the tokens that were asked for, and its likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from app.steering.formula import FloatArray, IntArray, of_each, unlike


class TrustedLogprobs:
    """One position's logprobs, of known tokens alone. See LocalLogprobs in interface.py."""

    def __init__(
        self, ids: IntArray, values: FloatArray, pairs: IntArray, tops: Sequence[IntArray], vocabulary: int
    ) -> None:
        """`ids` [K], ascending: the tokens that were asked for; `values` [prompts, K]: their logprobs;
        `pairs` [m, 2]: the prompts of each contrast; `tops`: of each contrast the likeliest tokens
        context-aware, the likeliest first. Ids from `vocabulary` on are not the model's."""
        self._ids = ids
        self._values = values
        self._pairs = pairs
        self._tops = tops
        self._vocabulary = vocabulary

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """See LocalLogprobs. Ids past the local vocabulary are not matched. Raises KeyError for a token that
        was not asked for."""
        known = candidates < self._vocabulary
        places = np.searchsorted(self._ids, candidates)
        found = places < len(self._ids)
        found &= self._ids[np.where(found, places, 0)] == candidates if len(self._ids) else False
        if (known & ~found).any():
            raise KeyError("a token that the server was not asked about")
        columns = self._values[:, np.where(found, places, 0)] if len(self._ids) else np.zeros((1, 0))
        return np.where(known, columns, 0.0)[self._pairs]

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """See LocalLogprobs; fewer where the server tells fewer."""
        return likeliest(self._tops, count, without)


def likeliest(tops: Sequence[IntArray], count: int, without: IntArray) -> IntArray:
    """At most `count` tokens for each of `tops`, except those in `without` and those found before."""

    def search(top: IntArray, taken: IntArray) -> IntArray:
        return unlike(top, taken)[:count]

    return of_each((partial(search, top) for top in tops), without)
