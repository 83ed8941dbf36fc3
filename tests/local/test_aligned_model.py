"""A local model of another vocabulary: what it says of a position is what it says of that text alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.local.aligned_model import AlignedLocalModel, AlignedLogprobs
from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import IntArray, Rows, log_softmax
from app.tokenization.alignment import ByteAlignment
from app.tokenization.byte_vocabulary import ByteVocabulary

# Local tokens, of which the longest that fits is always taken: what comes next may change how a text is cut.
LOCAL = [*(bytes([byte]) for byte in b"abcd"), b"ab", b"abc", b"bcd", b"abcdab", b"dd"]
REMOTE = [b"a", b"b", b"cd", b"c", b"d", b"ab", b"da"]
VOCABULARY = ByteVocabulary(LOCAL)
# Two contrasts against the same prompt.
AWARE, WISHED, PLAIN = (PrivatePrompt((one,)) for one in (1, 2, 3))
CONTRASTS = (Contrast(AWARE, PLAIN), Contrast(WISHED, PLAIN, 1.6))
PLACES = np.array([[0, 1], [2, 1]])


def row(ids: Sequence[int]) -> Rows:
    """[3, V]: of each prompt, after a text of local tokens."""
    logits = np.random.default_rng([7, *ids]).normal(size=(3, len(LOCAL)))
    return log_softmax(logits).astype(np.float32)


class Session:
    """Counts what it computes."""

    ahead = True

    def __init__(self) -> None:
        self.cost, self.prompts, self.prompt_tokens, self.found = PassCost(), 3, 11, 5
        self.pairs: IntArray = PLACES
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

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        raise AssertionError


class Model:
    def __init__(self) -> None:
        self.one = Session()
        self.open = 0

    def kept_for(self, owner: Owner | None) -> Model:
        return self

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[Session]:
        assert tuple(contrasts) == CONTRASTS
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
    async with AlignedLocalModel(model, alignment).session(CONTRASTS) as session:
        assert (session.prompts, session.prompt_tokens, session.found) == (3, 11, 5)
        accepted = 0
        while accepted <= len(reply):
            drafted = data.draw(st.lists(st.integers(0, len(REMOTE) - 1), max_size=5))
            text = [*reply[:accepted], *drafted]
            before = model.one.passes
            scored = await session.score(text, accepted, Wanted())
            assert model.one.passes == before + 1
            assert len(scored) == len(drafted) + 1
            for position, local_logprobs in enumerate(scored, accepted):
                spelled = b"".join(REMOTE[token_id] for token_id in text[:position])
                alone = alignment.logprobs(row(VOCABULARY.spell(spelled)), candidates)
                both = [[alone[0], alone[1]], [alone[2], alone[1]]]
                np.testing.assert_array_equal(local_logprobs.logprobs(candidates), both)
            accepted += 1 + data.draw(st.integers(0, 3))
    assert model.open == 0


@given(st.integers(0, 1000), st.integers(1, 4), st.sets(st.integers(0, len(LOCAL) - 1)))
def test_candidates_come_from_each_contrast(seed: int, count: int, listed: set[int]) -> None:
    """The likeliest remote tokens of each context-aware prompt, none twice, none that the remote listed."""
    rows, without = row([seed]), np.array(sorted(listed), np.int64)
    remote = LOCAL[::-1]
    alignment = ByteAlignment(remote, VOCABULARY, lambda text: VOCABULARY.spell(text.encode()))
    found = AlignedLogprobs(rows, PLACES, alignment).likeliest(count, without).tolist()
    expected: list[int] = []
    for aware in PLACES[:, 0]:
        order = [len(LOCAL) - 1 - one for one in np.argsort(-rows[aware])]
        expected += [one for one in order if one not in listed and one not in expected][:count]
    assert found == expected
