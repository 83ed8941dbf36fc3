"""Tokens that the remote did not list, and how likely it may find them: estimated on the device alone.

The remote lists its likeliest tokens. A name that only the user's own context makes likely is seldom among
them, and to ask for it would tell it. So a few more candidates come from the local model.
"""

from __future__ import annotations

import numpy as np

from app.steering.formula import FloatArray

# Measured on CoGenesis, see docs/evaluation.md: five give nine tenths of what the whole vocabulary would; of more, the
# estimates cost what the tokens bring.
UNLISTED = 5


def estimate(listed: FloatArray, local_listed: FloatArray, local: FloatArray) -> FloatArray:
    """[n]: the remote's log-probabilities of tokens that it did not list.

    `listed` [K] are its own of those that it listed; `local_listed` [K] and `local` [n] the context-agnostic
    local model's of both. Two things are known: no token is likelier than the last of the list, and all
    together have what the list leaves. Shared as the local model would share it, that is one guess; to be
    just below the last, by a nat, the other. The estimate is their geometric mean, which was measured to be
    better than either.
    """
    bound = np.minimum.reduce(listed)
    left, local_left = (max(1.0 - float(np.exp(one).sum()), 1e-9) for one in (listed, local_listed))
    shared = np.minimum(local + np.log(left / local_left), bound)
    between: FloatArray = (shared + bound - 1.0) / 2
    return between
