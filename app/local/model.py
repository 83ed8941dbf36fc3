"""The small model on the device: its logprobs with the private context, and without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.engine.runner import ModelRunner
from app.local.engine.scheduler import Lease
from app.local.interface import LocalLogprobs, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, IntArray, Rows, likeliest, of_each, unlike


class LocalModel:
    """Scores a reply under all prompts in the same forward passes: the weights are read once for them."""

    def __init__(self, runner: ModelRunner, owner: Owner | None = None) -> None:
        """`owner` is the profile whose prompts it reads; None for requests without a profile."""
        self._runner = runner
        self._owner = owner

    def kept_for(self, owner: Owner | None) -> LocalModel:
        """The same model, with KV caches that only this owner can reuse."""
        return LocalModel(self._runner, owner)

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[LocalSession]:
        """A session over the contrasts' prompts. Raises ContextLengthExceeded when one is too long."""
        # Contrasts may share a prompt, such as the conversation as it is: it is read once.
        places: dict[tuple[int, ...], int] = {}
        pairs = [
            [places.setdefault(one.ids, len(places)) for one in (contrast.aware, contrast.agnostic)]
            for contrast in contrasts
        ]
        self._runner.check_length(max(map(len, places)))
        with self._runner.lease(self._owner) as lease:
            yield LocalSession(self._runner, lease, [list(ids) for ids in places], np.array(pairs))

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Prefill the shared prefix of later prompts, in the background."""
        self._runner.check_length(len(prefix.ids))
        with self._runner.lease(self._owner) as lease:
            await self._runner.extend(lease, [list(prefix.ids)], 1, lambda _: None, background=True)


class LocalSession:
    """One reply under all prompts. See the protocol of the same name in interface.py."""

    ahead = True

    def __init__(
        self, runner: ModelRunner, lease: Lease, prompts: Sequence[list[int]], pairs: IntArray
    ) -> None:
        self.pairs = pairs
        self.prompts = len(prompts)
        self._prompts = prompts
        self.prompt_tokens = sum(map(len, prompts))
        self.found = 0
        self._scored = False
        self._runner = runner
        self._lease = lease

    @property
    def cost(self) -> PassCost:
        """What a forward pass costs; scoring a position adds a token to it for each prompt."""
        return self._runner.cost

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        """Logprobs at positions `first`..`len(generated)`; `generated` is in the model's own token ids."""
        return direct(await self.rows(generated, len(generated) - first + 1), self.pairs)

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        """Logprobs [prompts, keep + n, V]: before and after each of the last `keep` - 1 tokens of
        `generated`, then after each of the n tokens of the `branches`, which leave `generated` at their
        `start`. Raises ContextLengthExceeded when prompt and reply are longer than the model takes.
        """
        sequences = [[*prompt, *generated] for prompt in self._prompts]
        leaving = [
            [Branch(len(prompt) + branch.start, branch.ids) for branch in branches]
            for prompt in self._prompts
        ]
        # A reply may take more local tokens than remote ones, and so reach the local limit first.
        if (longest := max(map(len, sequences))) > self._runner.max_model_len:
            self._runner.check_length(longest)
        logprobs, found = await self._runner.extend(self._lease, sequences, keep, _stacked, branches=leaving)
        if not self._scored:
            self.found, self._scored = found, True
        return logprobs


def _stacked(logprobs: list[torch.Tensor]) -> Rows:
    # Not by torch, whose threads would wait for more work while the next pass needs their cores.
    return np.stack([rows.numpy() for rows in logprobs])


class SameVocabularyLogprobs:
    """One position's logprobs, from a local model that shares the remote's vocabulary."""

    def __init__(self, rows: Rows, pairs: IntArray) -> None:
        """`rows` [prompts, V]: local logprobs; `pairs` [m, 2]: those of each contrast."""
        self._rows = rows
        self._pairs = pairs

    def logprobs(self, candidates: IntArray) -> FloatArray:
        """See LocalLogprobs. Ids past the local vocabulary (a remote's padding) are not matched."""
        known = candidates < self._rows.shape[1]
        columns = self._rows[:, np.where(known, candidates, 0)].astype(np.float64)
        return np.where(known, columns, 0.0)[self._pairs]

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        """See LocalLogprobs."""

        def search(row: npt.NDArray[np.float32], taken: IntArray) -> IntArray:
            return unlike(likeliest(row, count + len(taken)), taken)[:count]

        return of_each((partial(search, self._rows[aware]) for aware in self._pairs[:, 0]), without)


def direct(rows: Rows, pairs: IntArray) -> list[LocalLogprobs]:
    """LocalLogprobs of each position, in the same vocabulary, from `rows` [prompts, positions, V]."""
    return [SameVocabularyLogprobs(rows[:, position], pairs) for position in range(rows.shape[1])]
