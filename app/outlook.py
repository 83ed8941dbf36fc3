"""What the local model says of a reply's next token, in terms of the remote's tokens."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.steering import FloatArray, IntArray

# [2, ...]: context-aware, then context-agnostic; natural-log probabilities, each over the whole vocabulary.
Rows = npt.NDArray[np.float32]


class Outlook(Protocol):
    """One position of a reply, seen in both contexts."""

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """[2, K]: log-probabilities of the remote's tokens `candidates` [K], context-aware and
        context-agnostic. Of a token that is known in part they are those of the part; of one that is not
        known at all, both are 0."""
        ...

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """At most `count` of the remote's tokens: the likeliest context-aware ones but for `without`."""
        ...


class Direct:
    """Of a model that has the remote's own vocabulary."""

    def __init__(self, rows: Rows) -> None:
        """`rows` [2, V]."""
        self._rows = rows

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """See Outlook. Ids past the local vocabulary (a remote's padding) are not known."""
        known = candidates < self._rows.shape[1]
        columns = self._rows[:, np.where(known, candidates, 0)].astype(np.float64)
        return np.where(known, columns, 0.0)

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """See Outlook."""
        return unlike(likeliest(self._rows[0], count + len(without)), without)[:count]


def direct(rows: Rows) -> list[Outlook]:
    """Of several positions; `rows` [2, positions, V]."""
    return [Direct(rows[:, position]) for position in range(rows.shape[1])]


def likeliest(row: npt.NDArray[np.floating[Any]], count: int) -> IntArray:
    """Indices of the greatest numbers of `row` [V], the greatest first."""
    count = min(count, len(row))
    best = np.argpartition(row, len(row) - count)[len(row) - count :]
    return best[np.argsort(-row[best], kind="stable")]


def unlike(ids: IntArray, without: IntArray) -> IntArray:
    """Those of `ids` that are not in `without`, in their order."""
    return ids[~np.isin(ids, without)]


def local_delta(logprobs: FloatArray) -> FloatArray:
    """log p_S(v | u, x, y<t) - log p_S(v | x, y<t) of some tokens [K] (arXiv 2507.04756), from [2, K]."""
    delta: FloatArray = logprobs[0] - logprobs[1]
    return delta
