"""A local model of another vocabulary: what it says of a position is what it says of that text alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.local.aligned_model import AlignedLocalModel
from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs
from app.prompts.private import PrivatePrompt
from app.steering.formula import Rows
from app.tokenization.alignment import ByteAlignment
from app.tokenization.byte_vocabulary import ByteVocabulary

# Local tokens, of which the longest that fits is always taken: what comes next may change how a text is cut.
LOCAL = [*(bytes([byte]) for byte in b"abcd"), b"ab", b"abc", b"bcd", b"abcdab", b"dd"]
REMOTE = [b"a", b"b", b"cd", b"c", b"d", b"ab", b"da"]
VOCABULARY = ByteVocabulary(LOCAL)


def row(ids: Sequence[int]) -> Rows:
    """[2, V], of a text of local tokens."""
    return np.random.default_rng([7, *ids]).normal(size=(2, len(LOCAL))).astype(np.float32)


class Session:
    """Counts what it computes."""

    def __init__(self) -> None:
        self.cost, self.prompt_tokens, self.found = PassCost(), 11, 5
        self.passes = 0

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        self.passes += 1
        assert 1 <= keep <= len(generated) + 1
        ends = [generated[:end] for end in range(len(generated) - keep + 1, len(generated) + 1)]
        for branch in branches:
            assert branch.ids
            start = generated[: branch.start]
            ends += [[*start, *branch.ids[:end]] for end in range(1, len(branch.ids) + 1)]
        return np.stack([row(ids) for ids in ends], axis=1)

    async def score(self, generated: Sequence[int], first: int) -> list[LocalLogprobs]:
        raise AssertionError


class Model:
    def __init__(self) -> None:
        self.one = Session()
        self.open = 0

    def kept_for(self, owner: Owner | None) -> Model:
        return self

    @asynccontextmanager
    async def session(self, aware: PrivatePrompt, agnostic: Sequence[int]) -> AsyncIterator[Session]:
        self.open += 1
        try:
            yield self.one
        finally:
            self.open -= 1

    async def warm(self, prefix: PrivatePrompt) -> None:
        raise NotImplementedError


@given(st.lists(st.integers(0, len(REMOTE) - 1), max_size=30), st.data())
async def test_a_position_is_seen_as_if_nothing_came_after_it(reply: list[int], data: st.DataObject) -> None:
    """However many drafted tokens are scored with it, in one pass."""
    alignment = ByteAlignment(REMOTE, VOCABULARY, lambda text: VOCABULARY.spell(text.encode()))
    candidates = np.arange(len(REMOTE))
    model = Model()
    async with AlignedLocalModel(model, alignment).session(PrivatePrompt((1,)), [2]) as session:
        assert (session.prompt_tokens, session.found) == (11, 5)
        accepted = 0
        while accepted <= len(reply):
            drafted = data.draw(st.lists(st.integers(0, len(REMOTE) - 1), max_size=5))
            text = [*reply[:accepted], *drafted]
            before = model.one.passes
            scored = await session.score(text, accepted)
            assert model.one.passes == before + 1
            assert len(scored) == len(drafted) + 1
            for position, local_logprobs in enumerate(scored, accepted):
                spelled = b"".join(REMOTE[token_id] for token_id in text[:position])
                alone = alignment.logprobs(row(VOCABULARY.spell(spelled)), candidates)
                np.testing.assert_array_equal(local_logprobs.logprobs(candidates), alone)
            accepted += 1 + data.draw(st.integers(0, 3))
    assert model.open == 0
