"""A branch: alternative tokens after a prefix of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """Tokens that might follow the first `start` tokens of a sequence in place of its own."""

    start: int
    ids: Sequence[int]
