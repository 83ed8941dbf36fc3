"""How likely distributions find a text: its negative log-likelihood (NLL), at each of some temperatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

from app.decoding.budget import Budget
from app.decoding.position import guarded, widened
from app.disclosure.guarded import guarded as guarded_words
from app.disclosure.matcher import PhraseMatcher
from app.evaluation.quality.rules import Rule
from app.local.interface import LocalLogprobs
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from app.remote.interface import DraftToken
from app.steering.formula import FloatArray, IntArray, Rows, divergence, likeliest, log_softmax
from app.steering.guard import BoolArray
from app.steering.margin import with_margin
from app.steering.sampling import SamplingParams
from app.tokenization.vocabulary import Vocabulary

# An overconfident distribution improves by a higher temperature alone, so rules are compared at the best
# temperature of each.
TEMPERATURES = (1.0, 1.1, 1.2, 1.3, 1.5)
AT_ONCE = 16  # positions at once; 16 rows of 150,000 numbers are 20 MB

# Mean NLL in nats per token, at each of TEMPERATURES.
NLL = tuple[float, ...]


def model_nll(logits: Rows, ids: Sequence[int]) -> NLL:
    """The NLL of the tokens `ids` [n] by a model whose logits [n, V] predict them."""
    sums = np.zeros(len(TEMPERATURES))
    for window in _windows(len(ids)):
        sums += _nll(logits[window].astype(np.float64), np.array(ids[window]))
    return _means(sums, len(ids))


def rule_nlls(
    rules: Sequence[Rule],
    logits: Rows,
    local: Sequence[LocalLogprobs],
    weights: Sequence[float],
    ids: Sequence[int],
    *,
    matchers: Mapping[str, PhraseMatcher] = MappingProxyType({}),
) -> Mapping[str, NLL]:
    """The NLL of the tokens `ids` [n] by each rule, from the remote's logits [n, V] and the local logprobs
    [n] at the same positions; `weights` are those of the contrasts. Each rule with a disclosure, by its name,
    has one of the `matchers`, which follows the tokens. From where its budget ends they are the remote's."""
    sums = {rule.name: np.zeros(len(TEMPERATURES)) for rule in rules}
    budgets = {rule.name: budget_of(rule) for rule in rules}
    for window in _windows(len(ids)) if rules else ():
        public, chosen = log_softmax(logits[window].astype(np.float64)), np.array(ids[window])
        candidates = np.arange(public.shape[1])
        each = np.stack([one.logprobs(candidates) for one in local[window]], axis=2)
        flattened = [_log_sum(public / one) for one in TEMPERATURES]
        for rule in rules:
            if rule.among is None:
                sums[rule.name] += _nll(rule.score(public, each, weights), chosen)
                continue
            matcher = matchers[rule.name] if rule.disclosure is not None else None
            for number, one in enumerate(local[window]):
                norms = [flat[number] for flat in flattened]
                at = _among(rule, public[number], one, weights, matcher)
                if budgets[rule.name].affords(at.nats):
                    sums[rule.name] += _nll_among(rule, at, public[number], norms, chosen[number])
                else:
                    sums[rule.name] += _nll_alone(public[number], norms, chosen[number])
                if matcher is not None:
                    matcher.push(int(chosen[number]))
    return {name: _means(each, len(ids)) for name, each in sums.items()}


@dataclass(frozen=True)
class Candidates:
    """The candidates [K] at a position: their `ids`, the remote's log-probabilities, the scores without
    steering, which are -inf where the remote lists none, and those of a rule. `nats` is how far the rule
    diverges from the remote, `held` [K] what a guard holds; None without one."""

    ids: IntArray
    remote: FloatArray
    own: FloatArray
    scores: FloatArray
    nats: float
    held: BoolArray | None = None


def matcher_of(
    rule: Rule, private: PrivateContext, messages: Sequence[Message], vocabulary: Vocabulary
) -> PhraseMatcher | None:
    """What follows a text for a rule with a disclosure, from its beginning; None for a rule without one."""
    if rule.disclosure is None:
        return None
    return PhraseMatcher(guarded_words(private, messages, rule.disclosure), vocabulary)


