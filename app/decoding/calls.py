"""Tool calls: whether the reply makes one is the remote's decision alone, and steering has no part in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from app.remote.interface import DraftToken
from app.remote.opening import Opening
from app.steering.formula import FloatArray, IntArray
from app.steering.guard import BoolArray
from app.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True)
class Calls:
    """How the remote begins a call.

    Where its draft begins one, the reply does: that is as likely as the remote has it. Where it does not, the
    token is drawn among those that begin none. So with d the remote's distribution, q the steered one and c
    the token that begins a call, c is as likely as by d, and each other token v has the probability
    (1 - d(c)) q(v) / (1 - q(c)).
    """

    opening: Opening
    vocabulary: Vocabulary

    def begun(self, drafted: Sequence[DraftToken], position: int) -> bool | None:
        """Whether these draft tokens begin a call at this position of the reply; None: more are needed to
        tell."""
        return self.opening.begins([one.token_id for one in drafted], position)

    @property
    def longest(self) -> int:
        """How many draft tokens tell for certain."""
        return max(len(self.opening.ids), len(self.opening.bare))

    def beginning(self, ids: IntArray, position: int) -> BoolArray:
        """[K]: which candidates would begin a call by themselves."""
        return np.isin(ids, [one[0] for one in self._openings(position) if len(one) == 1])

    def unhelped(self, ids: IntArray, position: int) -> BoolArray:
        """[K]: which candidates no steering helps: what a call may begin with, and special tokens that do
        not end the reply."""
        first = {one[0] for one in self._openings(position)}
        marks = [
            one in first or (one not in self.vocabulary.eos_ids and self.vocabulary.token_bytes(one) is None)
            for one in ids.tolist()
        ]
        return np.array(marks, bool)

    def _openings(self, position: int) -> Iterator[tuple[int, ...]]:
        """What may begin a call at this position."""
        if self.opening.anywhere or position == 0:
            yield self.opening.ids
        if self.opening.bare and position == 0:
            yield self.opening.bare


def without(probabilities: FloatArray, beginning: BoolArray) -> FloatArray:
    """[K]: the probabilities, given that the token is none of these."""
    rest: FloatArray = np.where(beginning, 0.0, probabilities)
    # What the remote lists may have drifted from what it drew by, so that nothing else has any.
    return rest / total if (total := rest.sum()) else rest
