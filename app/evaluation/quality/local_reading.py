"""What the small model makes of texts, each prompt by itself: what prompts or texts share is scored once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.decoding.vocabulary_match import VocabularyMatcher
from app.local.interface import LocalLogprobs, RowModel, Wanted
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, IntArray, of_each
from app.tokenization.sequence import common_prefix

# The logprobs that predict each token of a text [n], by the text's tokens.
Read = Mapping[tuple[int, ...], Sequence[LocalLogprobs]]


class LocalReading:
    """Reads texts in the remote's tokens with the small model."""

    def __init__(self, local: RowModel, matcher: VocabularyMatcher) -> None:
        self._local = local
        self._matcher = matcher

    async def read(self, prompt: PrivatePrompt, texts: Iterable[tuple[int, ...]]) -> Read:
        """The texts behind a prompt."""
        found: dict[tuple[int, ...], Sequence[LocalLogprobs]] = {}
        before: tuple[int, ...] = ()
        rows: list[LocalLogprobs] = []
        local = (await self._matcher.match()).model(self._local)
        async with local.session([Contrast(prompt, prompt)]) as session:
            for ids in sorted(set(texts)):  # so that each follows the one that it has most in common with
                shared = min(common_prefix(before, ids) + 1, len(rows), len(ids))
                rows = rows[:shared]
                if shared < len(ids):
                    rows += await session.score(ids[:-1], shared, Wanted())
                found[ids], before = tuple(rows), ids
        return found


@dataclass(frozen=True)
class _Contrasts:
    """Logprobs at one position whose prompts were scored one by one; see LocalLogprobs."""

    pairs: Sequence[tuple[LocalLogprobs, LocalLogprobs]]

    def logprobs(self, candidates: IntArray) -> FloatArray:
        return np.stack([[one.logprobs(candidates)[0, 0] for one in pair] for pair in self.pairs])

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        return of_each((partial(aware.likeliest, count) for aware, _ in self.pairs), without)


def contrasted(
    contrasts: Sequence[Contrast], read: Mapping[PrivatePrompt, Read], ids: tuple[int, ...]
) -> list[LocalLogprobs]:
    """[n]: the logprobs that predict each token of a text, from what was read of it behind each prompt."""
    sides = [(read[one.aware][ids], read[one.agnostic][ids]) for one in contrasts]
    return [
        _Contrasts([(aware[place], agnostic[place]) for aware, agnostic in sides])
        for place in range(len(ids))
    ]


def prompts_of(contrasts: Iterable[Contrast]) -> list[PrivatePrompt]:
    """The different prompts of contrasts."""
    return list(dict.fromkeys(prompt for one in contrasts for prompt in (one.aware, one.agnostic)))
