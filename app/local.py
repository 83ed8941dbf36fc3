"""The small model on the device: what it says with the private context, and what it says without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import numpy.typing as npt

from app.kv_cache import KVCache
from app.prompts import PrivatePrompt
from app.runner import ModelRunner


class LocalModel:
    """Scores a reply in both contexts at once, as two rows of one batch: weights are read once for both."""

    def __init__(self, runner: ModelRunner) -> None:
        self._runner = runner

    @asynccontextmanager
    async def session(self, aware: PrivatePrompt, agnostic: Sequence[int]) -> AsyncIterator[LocalSession]:
        """A session over the two prompts. Raises ContextLengthExceeded when one is too long."""
        self._runner.check_length(max(len(aware.ids), len(agnostic)))
        prompts = (list(aware.ids), list(agnostic))
        async with self._runner.cache(prompts) as cache:
            yield LocalSession(self._runner, cache, prompts)


class LocalSession:
    """One reply's two contexts. See the protocol of the same name in decode.py."""

    def __init__(self, runner: ModelRunner, cache: KVCache, prompts: tuple[list[int], list[int]]) -> None:
        self._runner = runner
        self._cache = cache
        self._prompts = prompts

    async def score(self, generated: Sequence[int], first: int) -> npt.NDArray[np.float32]:
        """Log-probabilities [2, len(generated) - first + 1, V] of positions `first`..`len(generated)`."""
        sequences = [[*prompt, *generated] for prompt in self._prompts]
        keep = len(generated) - first + 1

        def work() -> npt.NDArray[np.float32]:
            logits = self._runner.extend(self._cache, sequences, keep)
            logprobs: npt.NDArray[np.float32] = logits.log_softmax(dim=-1).numpy()
            return logprobs

        return await self._runner.run(work)
