"""Reads what users really wrote with both models, and computes how likely each rule makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from app.decoding.vocabulary_match import VocabularyMatcher
from app.disclosure.matcher import PhraseMatcher
from app.evaluation.quality.cases import Case, case_prompts
from app.evaluation.quality.likelihood import NLL, matcher_of, model_nll, rule_nlls
from app.evaluation.quality.local_reading import LocalReading, Read, contrasted, prompts_of
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN, Rule
from app.local.interface import RowModel
from app.prompts.private import PrivatePrompt
from app.remote.embedded import EmbeddedRemote


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
        self._matcher = matcher
        self._reading = LocalReading(local, matcher)
        self._tokens = tokens
        self._max_context_tokens = max_context_tokens

    async def forced(self, case: Case, rules: Mapping[str, Sequence[Rule]]) -> list[Forced]:
        """The NLL of the case's reference by the rules of each form, and by the remote alone and if it were
        shown the profile in that form.

        What does not depend on the form is computed once: the remote alone, and a prompt that several forms
        have, as the conversation is.
        """
        assert case.reference is not None  # noqa: S101  # the caller has chosen those that have one
        ids = tuple(self._remote.tokenizer.encode_after(case.reference)[: self._tokens])
        public = await self._remote.read(self._remote.tokenizer.chat(case.messages), ids)
        alone = model_nll(public, ids)
        known: dict[PrivatePrompt, Read] = {}
        found = []
        for form, wanted in rules.items():
            mine, theirs = (
                case_prompts(case, one.tokenizer, self._max_context_tokens, form)
                for one in (self._matcher, self._remote)
            )
            weights = [one.weight for one in mine.contrasts]
            nll = {REMOTE_ALONE: alone}
            for prompt in prompts_of(mine.contrasts):
                if prompt not in known:
                    known[prompt] = await self._reading.read(prompt, [ids])
            scored = contrasted(mine.contrasts, known, ids)
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
