"""Attacks on replies, which ask for whom of some known people each was written.

A black box attacker has the reply, and takes the person under whose profile a model finds it likeliest. A
white box attacker has the remote's distributions, the small model and the rule of steering as well, and takes
the person whose steered distributions fit best.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.decoding.vocabulary_match import VocabularyMatcher
from app.disclosure.matcher import PhraseMatcher
from app.evaluation.quality.cases import Case, CasePrompts, case_prompts
from app.evaluation.quality.likelihood import among_candidates, budget_of, matcher_of
from app.evaluation.quality.local_reading import LocalReading, Read, contrasted, prompts_of
from app.evaluation.quality.rules import PAPERS, Rule, listed
from app.evaluation.quality.scored import Scored, cumulative
from app.evaluation.quality.strengths import AS_THE_PRODUCT
from app.evaluation.quality.systems import System
from app.evaluation.quality.written import Written
from app.local.interface import LocalLogprobs, RowModel
from app.prompts.private import PrivateContext, PrivatePrompt
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import DraftToken
from app.steering.formula import FloatArray, likeliest, log_softmax
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams

# The temperature by which greedy replies are judged: near to theirs, but nothing is impossible at it, since a
# text may be in other tokens than it was written in. It finds more than 1 does.
GREEDY = 0.1
LEAST = 1e-300  # what a probability that rounds to 0 counts as
# Cases whose conversations are remembered as the small model reads them: replies of 500 tokens to one, with a
# vocabulary of 50,000, are 100 MB.
CASES_AT_ONCE = 8


@dataclass(frozen=True, repr=False)
class _Text:
    """A reply's tokens, and what the remote lists at each position. At the temperature of the reply: `alone`
    [n] are the remote's log-probabilities of the tokens, `norms` [n] the log-sum-exp of all its scores."""

    ids: tuple[int, ...]
    drafted: list[DraftToken]
    alone: list[float]
    norms: list[float]


@dataclass(frozen=True, repr=False)
class _Judged:
    """Log-probabilities of a reply's tokens [n] by both attackers, and the divergence at each position [n]
    from the remote's distribution."""

    black: FloatArray
    white: FloatArray
    nats: FloatArray


