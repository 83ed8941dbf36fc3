"""Candidates that the remote did not list, with its log-probabilities of them estimated on the device alone.

The remote lists its likeliest tokens. A name that only the user's private context makes likely is seldom
among them, and asking the remote about it would disclose it. So the local model adds a few candidates.
"""

from __future__ import annotations

import numpy as np

from app.steering.formula import FloatArray

# Measured on CoGenesis, see docs/evaluation.md: five give nine tenths of what the whole vocabulary would;
# with more, errors of the estimates cost what the tokens bring.
UNLISTED = 5


def estimate(listed: FloatArray, local_listed: FloatArray, local: FloatArray) -> FloatArray:
    """[n]: estimates of the remote's log-probabilities of tokens that it did not list.

    `listed` [K] are its log-probabilities of the tokens that it listed; `local_listed` [K] and `local` [n]
    are the context-agnostic local model's, of the listed and of the unlisted ones. Two things are known: no
    unlisted token is likelier than the last listed one, and together they have the mass that the list leaves.
    One guess shares that mass out as the local model would; another is one nat below the last listed token.
    The estimate is their geometric mean, which was measured to be better than either.
    """
    bound = np.minimum.reduce(listed)
    left, local_left = (max(1.0 - float(np.exp(one).sum()), 1e-9) for one in (listed, local_listed))
    shared = np.minimum(local + np.log(left / local_left), bound)
    between: FloatArray = (shared + bound - 1.0) / 2
    return between
