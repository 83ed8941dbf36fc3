"""Asks the small model which of a sentence's words say something of the writer, if any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.proposals.candidates import Candidate
from app.proposals.scoring import Scoring

NONE = "none"
ASKED = (
    "{question} Answer with a few words copied from the text. If the text does not say that of the writer, "
    f"answer: {NONE}."
)
TEXT = "This is from a text:\n\n{text}\n\n"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """The value that the model finds likeliest. `margin`: how much likelier it is than no answer, in nats;
    `gain`: how much likelier it became, against no answer, by reading the sentence."""

    candidate: Candidate
    end: int
    margin: float
    gain: float


async def ask(scoring: Scoring, candidate: Candidate) -> Answer:
    """Which end is the likeliest, given the sentence. Raises what the model raises."""
    asked = ASKED.format(question=candidate.field.question)
    text = TEXT.format(text=candidate.sentence.text)
    aware, agnostic = await scoring.scores((text + asked, asked), (*candidate.values(), NONE))
    best = int(np.argmax(aware[:-1]))
    margin, before = aware[best] - aware[-1], agnostic[best] - agnostic[-1]
    return Answer(candidate, candidate.ends[best], float(margin), float(margin - before))
