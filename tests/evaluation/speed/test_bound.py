"""The bound against schedules that were worked out otherwise: by hand, by trying all, and at random."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.speed.bound import Step, least_seconds


@dataclass(frozen=True)
class Costs:
    """What a remote and a local model take, in seconds."""

    pace: float
    distance: float
    base: float
    each: float


times = st.floats(0.0, 2.0)
costs = st.builds(Costs, pace=st.floats(0.01, 1.0), distance=times, base=times, each=times)
replies = st.lists(st.builds(Step, changed=st.booleans(), scored=st.booleans()), min_size=2, max_size=9)
KEPT, CHANGED = Step(changed=False, scored=True), Step(changed=True, scored=True)


def linear(base: float, each: float) -> Callable[[int], float]:
    return lambda positions: base + each * positions


def bound_of(steps: Sequence[Step], costs: Costs, lead: float = 0.0) -> float:
    return least_seconds(
        steps,
        pace=costs.pace,
        distance=costs.distance,
        pass_seconds=linear(costs.base, costs.each),
        lead=lead,
    )


def divisions(count: int) -> Iterator[list[int]]:
    """All ways to divide so many positions among passes."""
    if not count:
        yield []
    for last in range(1, count + 1):
        for before in divisions(count - last):
            yield [*before, last]


def with_passes(steps: Sequence[Step], passes: Callable[[int], list[int]], costs: Costs) -> float:
    """How long the reply takes with a schedule whose passes over a segment's scored positions are `passes` of
    their number: event after event, with no draft token on its way at the first token."""
    emitted = 0.0
    following = list(steps[1:])
    asked = costs.distance if steps[0].changed else 0.0
    while following:
        size = next((i + 1 for i, step in enumerate(following) if step.changed), len(following))
        segment, following = following[:size], following[size:]
        arrival = [emitted + asked + costs.pace * (i + 1) for i in range(size)]
        scored = [i for i, step in enumerate(segment) if step.scored]
        free, at = emitted, 0
        for count in passes(len(scored)):
            at += count
            last = scored[at - 1]
            free = max(free, arrival[last - 1] if last else emitted) + costs.base + costs.each * count
        emitted, asked = max(free, arrival[-1]), costs.distance
    return emitted


def test_a_local_model_that_keeps_up_hides_behind_the_remote() -> None:
    bound = least_seconds([KEPT] * 5, pace=1.0, distance=4.0, pass_seconds=linear(0.5, 0.1))
    assert bound == pytest.approx(4.0)


def test_each_rejection_costs_the_distance() -> None:
    bound = least_seconds(
        [KEPT, CHANGED, KEPT, CHANGED, KEPT], pace=1.0, distance=4.0, pass_seconds=linear(0.5, 0.1)
    )
    assert bound == pytest.approx(4 * 1.0 + 2 * 4.0)
    assert least_seconds([CHANGED, KEPT], pace=1.0, distance=4.0, pass_seconds=linear(0, 0)) == 5.0


def test_a_slow_local_model_scores_what_has_gathered_in_few_passes() -> None:
    # The second token can be scored at once, all others in one pass when the last but one has come.
    bound = least_seconds([KEPT] * 5, pace=1.0, distance=0.0, pass_seconds=linear(10.0, 0.1))
    assert bound == pytest.approx(3.0 + 10.4)
    assert bound < 20.0


def test_after_a_rejection_its_pass_and_the_round_trip_go_on_together() -> None:
    def bound(cost: float) -> float:
        return least_seconds([CHANGED, KEPT], pace=1.0, distance=4.0, pass_seconds=linear(cost, 0))

    assert (bound(3.0), bound(7.0)) == (5.0, 7.0)


def test_what_came_before_the_first_token_has_taken_none_of_the_time_after_it() -> None:
    def bound(lead: float) -> float:
        return least_seconds([KEPT] * 5, pace=1.0, distance=4.0, pass_seconds=linear(0, 0), lead=lead)

    assert [bound(lead) for lead in (0.0, 1.5, 9.0)] == [4.0, 2.5, 0.0]


def test_a_reply_of_one_token_has_nothing_after_it() -> None:
    assert least_seconds([KEPT], pace=1.0, distance=4.0, pass_seconds=linear(1, 1)) == 0.0


@given(replies, costs)
def test_it_is_the_best_of_all_ways_to_divide_positions_among_passes(steps: list[Step], costs: Costs) -> None:
    # Segments are independent, so the best of each is found by trying all on one segment at a time.
    best, asked = 0.0, steps[0].changed
    segment: list[Step] = []
    for number, step in enumerate(steps[1:], 1):
        segment.append(step)
        if step.changed or number == len(steps) - 1:
            alone = [Step(changed=asked, scored=False), *segment]
            best += min(
                with_passes(alone, lambda _, sizes=sizes: sizes, costs)  # type: ignore[misc]
                for sizes in divisions(sum(step.scored for step in segment))
            )
            segment, asked = [], True
    assert bound_of(steps, costs) == pytest.approx(best)


@given(replies, costs, st.randoms(use_true_random=False))
def test_no_schedule_is_faster(steps: list[Step], costs: Costs, chance: random.Random) -> None:
    def some(count: int) -> list[int]:
        sizes = []
        while count:
            sizes.append(chance.randint(1, count))
            count -= sizes[-1]
        return sizes

    assert bound_of(steps, costs) <= with_passes(steps, some, costs) + 1e-9


@given(replies, costs)
def test_neither_model_s_own_work_can_be_saved(steps: list[Step], costs: Costs) -> None:
    followed, again = steps[1:], [step.changed for step in steps[:-1]]
    alone = bound_of(steps, dataclasses.replace(costs, base=0.0, each=0.0))
    assert alone == pytest.approx(len(followed) * costs.pace + sum(again) * costs.distance)
    assert bound_of(steps, costs) >= alone - 1e-9
    assert bound_of(steps, costs) >= sum(step.scored for step in followed) * costs.each - 1e-9


@given(replies, costs, st.floats(0.0, 1.0), times)
def test_nothing_that_gets_slower_makes_it_faster(
    steps: list[Step], costs: Costs, more: float, lead: float
) -> None:
    usual = bound_of(steps, costs, lead)
    assert bound_of(steps, costs, max(0.0, lead - more)) >= usual - 1e-9
    for field in dataclasses.fields(costs):
        slower = dataclasses.replace(costs, **{field.name: getattr(costs, field.name) + more})
        assert bound_of(steps, slower, lead) >= usual - 1e-9
