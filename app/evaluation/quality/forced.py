"""Reads what users really wrote with both models, and computes how likely each rule makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from app.decoding.vocabulary_match import VocabularyMatcher
from app.disclosure.matcher import PhraseMatcher
from app.evaluation.quality.cases import Case, case_prompts
from app.evaluation.quality.likelihood import NLL, matcher_of, model_nll, rule_nlls
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN, Rule
from app.local.interface import LocalLogprobs, RowModel
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.embedded import EmbeddedRemote
from app.steering.formula import FloatArray, IntArray, of_each


@dataclass(frozen=True)
class Forced:
    """One case in one form of prompts: the number of tokens of the user's text, and its NLL by rule, at each
    of TEMPERATURES (see likelihood.py). The remote alone is the same in every form."""

    case: str
    form: str
    tokens: int
    nll: dict[str, NLL]

    @classmethod
    def of(cls, case: str, form: str, tokens: int, nll: Mapping[str, Sequence[float]]) -> Self:
        """From its fields in JSON."""
        return cls(case, form, tokens, {rule: tuple(each) for rule, each in nll.items()})

    @property
    def key(self) -> tuple[str, ...]:
        return self.case, self.form


@dataclass(frozen=True)
class _Contrasts:
    """Logprobs at one position whose prompts were scored one by one; see LocalLogprobs."""

    pairs: Sequence[tuple[LocalLogprobs, LocalLogprobs]]

    def logprobs(self, candidates: IntArray) -> FloatArray:
        return np.stack([[one.logprobs(candidates)[0, 0] for one in pair] for pair in self.pairs])

    def likeliest(self, count: int, without: IntArray) -> IntArray:
        return of_each((partial(aware.likeliest, count) for aware, _ in self.pairs), without)


class Forcing:
    """Computes NLLs with two models in this process, since no server returns its whole distribution.

    At most `tokens` of a user's text are read, and `max_context_tokens` of the private context.
    """

    def __init__(
        self,
        remote: EmbeddedRemote,
        local: RowModel,
        matcher: VocabularyMatcher,
        *,
        tokens: int = 160,
        max_context_tokens: int = 2048,
    ) -> None:
        self._remote = remote
        self._local = local
        self._matcher = matcher
        self._tokens = tokens
        self._max_context_tokens = max_context_tokens

    async def forced(self, case: Case, rules: Mapping[str, Sequence[Rule]]) -> list[Forced]:
        """The NLL of the case's reference by the rules of each form, and by the remote alone and if it were
        shown the profile in that form.

        What does not depend on the form is computed once: the remote alone, and a prompt that several forms
        have, as the conversation is.
        """
        assert case.reference is not None  # noqa: S101  # the caller has chosen those that have one
        ids = self._remote.tokenizer.encode_after(case.reference)[: self._tokens]
        public = await self._remote.read(self._remote.tokenizer.chat(case.messages), ids)
        alone = model_nll(public, ids)
        known: dict[PrivatePrompt, list[LocalLogprobs]] = {}
        found = []
        for form, wanted in rules.items():
            mine, theirs = (
                case_prompts(case, one.tokenizer, self._max_context_tokens, form)
                for one in (self._matcher, self._remote)
            )
            weights = [one.weight for one in mine.contrasts]
            nll = {REMOTE_ALONE: alone}
            scored = await self._scored(mine.contrasts, ids, known)
            matchers = await self._matchers(case, wanted)
            nll |= rule_nlls(wanted, public, scored, weights, ids, matchers=matchers)
            nll[SHOWN] = model_nll(await self._remote.read(theirs.shown.ids, ids), ids)
            found.append(Forced(case.id, form, len(ids), nll))
        return found

    async def _matchers(self, case: Case, rules: Sequence[Rule]) -> dict[str, PhraseMatcher]:
        """What follows the text for each rule that has a disclosure, by the rule's name."""
        vocabulary = (await self._matcher.match()).vocabulary
        found = ((rule.name, matcher_of(rule, case.private, case.messages, vocabulary)) for rule in rules)
        return {name: matcher for name, matcher in found if matcher is not None}

    async def _scored(
        self,
        contrasts: Sequence[Contrast],
        ids: Sequence[int],
        known: dict[PrivatePrompt, list[LocalLogprobs]],
    ) -> list[LocalLogprobs]:
        """The local logprobs at each position; `known` has those of each prompt so far."""
        sides = [(one.aware, one.agnostic) for one in contrasts]
        for prompt in dict.fromkeys(prompt for pair in sides for prompt in pair):
            if prompt not in known:
                known[prompt] = await self._score(prompt, ids)
        return [
            _Contrasts([(known[aware][place], known[agnostic][place]) for aware, agnostic in sides])
            for place in range(len(ids))
        ]

    async def _score(self, prompt: PrivatePrompt, ids: Sequence[int]) -> list[LocalLogprobs]:
        local = (await self._matcher.match()).model(self._local)
        async with local.session([Contrast(prompt, prompt)]) as session:
            return await session.score(ids[:-1], 0)
