"""Fake models that an evaluation can read and write with, and that count what they do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
from fakes import VOCABULARY, FakeLocal, FakeRemote, FakeSession

from app.prompts.private import Contrast, PrivatePrompt
from app.remote.embedded import EmbeddedRemote
from app.steering.formula import FloatArray, Rows, log_softmax


class ReadableRemote(FakeRemote):
    """A remote whose distribution at a position hangs on its prompt; remembers the prompts it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_prompts: list[str] = []

    def embedded(self) -> EmbeddedRemote:
        """As the evaluation takes it."""
        return cast(EmbeddedRemote, self)

    async def read(self, prompt: Sequence[int], ids: Sequence[int]) -> Rows:
        self.read_prompts.append(self.tokenizer.decode(prompt))
        rng = np.random.default_rng(len(prompt))
        return rng.normal(0.0, 2.0, (len(ids), VOCABULARY)).astype(np.float32)

    async def logprobs(self, prompt: Sequence[int], ids: Sequence[int]) -> FloatArray:
        rows = log_softmax((await self.read(prompt, ids)).astype(np.float64))
        found: FloatArray = rows[np.arange(len(ids)), np.array(ids)]
        return found


class CountingLocal(FakeLocal):
    """Remembers the pairs of prompts that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[PrivatePrompt, PrivatePrompt]] = []

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[FakeSession]:
        self.pairs += [(one.aware, one.agnostic) for one in contrasts]
        async with super().session(contrasts) as session:
            yield session
