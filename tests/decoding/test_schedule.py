"""What is scored when, and what is asked of the remote: the real loop on a simulated clock."""

from __future__ import annotations

from itertools import product

import pytest

from app.local.engine.pass_cost import PassCost
from decoding.simulated import CHANGED, KEPT, Outcome, Place, Text, best_seconds, decoded, plain_seconds

TOKENS = 80
MS = 1e-3
# Pace, round trip, base and slope of a pass.
PLACES = [
    Place(pace * MS, rtt * MS, base * MS, per_token * MS)
    for pace, rtt, base, per_token in product((10, 25, 100), (0, 5, 40, 200), (5, 40, 120), (0.5, 4))
]


def reply(text: Text, place: Place, **config: object) -> Outcome:
    """As when earlier replies have shown what a pass costs."""
    return decoded(text, place, cost=PassCost(place.base, place.per_token), **config)


def places(*, slow: bool) -> list[Place]:
    """Those where a pass takes longer than the remote takes for a token, or the others."""
    return [place for place in PLACES if (place.seconds(1) > place.pace) == slow]


@pytest.mark.parametrize("telling", [True, False])
@pytest.mark.parametrize("acceptance", [0.3, 0.6, 0.8, 0.97])
def test_it_is_never_slower_than_one_request_per_token(acceptance: float, telling: bool) -> None:
    """Whatever the distance, the pace and the local model. It takes less than a pass, in a whole reply, to
    learn how much is rejected."""
    text = Text.drawn(TOKENS, acceptance, seed=1, telling=telling)
    for place in PLACES:
        ours, single = reply(text, place), reply(text, place, draft_length=1)
        assert ours.ids == single.ids
        assert ours.seconds <= single.seconds + place.seconds(1), place


@pytest.mark.parametrize("acceptance", [0.6, 0.8, 0.97])
def test_where_passes_keep_up_only_rejections_cost_time(acceptance: float) -> None:
    text = Text.drawn(TOKENS, acceptance, seed=2)
    for place in places(slow=False):
        ours = reply(text, place)
        assert ours.seconds == pytest.approx(best_seconds(text, place), rel=1e-6), place
        assert ours.passes == ours.computed == TOKENS  # no position twice, and none in vain


@pytest.mark.parametrize(("acceptance", "share"), [(0.6, 0.85), (0.8, 0.82), (0.97, 0.85)])
def test_where_passes_are_slow_little_is_lost_to_not_knowing_what_is_rejected(
    acceptance: float, share: float
) -> None:
    texts = [Text.drawn(TOKENS, acceptance, seed) for seed in (3, 4)]
    reached = [
        best_seconds(text, place) / reply(text, place).seconds
        for text in texts
        for place in places(slow=True)
    ]
    assert sum(reached) / len(reached) > share


def test_a_text_without_rejections_is_as_fast_as_the_remote_where_passes_keep_up() -> None:
    text = Text.drawn(TOKENS, 1.0, seed=0)
    for place in places(slow=False):
        assert reply(text, place).seconds == pytest.approx(plain_seconds(text, place))


@pytest.mark.parametrize("prompts", [2, 4])
def test_a_near_fast_remote_s_first_token_is_waited_for(
    prompts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass that scores what follows it as well judges two tokens in the time of one."""
    text = Text.drawn(200, 0.7, seed=5)
    place = Place(10 * MS, 0.0, 150 * MS, 12 * MS, prompts=prompts, flat=2 * prompts)
    waiting = reply(text, place)
    monkeypatch.setattr("app.decoding.speculative.worth_waiting", lambda *_: False)
    at_once = reply(text, place)
    assert waiting.passes < at_once.passes
    assert waiting.seconds < 0.95 * at_once.seconds


def test_a_far_remote_s_first_token_is_not_waited_for() -> None:
    text = Text.drawn(TOKENS, 0.0, seed=0, telling=False)
    place = Place(10 * MS, 200 * MS, 100 * MS, 0.5 * MS)
    # The pass is over before the draft token has come: rejections cost the round trip and nothing else.
    assert reply(text, place).seconds == pytest.approx(TOKENS * 0.21)


def test_a_remote_that_runs_ahead_of_the_local_model_is_asked_for_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = Text.drawn(200, 0.6, seed=6)
    slow = Place(10 * MS, 0.0, 120 * MS, 4 * MS)
    fast = Place(50 * MS, 0.0, 20 * MS, 0.5 * MS)
    assert reply(text, fast).drafted < 1.1 * 200
    bounded = reply(text, slow)
    monkeypatch.setattr("app.decoding.speculative.draft_length", lambda longest, *_: longest)
    unbounded = reply(text, slow)
    assert bounded.drafted < 0.8 * unbounded.drafted
    assert bounded.seconds < 1.03 * unbounded.seconds


@pytest.mark.parametrize(("rtt", "share"), [(100, 0.95), (500, 0.8), (2000, 0.75)])
def test_short_drafts_cost_little_where_asking_again_is_dear(rtt: int, share: float) -> None:
    """As of a server on this machine that only leads to one far away."""
    place = Place(25 * MS, rtt * MS, 20 * MS, 0.5 * MS)
    text = Text.drawn(240, 0.9, seed=5)
    short = reply(text, place, draft_length=6)
    ours = reply(text, place, draft_length=6, longest_draft=256)
    far = reply(text, place)
    assert ours.ids == short.ids == far.ids
    assert ours.seconds < share * short.seconds
    assert ours.seconds < 1.25 * far.seconds
    assert ours.requests < 0.9 * short.requests


def test_near_remotes_are_asked_for_short_drafts_as_ever() -> None:
    for rtt in (0, 5, 20):
        place = Place(46 * MS, rtt * MS, 20 * MS, 0.5 * MS)
        text = Text.drawn(TOKENS, 0.9, seed=5)
        short = reply(text, place, draft_length=6)
        assert reply(text, place, draft_length=6, longest_draft=256).requests == short.requests


def test_all_of_it_is_one_text() -> None:
    text = Text.drawn(TOKENS, 0.7, seed=7)
    wished = tuple(KEPT if kept else CHANGED for kept in text.kept)
    for length, place in product((1, 4, 16, 256), PLACES[::5]):
        assert reply(text, place, draft_length=length).ids == wished
