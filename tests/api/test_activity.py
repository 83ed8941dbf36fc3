"""The last hour by minutes: what falls into which, what is forgotten, and how minutes are named."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.api.activity import MINUTES, TIMED, Activity, together
from app.api.metrics import Metrics
from app.decoding.stats import Stats

NOON = 1_800_000_000  # a full minute, in Unix seconds


class Clocks:
    """A monotonic clock, and one on the wall that can be set."""

    def __init__(self) -> None:
        self.now, self.ahead = 5_000.0, 0.0

    def activity(self) -> Activity:
        return Activity(lambda: self.now, lambda: NOON + 20 + self.now - 5_000.0 + self.ahead)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def reply(
    activity: Activity, *, tokens: int = 11, changed: int = 2, first: float | None = 0.5, seconds: float = 2.5
) -> None:
    activity.replied(Stats(tokens=tokens, changed=changed, drafted=30), first, seconds, steered=True)


def test_before_anything_there_is_one_minute_of_nothing(clocks: Clocks) -> None:
    ((at, minute),) = clocks.activity().minutes()
    assert at == NOON
    assert (minute.replies, minute.tokens, minute.errors) == (0, 0, 0)
    assert (minute.acceptance, minute.tokens_per_second, minute.first_token) == (None, None, None)


def test_a_reply_counts_with_what_it_cost(clocks: Clocks) -> None:
    activity = clocks.activity()
    reply(activity)
    reply(activity, first=1.5, seconds=2.5)
    activity.replied(Stats(tokens=4), 0.7, 0.7, steered=False)
    ((_, minute),) = activity.minutes()
    assert (minute.replies, minute.steered, minute.tokens) == (3, 2, 26)
    assert (minute.kept, minute.changed, minute.drafted) == (18, 4, 60)
    assert minute.acceptance == pytest.approx(18 / 22)
    assert minute.first_token == 0.7
    assert minute.tokens_per_second == pytest.approx((10 + 10 + 3) / (2.0 + 1.0))


def test_a_reply_without_a_token_has_no_time_of_its_first(clocks: Clocks) -> None:
    activity = clocks.activity()
    reply(activity, tokens=0, changed=0, first=None)
    ((_, minute),) = activity.minutes()
    assert (minute.replies, minute.first_token, minute.tokens_per_second) == (1, None, None)


def test_minutes_begin_as_the_wall_clock_s_do_and_empty_ones_are_there(clocks: Clocks) -> None:
    activity = clocks.activity()
    reply(activity)
    clocks.now += 39.9
    reply(activity)
    clocks.now += 0.2  # twelve past one
    reply(activity)
    clocks.now += 150
    found = activity.minutes()
    assert [at for at, _ in found] == [NOON, NOON + 60, NOON + 120, NOON + 180]
    assert [minute.replies for _, minute in found] == [2, 1, 0, 0]


@pytest.mark.parametrize("gap", [MINUTES * 60 - 60, MINUTES * 60, 9_999_960])
def test_an_hour_is_kept_and_no_more_however_long_nobody_asks(clocks: Clocks, gap: int) -> None:
    activity = clocks.activity()
    reply(activity)
    clocks.now += gap
    found = activity.minutes()
    assert len(found) == MINUTES
    assert found[-1][0] == NOON + gap
    assert [later[0] - one[0] for one, later in pairwise(found)] == [60] * (MINUTES - 1)
    assert together(minute for _, minute in found).replies == (1 if gap < MINUTES * 60 else 0)


def test_setting_the_time_renames_minutes_and_moves_nothing(clocks: Clocks) -> None:
    activity = clocks.activity()
    reply(activity)
    clocks.now += 60
    clocks.ahead = -7200.0
    assert [(at, minute.replies) for at, minute in activity.minutes()] == [
        (NOON - 7200, 1),
        (NOON - 7140, 0),
    ]


def test_what_is_remembered_of_a_busy_minute_is_bounded(clocks: Clocks) -> None:
    activity = clocks.activity()
    for number in range(10 * TIMED):
        reply(activity, first=float(number))
    ((_, minute),) = activity.minutes()
    assert minute.replies == 10 * TIMED
    assert len(minute.first_tokens) == TIMED
    assert minute.first_token == pytest.approx(9.5 * TIMED - 0.5)


def test_together_they_are_sums_and_the_median_of_all(clocks: Clocks) -> None:
    activity = clocks.activity()
    for first in (1.0, 2.0, 9.0):
        reply(activity, first=first, seconds=first + 2.0)
        activity.failed()
        clocks.now += 60
    total = together(minute for _, minute in activity.minutes())
    assert (total.replies, total.tokens, total.errors) == (3, 33, 3)
    assert total.first_token == 2.0
    assert total.tokens_per_second == pytest.approx(5.0)


def test_the_metrics_feed_it(clocks: Clocks) -> None:
    activity = clocks.activity()
    metrics = Metrics(activity)
    metrics.replied(Stats(tokens=3), 0.1, 0.2, steered=False)
    metrics.replied(Stats(tokens=3), 0.1, 0.2, steered=True, broke=True)
    for route, status in (("/v1/chat/completions", 502), ("/ready", 503), ("/health", 200), ("none", 404)):
        metrics.answered(route, "GET", status)
    ((_, minute),) = activity.minutes()
    assert (minute.replies, minute.steered, minute.errors) == (2, 1, 2)
