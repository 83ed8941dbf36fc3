"""What each system's replies told the remote of the people they were written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.quality.heard import Heard
from app.evaluation.quality.interval import Interval, ratio, wilson
from app.evaluation.quality.written import Written


@dataclass(frozen=True)
class Telling:
    """One system's replies, as means over them: see Heard, whose names they have.

    `named` is how many of those whose person has a name have a part of it, None where nobody has one, and
    `naming` their share. `nats` is the median. `unsteered` is how many became so, `unsteered_from` the median
    of the tokens that these had before.
    """

    system: str
    replies: int
    named: int | None
    naming: Interval | None
    said: Interval
    held: Interval
    filled: Interval
    nats: float
    acceptance: Interval
    unsteered: int = 0
    unsteered_from: float | None = None


def tellings(systems: Mapping[str, Mapping[str, Written]]) -> list[Telling]:
    """The systems that are known to have told something or nothing, over the cases to which all of these have
    written; `systems` has the replies by system and case."""
    known = {
        name: {case: (one, one.heard) for case, one in replies.items() if one.heard is not None}
        for name, replies in systems.items()
    }
    known = {name: replies for name, replies in known.items() if replies}
    common = [
        case for case in next(iter(known.values()), ()) if all(case in replies for replies in known.values())
    ]
    if not common:
        return []
    return [_telling(name, [replies[case] for case in common]) for name, replies in known.items()]


def _telling(system: str, replies: Sequence[tuple[Written, Heard]]) -> Telling:
    heard = [one for _, one in replies]
    names = [one.named for one in heard if one.named is not None]
    ones = np.ones(len(heard))
    tokens = np.array([one.tokens for one, _ in replies], np.float64)
    spent = [one.unsteered_from for one in heard if one.unsteered_from is not None]
    accepted = np.array([one.acceptance for one in heard]) * tokens
    return Telling(
        system,
        len(heard),
        sum(names) if names else None,
        wilson(sum(names), len(names)) if names else None,
        ratio([one.said for one in heard], ones),
        ratio([one.held for one in heard], ones),
        ratio([one.filled for one in heard], ones),
        float(np.median([one.nats for one in heard])),
        ratio(accepted, tokens),
        len(spent),
        float(np.median(spent)) if spent else None,
    )
