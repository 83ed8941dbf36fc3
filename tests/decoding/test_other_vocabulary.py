"""The draft-and-verify loop with a local model of another vocabulary, whose distributions are known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest

from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.local.aligned_model import AlignedLocalModel
from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, Rows, log_softmax
from app.steering.sampling import SamplingParams
from app.steering.strength import AUTO, Strength
from app.tokenization.alignment import ByteAlignment
from app.tokenization.byte_vocabulary import ByteVocabulary
from decoding.test_speculative import BOTH, EOS, NAMES, SHARED, ToyRemote, ids, request

# Both have tokens that the other spells in several; the first of each ends the text.
REMOTE: list[bytes | tuple[int, ...]] = [
    (0,),
    *(b"a", b"b", b"c", b"d", b"ab", b"bc", b"da", b"aa", b"cd", b"bcd", b"dd"),
]
LOCAL = [None, b"d", b"c", b"b", b"a", b"abc", b"ab", b"dab", b"cc"]
VOCABULARY = ByteVocabulary(LOCAL)
ALIGNMENT = ByteAlignment(REMOTE, VOCABULARY, lambda text: VOCABULARY.spell(text.encode()))


def toy_logprobs(name: str, reply: Sequence[int]) -> FloatArray:
    """[V]: a fixed distribution for each prompt and each reply in local tokens; the end is rare."""
    logits = np.random.default_rng([*name.encode(), *reply]).normal(0.0, 1.5, len(LOCAL))
    logits[0] -= 2.0
    return log_softmax(logits)


class Session:
    """Reads each different prompt once."""

    ahead = True

    def __init__(self, contrasts: Sequence[Contrast]) -> None:
        sides = [(one.aware, one.agnostic) for one in contrasts]
        self._read = list(dict.fromkeys(prompt for pair in sides for prompt in pair))
        self.pairs = np.array([[self._read.index(prompt) for prompt in pair] for pair in sides])
        self.cost, self.prompts, self.found = PassCost(), len(self._read), 0
        self.prompt_tokens = sum(len(prompt.ids) for prompt in self._read)

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        ends = [generated[:end] for end in range(len(generated) - keep + 1, len(generated) + 1)]
        ends += [
            [*generated[: one.start], *one.ids[: end + 1]] for one in branches for end in range(len(one.ids))
        ]
        rows = [[toy_logprobs(NAMES[prompt], end) for end in ends] for prompt in self._read]
        return np.array(rows, np.float32)

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        raise AssertionError


class Model:
    """A local model of the other vocabulary."""

    def kept_for(self, owner: Owner | None) -> Model:
        return self

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[Session]:
        yield Session(contrasts)

    async def warm(self, prefix: PrivatePrompt) -> None:
        raise NotImplementedError


async def text(**changes: object) -> tuple[list[int], Stats]:
    """A greedy reply of 120 tokens, which the end of text does not end before."""
    sampling = SamplingParams(temperature=0.0, logit_bias={EOS: -100.0})
    wanted = request(**{"sampling": sampling, "max_tokens": 120, **changes})
    stats, model = Stats(), AlignedLocalModel(Model(), ALIGNMENT)
    found = [token async for token in decode(wanted, remote=ToyRemote(), local=model, stats=stats)]
    return ids(found), stats


@pytest.mark.parametrize("contrasts", [BOTH, SHARED], ids=["two", "shared"])
@pytest.mark.parametrize("strength", [0.8, AUTO])
async def test_the_text_is_that_of_one_token_at_a_time(
    strength: Strength, contrasts: tuple[Contrast, ...]
) -> None:
    one_by_one, stats = await text(strength=strength, contrasts=contrasts, draft_length=1)
    assert 0 < stats.changed < stats.tokens == 120  # else nothing is tested
    for draft_length in (2, 5, 32):
        for verify_batch in (0, 3, 100):
            at_once, stats = await text(
                strength=strength,
                contrasts=contrasts,
                draft_length=draft_length,
                verify_batch=verify_batch,
            )
            assert at_once == one_by_one
            assert stats.remote_requests < stats.tokens


async def test_each_contrast_has_its_part_in_the_text() -> None:
    texts = [(await text(contrasts=one))[0] for one in (BOTH[:1], BOTH[1:], BOTH, SHARED)]
    assert len(set(map(tuple, texts))) == len(texts)
    assert (await text(contrasts=BOTH[::-1]))[0] == texts[2]