def budget_of(rule: Rule) -> Budget:
    """What a text may tell by a rule."""
    return Budget(rule.disclosure.budget if rule.disclosure is not None else None)


def among_candidates(
    rule: Rule,
    drafted: DraftToken,
    local: LocalLogprobs,
    weights: Sequence[float],
    matcher: PhraseMatcher | None = None,
) -> Candidates:
    """What a rule makes of a position at which the remote lists the candidates of `drafted`; `weights` are
    those of the contrasts.

    What a `matcher` finds guarded is held, and no candidate where the remote does not list it. So are tokens
    that begin values: a placeholder is none of the candidates.
    """
    listed = len(drafted.candidates)
    if rule.unlisted:
        drafted = widened(drafted, local)
    ids, remote = drafted.candidates, drafted.logprobs
    own = np.where(np.arange(len(ids)) < listed, remote, -np.inf)
    scores = rule.score(remote, local.logprobs(ids), weights)
    if matcher is None:
        return Candidates(ids, remote, own, scores, divergence(scores, remote))
    at = guarded(drafted, listed, scores - remote, 1.0, matcher, filling=False)
    assert at.held is not None  # noqa: S101  # there is a guard
    left = at.steered > -np.inf
    return Candidates(ids[left], remote[left], own[left], at.steered[left], at.nats, at.held[left])


def _means(sums: FloatArray, tokens: int) -> NLL:
    return tuple((sums / tokens).tolist())


def _windows(positions: int) -> Iterator[slice]:
    for first in range(0, positions, AT_ONCE):
        yield slice(first, min(first + AT_ONCE, positions))


def _nll(scores: FloatArray, chosen: IntArray) -> FloatArray:
    """Summed NLL of the tokens `chosen` [n], at each of TEMPERATURES; `scores` [n, V]."""
    own = scores[np.arange(len(chosen)), chosen]
    return np.array([(_log_sum(scores / one) - own / one).sum() for one in TEMPERATURES])


def _among(
    rule: Rule,
    public: FloatArray,
    local: LocalLogprobs,
    weights: Sequence[float],
    matcher: PhraseMatcher | None,
) -> Candidates:
    """What a rule that chooses among a few candidates makes of a position, from `public` [V], the remote's
    log-probabilities."""
    assert rule.among is not None  # noqa: S101  # as the caller sees to
    listed = likeliest(public, rule.among)
    return among_candidates(rule, DraftToken(int(listed[0]), listed, public[listed]), local, weights, matcher)


def _nll_among(
    rule: Rule, position: Candidates, public: FloatArray, norms: Sequence[float], chosen: int
) -> FloatArray:
    """NLL of one token, at each of TEMPERATURES, for a rule that chooses among a few candidates.

    `public` [V] are the remote's log-probabilities, `norms` their log-sum-exp at each temperature. The rule
    redistributes among the candidates the mass that the remote gives them; all other tokens keep the remote's
    probability, so that this is a distribution over the whole vocabulary, and no token is impossible.
    """
    ids, own, scores, held = position.ids, position.own, position.scores, position.held
    found = np.flatnonzero(ids == chosen)
    nll = []
    for temperature, norm in zip(TEMPERATURES, norms, strict=True):
        flat = public / temperature - norm  # the remote's own at this temperature
        steered = np.log(with_margin(own, scores, SamplingParams(temperature), rule.margin, held))
        nll.append(-_log_sum(flat[ids]) - steered[found[0]] if len(found) else -flat[chosen])
    return np.array(nll)


def _nll_alone(public: FloatArray, norms: Sequence[float], chosen: int) -> FloatArray:
    """NLL of one token by the remote alone, at each of TEMPERATURES; see _nll_among."""
    nll: FloatArray = np.array(norms) - public[chosen] / np.array(TEMPERATURES)
    return nll


def _log_sum(scores: FloatArray) -> FloatArray:
    """log sum exp over the last axis; torch uses all cores for it."""
    summed: FloatArray = torch.from_numpy(scores).logsumexp(dim=-1).numpy()
    return summed
