"""The edit distance between two texts, in tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def edit_distance(one: Sequence[int], other: Sequence[int]) -> int:
    """The fewest token insertions, deletions and substitutions from `one` to `other` (Levenshtein)."""
    places = np.arange(len(other) + 1)
    theirs = np.asarray(other, dtype=np.int64)
    row = places
    for count, token in enumerate(one, 1):
        kept = row[:-1] + (theirs != token)
        row = np.concatenate(([count], np.minimum(row[1:] + 1, kept)))
        # An insertion costs one more than the cell to the left: a running minimum.
        row = np.minimum.accumulate(row - places) + places
    return int(row[-1])


def share_changed(one: Sequence[int], other: Sequence[int]) -> float:
    """The edit distance as a share of the longer text's length; 0 for the same text.

    Greedy texts diverge for good after their first difference, and a token dropped early shifts all that
    follow: a comparison by position would count every later token that stayed the same as changed.
    """
    return edit_distance(one, other) / max(len(one), len(other), 1)