class Attack:
    """Scores replies as those of each candidate, with two models in this process.

    What is read of a candidate should not hang on the question, or the KV cache of it serves no second one.
    """

    def __init__(
        self,
        remote: EmbeddedRemote,
        local: RowModel,
        matcher: VocabularyMatcher,
        *,
        top: int,
        max_context_tokens: int = 2048,
        temperature: float = 0.0,
        by_remote: bool = False,
    ) -> None:
        """`top` is how many tokens the remote lists; with `by_remote` the black box attacker's model is the
        remote's, else the local one."""
        self._remote = remote
        self._reading = LocalReading(local, matcher)
        self._matcher = matcher
        self._top = top
        self._max_context_tokens = max_context_tokens
        self._sampling = SamplingParams(temperature=temperature or GREEDY)
        self._by_remote = by_remote
        self._texts: dict[tuple[str, str], _Text] = {}
        self._public: dict[PrivatePrompt, Read] = {}

    async def scored(
        self, case: Case, replies: Mapping[System, Written], candidate: str, private: PrivateContext
    ) -> list[Scored]:
        """Replies to one case as if they had been written for the candidate of this id."""
        found = []
        theirs = replace(case, private=private)
        for form in dict.fromkeys(system.form for system in replies):
            tokenizer, limit = self._matcher.tokenizer, self._max_context_tokens
            prompts = await asyncio.to_thread(case_prompts, theirs, tokenizer, limit, form)
            weights = [one.weight for one in prompts.contrasts]
            vocabulary = (await self._matcher.match()).vocabulary
            texts = {
                system: await self._text(case, reply)
                for system, reply in replies.items()
                if system.form == form
            }
            read = await self._by_prompt(prompts, [text.ids for text in texts.values()])
            for system, text in texts.items():
                rule = rule_of(system, self._top)
                matcher = matcher_of(rule, private, case.messages, vocabulary)
                local = contrasted(prompts.contrasts, read, text.ids)
                judged = await asyncio.to_thread(
                    _by_position, text, local, weights, rule, matcher=matcher, sampling=self._sampling
                )
                if self._by_remote:
                    judged = replace(judged, black=await self._shown(theirs, text, form))
                own = case.private.profile is not None and case.private.profile.id == candidate
                nats = float(judged.nats.sum()) if own and system.tried is not None else None
                both = cumulative(judged.black), cumulative(judged.white)
                found.append(Scored(case.id, system.name, candidate, len(text.ids), *both, nats))
        return found

    async def _text(self, case: Case, reply: Written) -> _Text:
        """The reply as the remote reads it, which is done once for all candidates."""
        key = case.id, reply.as_told
        if key not in self._texts:
            text = _Text(tuple(self._remote.tokenizer.encode_after(reply.as_told)), [], [], [])
            prompt = self._remote.tokenizer.chat(case.messages)
            rows = await self._remote.read(prompt, text.ids) if text.ids else ()
            for row, token in zip(rows, text.ids, strict=True):
                logprobs = log_softmax(row.astype(np.float64))
                best = likeliest(logprobs, self._top)
                text.drafted.append(DraftToken(int(best[0]), best, logprobs[best]))
                flat = logprobs / self._sampling.temperature
                text.norms.append(_log_sum(flat))
                text.alone.append(float(flat[token]) - text.norms[-1])
            self._texts[key] = text
        return self._texts[key]

    async def _by_prompt(
        self, prompts: CasePrompts, texts: Sequence[tuple[int, ...]]
    ) -> dict[PrivatePrompt, Read]:
        """The texts behind each prompt. The conversation as it is says nothing of the candidate: it is read
        for the first one."""
        return {
            prompt: await (
                self._read_once(prompt, texts)
                if prompt.ids == prompts.public
                else self._reading.read(prompt, texts)
            )
            for prompt in prompts_of(prompts.contrasts)
        }

    async def _read_once(self, prompt: PrivatePrompt, texts: Sequence[tuple[int, ...]]) -> Read:
        known = self._public.pop(prompt, {})
        missing = [ids for ids in texts if ids not in known]
        if missing:
            known = {**known, **await self._reading.read(prompt, missing)}
        while len(self._public) >= CASES_AT_ONCE:
            del self._public[next(iter(self._public))]
        self._public[prompt] = known
        return known

    async def _shown(self, case: Case, text: _Text, form: str) -> FloatArray:
        """[n]: log-probabilities of the tokens under the remote's model, if it is shown the case's person."""
        if not text.ids:
            return np.zeros(0)
        limit = self._max_context_tokens
        prompts = await asyncio.to_thread(case_prompts, case, self._remote.tokenizer, limit, form)
        return await self._remote.logprobs(prompts.shown.ids, text.ids)


def rule_of(system: System, top: int) -> Rule:
    """The rule that a white box attacker believes a system to write by: that of its strength,
    levels and budget, and the product's where it is not steered."""
    return listed(PAPERS if system.kind == "loop" else system.tried or AS_THE_PRODUCT, top)


def _by_position(
    text: _Text,
    local: Sequence[LocalLogprobs],
    weights: Sequence[float],
    rule: Rule,
    *,
    matcher: PhraseMatcher | None,
    sampling: SamplingParams,
) -> _Judged:
    """What the attackers find at each position, from the local logprobs [n] there."""
    black, white, nats = [], [], []
    budget = budget_of(rule)
    positions = zip(text.ids, text.drafted, text.alone, text.norms, local, strict=True)
    for token, drafted, alone, norm, one in positions:
        at = among_candidates(rule, drafted, one, weights, matcher)
        black.append(one.logprobs(np.array([token]))[0, 0, 0])
        steered = budget.affords(at.nats)
        drawn = np.maximum(with_margin(at.own, at.scores, sampling, rule.margin, at.held), LEAST)
        found = np.flatnonzero(at.ids == token)
        # The rule shares out among the candidates what the remote gives them; all else stays the remote's.
        given = _log_sum(at.remote / sampling.temperature) - norm
        white.append(given + float(np.log(drawn[found[0]])) if steered and len(found) else alone)
        nats.append(at.nats if steered else 0.0)
        if matcher is not None:
            matcher.push(token)
    return _Judged(*(np.array(each, np.float64) for each in (black, white, nats)))


def _log_sum(scores: FloatArray) -> float:
    """log sum exp."""
    return float(np.logaddexp.reduce(scores))
