"""The guard: words that the small model may read but not make the reply say, on the candidates of a position.

A held token gets no help: it is drawn no more often than without steering. A token that begins a value that
is filled in on the device gives what steering adds to it to a placeholder, which is the same for everybody.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.steering.formula import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
NOTHING = -1  # no placeholder


def without_help(local_delta: FloatArray, held: BoolArray) -> FloatArray:
    """local_delta [K] without what is above 0 for the `held` tokens [K]."""
    unhelped: FloatArray = np.where(held, np.minimum(local_delta, 0.0), local_delta)
    return unhelped


def held_scores(own: FloatArray, steered: FloatArray, held: BoolArray) -> FloatArray:
    """The `steered` scores [K] for a greedy choice: a held token is one only where it is the likeliest by its
    `own` scores [K], those without steering."""
    kept = ~held
    kept[np.argmax(own)] = True
    scores: FloatArray = np.where(kept, steered, -np.inf)
    return scores


def held_probabilities(p: FloatArray, q: FloatArray, held: BoolArray) -> FloatArray:
    """[K]: the probabilities `q` [K] with no held token above its `p` [K]; the others share what that leaves.

    Where q has nothing but held tokens it is p.
    """
    capped = np.where(held, np.minimum(p, q), q)
    others = capped[~held].sum()
    if others == 0.0:
        return p
    capped[~held] *= (1.0 - capped[held].sum()) / others
    return capped


def with_placeholders(p: FloatArray, q: FloatArray, fills: IntArray, count: int) -> FloatArray:
    """[K + count]: the probabilities `q` [K], then those of the placeholders.

    `fills` [K] has each token's placeholder, or NOTHING. Such a token stays as likely as in `p` [K]; what q
    adds to that is its placeholder's.
    """
    filled = fills != NOTHING
    added = np.where(filled, np.maximum(q - p, 0.0), 0.0)
    placeholders = np.bincount(fills[filled], added[filled], count)
    return np.concatenate((q - added, placeholders))
