"""Asks the small model which of a sentence's words say something of the writer: it reads and scores, and writes
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.local.engine.branch import Branch
from app.local.interface import RowModel
from app.prompts.private import Contrast, PrivateMessage, PrivatePrompt
from app.prompts.template import rendered
from app.proposals.candidates import Candidate
from app.steering.formula import FloatArray, Rows
from app.tokenization.tokenizer import Tokenizer

NONE = "none"
LEAD = "Answer:"
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


class Asking:
    """Asks about candidates, with a local model and its tokenizer."""

    def __init__(self, model: RowModel, tokenizer: Tokenizer) -> None:
        self._model = model
        self._tokenizer = tokenizer
        spelled = (tokenizer.encode_after(one)[:1] for one in ("\n", ".", ","))
        # What ends an answer.
        self._ends = np.array(sorted({*tokenizer.eos_ids, *(one[0] for one in spelled if one)}))

    async def ask(self, candidate: Candidate) -> Answer:
        """Which end is the likeliest, given the sentence. Raises what the model raises."""
        answers = [self._tokenizer.encode_after(f" {one}") for one in (*candidate.values(), NONE)]
        branches = _branches(answers)
        async with self._model.session([self._contrast(candidate)]) as session:
            rows = await session.rows((), 1, [Branch(0, one) for one in branches])
            scores = np.array([self._scores(rows[side], branches, answers) for side in session.pairs[0]])
        aware, agnostic = scores
        best = int(np.argmax(aware[:-1]))
        return Answer(
            candidate,
            candidate.ends[best],
            float(aware[best] - aware[-1]),
            float(aware[best] - aware[-1] - agnostic[best] + agnostic[-1]),
        )

    def _contrast(self, candidate: Candidate) -> Contrast:
        asked = ASKED.format(question=candidate.field.question)
        text = TEXT.format(text=candidate.sentence.text)
        return Contrast(self._prompt(text + asked), self._prompt(asked))

    def _prompt(self, text: str) -> PrivatePrompt:
        opened = rendered(self._tokenizer, (PrivateMessage("user", text),))
        return PrivatePrompt((*self._tokenizer.encode(opened), *self._tokenizer.encode_after(LEAD)))

    def _scores(
        self, rows: Rows, branches: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
    ) -> list[float]:
        """The log-probability of each answer, with its end, by `rows` [1 + tokens of the branches, V]."""
        firsts = np.cumsum([1, *map(len, branches)])
        return [self._score(rows, branches, firsts, answer) for answer in answers]

    def _score(
        self, rows: Rows, branches: Sequence[Sequence[int]], firsts: FloatArray, answer: Sequence[int]
    ) -> float:
        within = next(n for n, one in enumerate(branches) if list(one[: len(answer)]) == list(answer))
        after = [0, *range(int(firsts[within]), int(firsts[within]) + len(answer))]
        said = sum(float(rows[row, token]) for row, token in zip(after, answer, strict=False))
        return said + float(np.logaddexp.reduce(rows[after[-1], self._ends].astype(np.float64)))


def _branches(answers: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """The answers that none other begins with: each answer is the beginning of one of them."""
    found: list[Sequence[int]] = []
    for one in sorted(answers, key=len, reverse=True):
        if not any(list(other[: len(one)]) == list(one) for other in found):
            found.append(one)
    return found
