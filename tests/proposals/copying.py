"""A local model that copies: a byte is likely where it goes on as a text of the prompt does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
from fakes import EOS, VOCABULARY, FakeTokenizer

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import IntArray, Rows, log_softmax


class CopyingSession:
    """Rows for the tokens of branches, each by its own prompt."""

    ahead = True

    def __init__(self, prompts: Sequence[bytes], pairs: IntArray) -> None:
        self._texts = prompts
        self.pairs = pairs
        self.prompts = len(prompts)
        self.prompt_tokens = sum(map(len, prompts))
        self.cost = PassCost()
        self.found = 0

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        raise AssertionError("proposals ask for rows")

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        assert (list(generated), keep) == ([], 1)
        starts = [b"", *(bytes(one.ids[: n + 1]) for one in branches for n in range(len(one.ids)))]
        rows = [[_next(text, start) for start in starts] for text in self._texts]
        return np.array(rows, dtype=np.float32)


def _next(text: bytes, start: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    logits = np.zeros(VOCABULARY)
    logits[EOS] = 12.0
    known = start.strip()[-6:]
    for token in range(256):
        if known and known + bytes([token]) in text:
            logits[token] = 12.0
    if start == b" ":
        logits[ord("n")] = -9.0  # it seldom says none
    if not start:
        logits[ord(" ")] = 15.0
    return log_softmax(logits)


class CopyingModel:
    """Remembers what it read, and for whom it keeps caches."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.kept: list[Owner | None] = []
        self.open = 0

    def kept_for(self, owner: Owner | None) -> CopyingModel:
        self.kept.append(owner)
        return self

    async def warm(self, prefix: PrivatePrompt) -> None:
        raise AssertionError("proposals warm nothing")

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[CopyingSession]:
        (one,) = contrasts
        read = [FakeTokenizer().decode(prompt.ids) for prompt in (one.aware, one.agnostic)]
        self.read += read
        prompts = list(dict.fromkeys(read))
        self.open += 1
        try:
            yield CopyingSession(
                [text.encode() for text in prompts], np.array([[prompts.index(text) for text in read]])
            )
        finally:
            self.open -= 1
