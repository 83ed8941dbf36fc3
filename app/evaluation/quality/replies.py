"""What the replies of each system are like: personal, harmful, repetitive, and as what people wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.quality.cases import Case
from app.evaluation.quality.interval import Interval, ratio
from app.evaluation.quality.measures import meteor, repetition, rouge_l
from app.evaluation.quality.rules import REMOTE_ALONE
from app.evaluation.quality.written import Written
from app.steering.formula import FloatArray


@dataclass(frozen=True)
class Measured:
    """One system's replies to the same cases; each array is [n], and not a number where there is none.

    `rouge_l` and `meteor` compare with the person's own text. `lift`, by form, is how much likelier the
    remote finds the reply when it is shown the context, and `harm` its negative log-likelihood under the
    remote without the context (log-perplexity), both in nats per token. `requests` are those to the remote.
    """

    system: str
    rouge_l: FloatArray
    meteor: FloatArray
    lift: dict[str, FloatArray]
    harm: FloatArray
    repetition: FloatArray
    tokens: FloatArray
    seconds: FloatArray
    requests: FloatArray


@dataclass(frozen=True)
class Figures:
    """Measures of one system's replies, as means over cases; None where no case has any.

    `lifted`, by form, is how much more `lift` is than for the remote's own replies to the same cases.
    `perplexity` is that of the remote without the context. `per_second` is tokens per second of one reply,
    `requests` are those to the remote per token.
    """

    system: str
    replies: int
    rouge_l: Interval | None
    meteor: Interval | None
    lift: dict[str, Interval | None]
    lifted: dict[str, Interval | None]
    perplexity: Interval
    repetition: Interval | None
    tokens: Interval | None
    per_second: Interval
    requests: Interval | None


def measured(
    cases: Mapping[str, Case], systems: Mapping[str, Mapping[str, Written]], forms: Sequence[str]
) -> dict[str, Measured]:
    """Each system's measures, over the cases to which all systems have written a reply that was read in all
    of the `forms`; `systems` has the replies by system and case."""
    common = [
        case
        for case in systems.get(REMOTE_ALONE, {})
        if all(case in replies and _readable(replies[case], forms) for replies in systems.values())
    ]
    if not common:
        return {}
    chosen = [cases[case] for case in common]
    return {
        name: _measured(name, chosen, [replies[case] for case in common], forms)
        for name, replies in systems.items()
    }


def figures(measured: Mapping[str, Measured]) -> list[Figures]:
    """The means of each system's measures; one of the systems is the remote alone."""
    return [_figures(one, measured[REMOTE_ALONE]) for one in measured.values()]


def mean(values: FloatArray) -> Interval | None:
    """The mean of the numbers among the values [n]; None if there is none."""
    there = values[~np.isnan(values)]
    return ratio(there, np.ones(len(there))) if len(there) else None


def _readable(reply: Written, forms: Sequence[str]) -> bool:
    return reply.alone is not None and reply.shown.keys() >= set(forms)


def _measured(
    system: str, cases: Sequence[Case], replies: Sequence[Written], forms: Sequence[str]
) -> Measured:
    return Measured(
        system,
        _against(rouge_l, cases, replies),
        _against(meteor, cases, replies),
        {form: np.array([one.lift(form) for one in replies]) for form in forms},
        _numbers([one.alone for one in replies]),
        _numbers([repetition(one.text) for one in replies]),
        _numbers([one.tokens for one in replies]),
        _numbers([one.seconds for one in replies]),
        _numbers([one.requests for one in replies]),
    )


def _figures(one: Measured, own: Measured) -> Figures:
    harm = ratio(one.harm, np.ones(len(one.harm)))
    return Figures(
        one.system,
        len(one.harm),
        mean(one.rouge_l),
        mean(one.meteor),
        {form: mean(lift) for form, lift in one.lift.items()},
        {form: mean(lift - own.lift[form]) for form, lift in one.lift.items()},
        Interval(*(float(np.exp(each)) for each in (harm.value, harm.low, harm.high))),
        mean(one.repetition),
        mean(one.tokens),
        ratio(one.tokens - 1, np.maximum(one.seconds, 1e-9)),
        ratio(one.requests, one.tokens) if not np.isnan(one.requests).any() else None,
    )


def _against(
    measure: Callable[[str, str], float], cases: Sequence[Case], replies: Sequence[Written]
) -> FloatArray:
    return _numbers(
        [
            measure(reply.text, case.reference) if case.reference else None
            for case, reply in zip(cases, replies, strict=True)
        ]
    )


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if one is None else one for one in values], np.float64)
