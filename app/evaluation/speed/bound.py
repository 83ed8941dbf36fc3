"""The least time that draft and verify can take for a reply, both models included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Step:
    """One emitted token. `changed`: it is not the draft token, so the draft was asked for anew after it;
    `scored`: the local model was needed for it."""

    changed: bool
    scored: bool


def least_seconds(
    steps: Sequence[Step],
    *,
    pace: float,
    distance: float,
    pass_seconds: Callable[[int], float],
    lead: float = 0.0,
) -> float:
    """The least seconds from a reply's first token to its last, for the same tokens and the same rejections.

    All times are in seconds: `pace` of a draft token, `distance` from a request to its first token but for
    the pace (the round trip), `pass_seconds(n)` of a local pass that scores n positions. It is the time of a
    schedule that knows beforehand which draft tokens will be rejected:

    - The token after a rejected one is drafted `distance + pace` after that one was emitted, any other `pace`
      after the draft token before it.
    - A pass scores consecutive positions, and can start once the tokens before each of them are known: as
      drafted, or as emitted in a draft token's place. One pass runs at a time, while the remote drafts.
    - A token is emitted when it has been drafted and, if it was `scored`, a pass has scored its position.
    - No position is scored twice, or scored after a draft token that will be rejected; and of all ways to
      divide the positions among passes the fastest is taken.

    So draft and verify cannot be faster, except where a pass takes less than `pass_seconds`. Drafting began
    up to `lead` before the first token, and passes over what comes after it may have been run in that time.
    """
    total = 0.0
    for number, segment in enumerate(_segments(steps[1:])):
        # What follows the first token was on its way already, unless that one was a rejection.
        flowing = number == 0 and not steps[0].changed
        begin = -lead if flowing else 0.0
        total += max(
            0.0, _segment_seconds(segment, begin, begin if flowing else distance, pace, pass_seconds)
        )
    return total


def _segments(steps: Sequence[Step]) -> Iterator[list[bool]]:
    """Whether each position was scored; a segment ends with a rejection."""
    segment: list[bool] = []
    for step in steps:
        segment.append(step.scored)
        if step.changed:
            yield segment
            segment = []
    if segment:
        yield segment


def _segment_seconds(
    scored: Sequence[bool], begin: float, asked: float, pace: float, pass_seconds: Callable[[int], float]
) -> float:
    """When the last position of a segment is emitted, 0 being when the token before the segment was.

    Passes can start from `begin`. The first position is drafted `pace` after `asked`.
    """
    drafted = asked + pace * np.arange(1, len(scored) + 1)
    known = np.concatenate(([begin], drafted[:-1]))  # the tokens before a position
    possible = known[np.flatnonzero(scored)]
    cost = np.array([pass_seconds(count) for count in range(1, len(possible) + 1)])
    done = np.full(len(possible) + 1, begin)  # the earliest that so many positions have been scored
    for count, start in enumerate(possible, 1):
        # The last pass scores 1, 2, ... `count` positions, once those before them have been scored.
        done[count] = np.min(np.maximum(done[:count][::-1], start) + cost[:count])
    return float(max(drafted[-1], done[-1]))
