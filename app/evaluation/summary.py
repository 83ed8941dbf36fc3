"""What the cases say together: each rule at its own best temperature, and against the remote alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.forced import SHOWN, TEMPERATURES, Forced
from app.evaluation.interval import Interval, ratio
from app.evaluation.rules import REMOTE_ALONE


@dataclass(frozen=True)
class Standing:
    """One rule. `nll` is in nats per token of the users' own text, at `temperature`; `gained` how much lower
    it is than the remote's alone at its own best temperature; `closed` which share that is of what the remote
    would gain if it were shown the profile, None where it was not."""

    rule: str
    temperature: float
    nll: Interval
    gained: Interval
    closed: Interval | None


def standings(forced: Sequence[Forced]) -> list[Standing]:
    """Of each rule over the same cases."""
    tokens = np.array([one.tokens for one in forced], np.float64)
    sums = {
        rule: np.array([one.nll[rule] for one in forced]) * tokens[:, np.newaxis] for rule in forced[0].nll
    }
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
