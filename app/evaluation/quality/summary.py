"""Summarises the cases: each rule by the NLL of users' texts, each system by the replies it wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.evaluation.quality.cases import Case
from app.evaluation.quality.forced import TEMPERATURES, Forced
from app.evaluation.quality.interval import Interval, ratio
from app.evaluation.quality.measures import meteor, repetition, rouge_l
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.writing import Written


@dataclass(frozen=True)
class Standing:
    """One rule. `nll` is in nats per token of the users' own text, at `temperature`, the rule's best;
    `gained` is how much lower it is than that of the remote alone, at its own best temperature; `closed` is
    the share of what the remote would gain if it were shown the profile, None where that was not measured."""

    rule: str
    temperature: float
    nll: Interval
    gained: Interval
    closed: Interval | None


@dataclass(frozen=True)
class Figures:
    """Measures of one system's replies, as means over cases.

    `rouge_l` and `meteor` compare with the person's own text, where there is one. `lift` is how much likelier
    the remote finds the reply when it is shown the context, in nats per token, and `lifted` how much more
    that is than for the remote's own replies to the same cases. `perplexity` is that of the remote without
    the context. `per_second` is tokens per second of one reply.
    """

    system: str
    replies: int
    rouge_l: Interval | None
    meteor: Interval | None
    lift: Interval
    lifted: Interval
    perplexity: Interval
    repetition: Interval
    tokens: Interval
    per_second: Interval


@dataclass(frozen=True)
class Summary:
    """The summary of an evaluation so far."""

    texts: int = 0
    tokens: int = 0
    rules: list[Standing] = field(default_factory=list)
    systems: list[Figures] = field(default_factory=list)


def summarise(
    cases: Sequence[Case], forced: Iterable[Forced], written: Iterable[Written], names: Sequence[str]
) -> Summary:
    """Summarises those of the `cases` that are done; systems in the order of `names`.

    Rules are compared on the same texts, and systems on the same cases: only those that all of them have.
    """
    wanted = {case.id: case for case in cases}
    read = [one for one in forced if one.case in wanted]
    by_system: dict[str, dict[str, Written]] = {}
    for one in written:
        if one.case in wanted:
            by_system.setdefault(one.system, {})[one.case] = one
    ordered = {name: by_system[name] for name in names if name in by_system}
    return Summary(
        len(read),
        sum(one.tokens for one in read),
        standings(read) if read else [],
        figures(wanted, ordered) if REMOTE_ALONE in ordered else [],
    )


def standings(forced: Sequence[Forced]) -> list[Standing]:
    """Each rule's results over the same cases."""
    common = [rule for rule in forced[-1].nll if all(rule in one.nll for one in forced)]
    tokens = np.array([one.tokens for one in forced], np.float64)
    sums = {rule: np.array([one.nll[rule] for one in forced]) * tokens[:, np.newaxis] for rule in common}
    best = {rule: int(np.argmin(each.sum(axis=0))) for rule, each in sums.items()}
    at_best = {rule: each[:, best[rule]] for rule, each in sums.items()}
    alone = at_best[REMOTE_ALONE]
    shown = at_best.get(SHOWN)
    return [
        Standing(
            rule,
            TEMPERATURES[best[rule]],
            ratio(each, tokens),
            ratio(alone - each, tokens),
            None if shown is None else ratio(alone - each, alone - shown),
        )
        for rule, each in at_best.items()
    ]


def figures(cases: Mapping[str, Case], systems: Mapping[str, Mapping[str, Written]]) -> list[Figures]:
    """Each system's figures, over the cases to which all systems have written a reply that has an NLL."""
    common = [
        case
        for case in systems[REMOTE_ALONE]
        if all(case in replies and _readable(replies[case]) for replies in systems.values())
    ]
    if not common:
        return []
    own = [systems[REMOTE_ALONE][case] for case in common]
    return [
        _figures(name, [cases[case] for case in common], [replies[case] for case in common], own)
        for name, replies in systems.items()
    ]


def _readable(reply: Written) -> bool:
    return reply.alone is not None and reply.shown is not None


def _figures(name: str, cases: Sequence[Case], replies: Sequence[Written], own: Sequence[Written]) -> Figures:
    lift, usual = _lifts(replies), _lifts(own)
    harm = _mean([one.alone for one in replies])
    assert harm is not None  # noqa: S101  # every one has an NLL
    perplexity = Interval(*(float(np.exp(one)) for one in (harm.value, harm.low, harm.high)))
    return Figures(
        name,
        len(replies),
        _against(rouge_l, cases, replies),
        _against(meteor, cases, replies),
        ratio(lift, np.ones(len(lift))),
        ratio(lift - usual, np.ones(len(lift))),
        perplexity,
        _mean([repetition(one.text) for one in replies]) or Interval(0.0, 0.0, 0.0),
        ratio([one.tokens for one in replies], np.ones(len(replies))),
        ratio([one.tokens - 1 for one in replies], [max(one.seconds, 1e-9) for one in replies]),
    )


def _lifts(replies: Sequence[Written]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([(one.alone or 0.0) - (one.shown or 0.0) for one in replies])


def _against(
    measure: Callable[[str, str], float], cases: Sequence[Case], replies: Sequence[Written]
) -> Interval | None:
    return _mean(
        [
            measure(reply.text, case.reference) if case.reference else None
            for case, reply in zip(cases, replies, strict=True)
        ]
    )


def _mean(values: Sequence[float | None]) -> Interval | None:
    there = [value for value in values if value is not None]
    return ratio(there, np.ones(len(there))) if there else None
