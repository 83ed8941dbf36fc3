"""Teacher-forced NLL: how likely each rule makes the text that a user really wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from app.decoding.verifier import widened
from app.decoding.vocabulary_match import VocabularyMatcher
from app.evaluation.quality.cases import Case, CasePrompts, case_prompts
from app.evaluation.quality.rules import SHOWN, Rule
from app.local.interface import LocalLogprobs, RowModel
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import DraftToken
from app.steering.formula import FloatArray, IntArray, likeliest, log_softmax

# An overconfident distribution improves by a higher temperature alone, so rules are compared at the best
# temperature of each.
TEMPERATURES = (1.0, 1.1, 1.2, 1.3, 1.5)
AT_ONCE = 16  # positions at once; 16 rows of 150,000 numbers are 20 MB


@dataclass(frozen=True)
class Forced:
    """One case: the number of tokens of the user's text, and by rule the mean negative log-likelihood (NLL)
    in nats per token at each of TEMPERATURES."""

    case: str
    tokens: int
    nll: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, case: str, tokens: int, nll: Mapping[str, Sequence[float]]) -> Self:
        """From its fields in JSON."""
        return cls(case, tokens, {rule: tuple(each) for rule, each in nll.items()})

    @property
    def key(self) -> tuple[str, ...]:
        return (self.case,)


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
        max_context_tokens: int = 1024,
    ) -> None:
        self._remote = remote
        self._local = local
        self._matcher = matcher
        self._tokens = tokens
        self._max_context_tokens = max_context_tokens

    async def forced(self, case: Case, rules: Sequence[Rule]) -> Forced:
        """The NLL of the case's reference by each rule, and by the remote if it were shown the profile."""
        assert case.reference is not None  # noqa: S101  # the caller has chosen those that have one
        ids = self._remote.tokenizer.encode_after(case.reference)[: self._tokens]
        mine, theirs = (
            case_prompts(case, one.tokenizer, self._max_context_tokens)
            for one in (self._matcher, self._remote)
        )
        nll = {rule.name: np.zeros(len(TEMPERATURES)) for rule in rules}
        remote = await self._remote.read(theirs.agnostic, ids)
        scored = await self._scored(mine, ids)
        for window in _windows(len(ids)):
            public, chosen = log_softmax(remote[window].astype(np.float64)), np.array(ids[window])
            candidates = np.arange(public.shape[1])
            local = np.stack(
                [local_logprobs.logprobs(candidates) for local_logprobs in scored[window]], axis=1
            )
            flattened = [_log_sum(public / one) for one in TEMPERATURES]
            for rule in rules:
                if rule.among is None:
                    nll[rule.name] += _nll(rule.score(public, local[0], local[1]), chosen)
                    continue
                for number, local_logprobs in enumerate(scored[window]):
                    norms = [each[number] for each in flattened]
                    nll[rule.name] += _nll_among(rule, public[number], norms, local_logprobs, chosen[number])
        told = await self._remote.read(theirs.aware.ids, ids)
        nll[SHOWN] = np.zeros(len(TEMPERATURES))
        for window in _windows(len(ids)):
            nll[SHOWN] += _nll(told[window].astype(np.float64), np.array(ids[window]))
        return Forced(
            case.id, len(ids), {name: tuple((sums / len(ids)).tolist()) for name, sums in nll.items()}
        )

    async def _scored(self, prompts: CasePrompts, ids: Sequence[int]) -> list[LocalLogprobs]:
        local = (await self._matcher.match()).model(self._local)
        async with local.session(prompts.aware, prompts.agnostic) as session:
            return await session.score(ids[:-1], 0)


def _windows(positions: int) -> list[slice]:
    return [slice(first, min(first + AT_ONCE, positions)) for first in range(0, positions, AT_ONCE)]


def _nll(scores: FloatArray, chosen: IntArray) -> FloatArray:
    """Summed NLL of the tokens `chosen` [n], at each of TEMPERATURES; `scores` [n, V]."""
    own = scores[np.arange(len(chosen)), chosen]
    return np.array([(_log_sum(scores / one) - own / one).sum() for one in TEMPERATURES])


def _nll_among(
    rule: Rule, public: FloatArray, norms: Sequence[float], local_logprobs: LocalLogprobs, chosen: int
) -> FloatArray:
    """NLL of one token, at each of TEMPERATURES, for a rule that chooses among a few candidates.

    `public` [V] are the remote's log-probabilities, `norms` their log-sum-exp at each temperature. The rule
    redistributes among the candidates the mass that the remote gives them; all other tokens keep the remote's
    probability, so that this is a distribution over the whole vocabulary, and no token is impossible.
    """
    assert rule.among is not None  # noqa: S101  # as the caller sees to
    listed = likeliest(public, rule.among)
    drafted = DraftToken(int(listed[0]), listed, public[listed])
    if rule.unlisted:
        drafted = widened(drafted, local_logprobs)
    ids = drafted.candidates
    scores = rule.score(drafted.logprobs, *local_logprobs.logprobs(ids))
    found = np.flatnonzero(ids == chosen)
    nll = []
    for temperature, norm in zip(TEMPERATURES, norms, strict=True):
        flat = public / temperature - norm  # the remote's own at this temperature
        steered = log_softmax(scores / temperature)
        nll.append(-_log_sum(flat[ids]) - steered[found[0]] if len(found) else -flat[chosen])
    return np.array(nll)


def _log_sum(scores: FloatArray) -> FloatArray:
    """log sum exp over the last axis; torch uses all cores for it."""
    summed: FloatArray = torch.from_numpy(scores).logsumexp(dim=-1).numpy()
    return summed
