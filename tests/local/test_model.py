"""The small model under the prompts of several contrasts: what it computes, with a runner that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.runner import ModelRunner
from app.local.interface import Wanted
from app.local.model import LocalModel, LocalSession, SameVocabularyLogprobs
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, Rows

V = 8
ONE, OTHER, THIRD = PrivatePrompt((1, 2, 3)), PrivatePrompt((4, 5)), PrivatePrompt((6,))


def logprobs(ids: Sequence[int]) -> torch.Tensor:
    """Those that hang on all tokens before."""
    logits = np.random.default_rng([9, *ids]).normal(size=V).astype(np.float32)
    return torch.from_numpy(logits).log_softmax(-1)


class Runner:
    """Log-probabilities; remembers what it was to hold."""

    max_model_len = 100

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.longest = 0

    def check_length(self, tokens: int) -> None:
        self.longest = tokens

    @contextmanager
    def lease(self, owner: Owner | None) -> Iterator[None]:
        yield

    async def extend(
        self,
        lease: None,
        sequences: Sequence[Sequence[int]],
        keep: int,
        finish: Callable[[list[torch.Tensor]], Rows],
        *,
        branches: Sequence[Sequence[Branch]],
    ) -> tuple[Rows, int]:
        self.asked.append(len(sequences))
        assert len(branches) == len(sequences)
        found = []
        for ids, leaving in zip(sequences, branches, strict=True):
            ends = [ids[:end] for end in range(len(ids) - keep + 1, len(ids) + 1)]
            ends += [
                [*ids[: one.start], *one.ids[: end + 1]] for one in leaving for end in range(len(one.ids))
            ]
            found.append(torch.stack([logprobs(end) for end in ends]))
        return finish(found), 0


def said(prompt: PrivatePrompt, reply: Sequence[int]) -> FloatArray:
    """[V]: what the model says of the next token, from the definition."""
    return logprobs([*prompt.ids, *reply]).numpy().astype(np.float64)


@pytest.mark.parametrize(
    ("pairs", "prompts"),
    [
        ([(ONE, OTHER)], 2),
        ([(ONE, OTHER), (THIRD, OTHER)], 3),
        ([(ONE, OTHER), (THIRD, ONE)], 3),
        ([(ONE, OTHER), (OTHER, ONE)], 2),
        ([(ONE, ONE)], 1),
        ([(PrivatePrompt((1, 2, 3)), OTHER), (ONE, PrivatePrompt((4, 5)))], 2),
    ],
)
async def test_each_prompt_is_computed_once_and_says_its_part_in_every_contrast(
    pairs: list[tuple[PrivatePrompt, PrivatePrompt]], prompts: int
) -> None:
    runner, candidates = Runner(), np.array([5, 0, 7])
    contrasts = [Contrast(*pair, weight=2.0) for pair in pairs]
    async with LocalModel(cast(ModelRunner, runner)).session(contrasts) as session:
        scored = await session.score([6, 7], 1, Wanted())
    assert runner.asked == [prompts]
    different = {prompt.ids for pair in pairs for prompt in pair}
    assert session.prompts == prompts == len(different)
    assert session.prompt_tokens == sum(map(len, different))
    assert runner.longest == max(map(len, different))
    for reply, one in zip(([6], [6, 7]), scored, strict=True):
        expected = [[said(prompt, reply)[candidates] for prompt in pair] for pair in pairs]
        np.testing.assert_allclose(one.logprobs(candidates), expected, atol=1e-5)


async def test_branches_leave_each_prompt_where_they_leave_the_reply() -> None:
    contrasts = [Contrast(ONE, OTHER), Contrast(THIRD, OTHER)]
    async with LocalModel(cast(ModelRunner, Runner())).session(contrasts) as session:
        assert isinstance(session, LocalSession)
        found = await session.rows([6, 7], 2, [Branch(1, [3, 3])])
    expected = [
        [said(prompt, reply) for reply in ([6], [6, 7], [6, 3], [6, 3, 3])] for prompt in (ONE, OTHER, THIRD)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert session.pairs.tolist() == [[0, 1], [2, 1]]


@given(st.integers(0, 1000), st.integers(1, 4), st.sets(st.integers(0, V - 1)), st.integers(1, 3))
def test_candidates_come_from_each_contrast(seed: int, count: int, listed: set[int], contrasts: int) -> None:
    """The likeliest tokens of each context-aware prompt, none twice, none that the remote listed."""
    rows = np.random.default_rng(seed).normal(size=(contrasts + 1, V)).astype(np.float32)
    pairs = np.array([[place, contrasts] for place in range(contrasts)])
    without = np.array(sorted(listed), np.int64)
    found = SameVocabularyLogprobs(rows, pairs).likeliest(count, without).tolist()
    expected: list[int] = []
    for row in rows[:-1]:
        expected += [one for one in np.argsort(-row) if one not in listed and one not in expected][:count]
    assert found == expected
