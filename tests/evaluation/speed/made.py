"""Runs made by hand, with figures that can be told at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from app.decoding.stats import Stats
from app.evaluation.speed.bound import Step
from app.evaluation.speed.modes import DRAFT
from app.evaluation.speed.passes import PassTimes
from app.evaluation.speed.run import Run


def made(
    mode: str = DRAFT,
    *,
    rate: float = 10.0,
    tokens: int = 11,
    case: int = 0,
    repeat: int = 0,
    changed: int = 0,
    first: float = 0.5,
    requests: int = 1,
    waits: Sequence[float] = (),
    token_ids: Sequence[int] | None = None,
    passes: PassTimes | None = None,
) -> Run:
    """A reply whose tokens come evenly, `rate` a second after the first; the first ones behind that are
    `changed`."""
    moments = tuple(first + number / rate for number in range(tokens))
    stats = Stats(tokens=tokens, changed=changed, remote_requests=requests)
    return Run(
        mode=mode,
        case=case,
        profile="anna",
        repeat=repeat,
        token_ids=tuple(range(tokens)) if token_ids is None else tuple(token_ids),
        moments=moments,
        seconds=moments[-1] if moments else first,
        stats=stats,
        waits=tuple(waits),
        steps=tuple(Step(changed=0 < number <= changed, scored=True) for number in range(tokens)),
        passes=passes,
    )
