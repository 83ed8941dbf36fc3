"""How often attackers find out for whom each system's replies were written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.quality.interval import Interval, ratio, wilson
from app.evaluation.quality.plan import Plan
from app.evaluation.quality.ranking import Place, place
from app.evaluation.quality.scored import LENGTHS, Scored, after

SIZES = (2, 10, 50)  # candidates, beside as many as there are
SHORTEST = 16  # tokens of a reply that say enough for a figure


@dataclass(frozen=True)
class Found:
    """What one attacker finds. `first` is how often it takes the right one, among so many candidates, and
    `by_length` among all of them after so many tokens of each reply. `rank` is the mean one, from 1."""

    first: dict[int, Interval]
    by_length: dict[int, Interval]
    rank: Interval


@dataclass(frozen=True)
class Identified:
    """Both attackers on one system's replies; `nats` is the mean divergence of a reply's distributions from
    the remote's, None if it is not steered."""

    system: str
    replies: int
    candidates: int
    black: Found
    white: Found
    nats: Interval | None


def identified(plan: Plan, scored: Iterable[Scored]) -> list[Identified]:
    """Each system's replies, to the same cases: those to which all systems' replies were scored for every
    candidate."""
    known = {one.key: one for one in scored}
    names = [system.name for system in plan.systems]
    by_system: dict[str, list[list[Scored]]] = {name: [] for name in names}
    for case, candidates in plan.attacked:
        found = [[known.get((case.id, name, one)) for one in candidates] for name in names]
        if all(one is not None for each in found for one in each):
            for name, each in zip(names, found, strict=True):
                by_system[name].append([one for one in each if one is not None])
    return [_identified(name, replies) for name, replies in by_system.items() if replies]


def _identified(system: str, replies: Sequence[Sequence[Scored]]) -> Identified:
    """From the scores of each reply, the right candidate's first."""
    nats = np.array([own.nats for own, *_ in replies if own.nats is not None])
    return Identified(
        system,
        len(replies),
        min(map(len, replies)),
        _found([[one.black for one in each] for each in replies]),
        _found([[one.white for one in each] for each in replies]),
        ratio(nats, np.ones(len(nats))) if len(nats) else None,
    )


def _found(replies: Sequence[Sequence[Sequence[float]]]) -> Found:
    """From each reply's scores, by candidate and length."""
    count = min(map(len, replies))
    ends = _places(replies, None)
    longest = max(len(own) for own, *_ in replies)
    ranks = np.array([one.rank for one in ends])
    return Found(
        {size: _first(ends, size) for size in sorted({*(one for one in SIZES if one < count), count})},
        {one: _first(_places(replies, one), count) for one in LENGTHS[: longest - 1] if one >= SHORTEST},
        ratio(ranks, np.ones(len(ranks))),
    )


def _places(replies: Sequence[Sequence[Sequence[float]]], length: int | None) -> list[Place]:
    """The right candidates' places after so many tokens of each reply, or at its end."""
    at_length = [[one[-1] if length is None else after(one, length) for one in each] for each in replies]
    return [place(own, others) for own, *others in at_length]


def _first(places: Sequence[Place], count: int) -> Interval:
    return wilson(sum(one.first_among(count) for one in places), len(places))
