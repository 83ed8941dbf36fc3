"""What the small model reads is the same, whether texts are read together or each by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import pytest
from fakes import VOCABULARY, FakeRemote, FakeTokenizer

from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.local_reading import LocalReading, contrasted, prompts_of
from app.local.interface import LocalLogprobs, RowModel, Wanted
from app.local.model import direct
from app.prompts.private import Contrast, PrivatePrompt

AWARE, AGNOSTIC, OTHER = (PrivatePrompt((number,)) for number in (1, 2, 3))
TEXTS = [(5, 6, 7), (5, 6), (5, 6, 8, 9), (4,), (), (5, 6, 7)]


class Scored:
    """Logprobs that hang on the prompt and on all tokens before; remembers which positions it has scored."""

    def __init__(self, prompt: int, positions: list[tuple[int, ...]]) -> None:
        self._prompt = prompt
        self._positions = positions

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        rows = []
        for position in range(first, len(generated) + 1):
            before = tuple(generated[:position])
            self._positions.append((self._prompt, *before))
            rows.append(np.random.default_rng((self._prompt, *before)).normal(size=VOCABULARY))
        return direct(np.array([rows]), np.zeros((1, 2), np.int64))


class Model:
    """Remembers the positions that were scored: each is the prompt and the tokens before."""

    def __init__(self) -> None:
        self.positions: list[tuple[int, ...]] = []

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[Scored]:
        yield Scored(contrasts[0].aware.ids[0], self.positions)


def reading() -> tuple[Model, LocalReading]:
    model = Model()
    return model, LocalReading(cast(RowModel, model), VocabularyMatcher(FakeRemote(), FakeTokenizer()))


def values(read: Sequence[LocalLogprobs]) -> list[list[float]]:
    return [one.logprobs(np.arange(VOCABULARY))[0, 0].tolist() for one in read]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[::-1], TEXTS[1:4]])
async def test_texts_that_are_read_together_are_read_as_each_by_itself(texts: list[tuple[int, ...]]) -> None:
    _, one = reading()
    together = await one.read(AWARE, texts)
    assert together.keys() == set(texts)
    for ids in texts:
        _, fresh = reading()
        alone = (await fresh.read(AWARE, [ids]))[ids]
        assert len(alone) == len(ids)
        assert values(together[ids]) == values(alone)


async def test_what_texts_begin_with_in_common_is_scored_once() -> None:
    model, one = reading()
    await one.read(AWARE, TEXTS)
    assert len(model.positions) == len({*model.positions})
    assert {*model.positions} == {(1,), (1, 5), (1, 5, 6), (1, 5, 6, 8)}


async def test_a_position_has_the_two_prompts_of_each_contrast() -> None:
    contrasts = (Contrast(AWARE, AGNOSTIC), Contrast(OTHER, AGNOSTIC, 1.6))
    assert prompts_of(contrasts) == [AWARE, AGNOSTIC, OTHER]
    _, one = reading()
    ids = (5, 6, 7)
    read = {prompt: await one.read(prompt, [ids]) for prompt in prompts_of(contrasts)}
    for place, position in enumerate(contrasted(contrasts, read, ids)):
        expected = [
            [values(read[prompt][ids])[place] for prompt in (contrast.aware, contrast.agnostic)]
            for contrast in contrasts
        ]
        np.testing.assert_array_equal(position.logprobs(np.arange(VOCABULARY)), expected)
        best = [int(np.argmax(values(read[prompt][ids])[place])) for prompt in (AWARE, OTHER)]
        assert position.likeliest(1, np.empty(0, np.int64)).tolist() == best
