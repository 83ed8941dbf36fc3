"""Asks the small model with which words it would describe a text."""

from __future__ import annotations

from collections.abc import Mapping

from app.proposals.leanings import LEANINGS
from app.proposals.scoring import Scoring

# Characters of a text that are read.
READ = 600
WORDS = tuple(sorted({word for one in LEANINGS for word in (one.is_, one.is_not)}))
ASKED = "{text}\n\nThis was the beginning of a text. Which one word describes how it is written?"


async def described(scoring: Scoring, text: str) -> Mapping[str, float]:
    """The log-probability of each of WORDS for the beginning of a text. Raises what the model raises."""
    (scores,) = await scoring.scores((ASKED.format(text=text[:READ]),), WORDS)
    return dict(zip(WORDS, map(float, scores), strict=True))
