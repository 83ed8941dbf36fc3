"""The small model on the device: what it says with the private context, and what it says without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import torch

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.engine.runner import ModelRunner
from app.local.engine.scheduler import Lease
from app.local.interface import LocalLogprobs
from app.prompts.private import PrivatePrompt
from app.steering.formula import FloatArray, IntArray, Rows, likeliest, unlike


class LocalModel:
    """Scores a reply in both contexts at once, in the same passes: weights are read once for both."""

    def __init__(self, runner: ModelRunner, owner: Owner | None = None) -> None:
        """`owner` is whose prompts it reads; None: of those who have no profile."""
        self._runner = runner
        self._owner = owner

    def kept_for(self, owner: Owner | None) -> LocalModel:
        """The same model, whose KV caches are kept for this owner alone."""
        return LocalModel(self._runner, owner)

    @asynccontextmanager
    async def session(self, aware: PrivatePrompt, agnostic: Sequence[int]) -> AsyncIterator[LocalSession]:
        """A session over the two prompts. Raises ContextLengthExceeded when one is too long."""
        self._runner.check_length(max(len(aware.ids), len(agnostic)))
        with self._runner.lease(self._owner) as lease:
            yield LocalSession(self._runner, lease, (list(aware.ids), list(agnostic)))

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Compute the beginning of prompts to come, when there is nothing else to do."""
        self._runner.check_length(len(prefix.ids))
        with self._runner.lease(self._owner) as lease:
            await self._runner.extend(lease, [list(prefix.ids)], 1, lambda _: None, background=True)


class LocalSession:
    """One reply's two contexts. See the protocol of the same name in scores.py."""

    def __init__(self, runner: ModelRunner, lease: Lease, prompts: tuple[list[int], list[int]]) -> None:
        self.prompt_tokens = sum(map(len, prompts))
        self.found = 0
        self._scored = False
        self._runner = runner
        self._lease = lease
        self._prompts = prompts

    @property
    def cost(self) -> PassCost:
        """What a pass costs; a scored position is two tokens of it."""
        return self._runner.cost

    async def score(self, generated: Sequence[int], first: int) -> list[LocalLogprobs]:
        """What the model says of positions `first`..`len(generated)`; `generated` is in its own token ids."""
        return direct(await self.rows(generated, len(generated) - first + 1))

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        """Log-probabilities [2, keep + n, V] after the last `keep` - 1 tokens of `generated` and before them,
        and after each of the n tokens of the `branches`, which leave `generated` at their `start`. Raises
        ContextLengthExceeded when prompt and reply are longer than the model takes.
        """
        sequences = [[*prompt, *generated] for prompt in self._prompts]
        leaving = [
            [Branch(len(prompt) + branch.start, branch.ids) for branch in branches]
            for prompt in self._prompts
        ]
        # One that takes more of its own tokens than the remote took may come to its end before that.
        if (longest := max(map(len, sequences))) > self._runner.max_model_len:
            self._runner.check_length(longest)
        logprobs, found = await self._runner.extend(
            self._lease, sequences, keep, _log_softmax, branches=leaving
        )
        if not self._scored:
            self.found, self._scored = found, True
        return logprobs


def _log_softmax(logits: list[torch.Tensor]) -> Rows:
    logprobs: Rows = torch.stack(logits).log_softmax(dim=-1).numpy()
    return logprobs


class SameVocabularyLogprobs:
    """Of a model that has the remote's own vocabulary."""

    def __init__(self, rows: Rows) -> None:
        """`rows` [2, V]."""
        self._rows = rows

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """See LocalLogprobs. Ids past the local vocabulary (a remote's padding) are not known."""
        known = candidates < self._rows.shape[1]
        columns = self._rows[:, np.where(known, candidates, 0)].astype(np.float64)
        return np.where(known, columns, 0.0)

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """See LocalLogprobs."""
        return unlike(likeliest(self._rows[0], count + len(without)), without)[:count]


def direct(rows: Rows) -> list[LocalLogprobs]:
    """Of several positions; `rows` [2, positions, V]."""
    return [SameVocabularyLogprobs(rows[:, position]) for position in range(rows.shape[1])]
