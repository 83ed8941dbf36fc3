"""How likely the small model finds each of some answers: it reads and scores, and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from app.local.engine.branch import Branch
from app.local.interface import RowModel
from app.prompts.private import Contrast, PrivateMessage, PrivatePrompt
from app.prompts.template import Template, rendered
from app.steering.formula import FloatArray, Rows

LEAD = "Answer:"


class Tokenizer(Template, Protocol):
    """The local model's; see tokenization/tokenizer.py."""

    @property
    def eos_ids(self) -> frozenset[int]: ...

    def encode(self, text: str) -> list[int]: ...

    def encode_after(self, text: str) -> list[int]: ...


class Scoring:
    """A local model and its tokenizer, which are asked questions with given answers."""

    def __init__(self, model: RowModel, tokenizer: Tokenizer) -> None:
        """Raises WeightsError for a tokenizer whose tokens do not spell their text."""
        self._model = model
        self._tokenizer = tokenizer
        spelled = (tokenizer.encode_after(one)[:1] for one in ("\n", ".", ","))
        # What ends an answer.
        self._ends = np.array(sorted({*tokenizer.eos_ids, *(one[0] for one in spelled if one)}))

    async def scores(self, asked: Sequence[str], answers: Sequence[str]) -> FloatArray:
        """[questions, answers]: the log-probability of each answer, and of its end, to one question or two,
        in one pass. Raises what the model raises."""
        prompts = [self._prompt(one) for one in asked]
        ids = [self._tokenizer.encode_after(f" {one}") for one in answers]
        branches = maximal(ids)
        async with self._model.session([Contrast(prompts[0], prompts[-1])]) as session:
            rows = await session.rows((), 1, [Branch(0, one) for one in branches])
            sides = session.pairs[0][: len(asked)]
            return np.array([[self._score(rows[side], branches, one) for one in ids] for side in sides])

    def _prompt(self, text: str) -> PrivatePrompt:
        opened = rendered(self._tokenizer, (PrivateMessage("user", text),))
        return PrivatePrompt((*self._tokenizer.encode(opened), *self._tokenizer.encode_after(LEAD)))

    def _score(self, rows: Rows, branches: Sequence[Sequence[int]], answer: Sequence[int]) -> float:
        """By `rows` [1 + tokens of all branches, V]: before any, then after each token."""
        first = 1
        for branch in branches:
            if list(branch[: len(answer)]) == list(answer):
                break
            first += len(branch)
        after = [0, *range(first, first + len(answer))]
        said = sum(float(rows[row, token]) for row, token in zip(after, answer, strict=False))
        return said + float(np.logaddexp.reduce(rows[after[-1], self._ends].astype(np.float64)))


def maximal(answers: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """The answers that no other begins with: each answer is the beginning of one of them."""
    found: list[Sequence[int]] = []
    for one in sorted(answers, key=len, reverse=True):
        if not any(list(other[: len(one)]) == list(one) for other in found):
            found.append(one)
    return found
