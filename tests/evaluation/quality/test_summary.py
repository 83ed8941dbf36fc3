"""What cases say together: figures that can be worked out by hand."""

import math
from dataclasses import replace

import pytest

from app.evaluation.quality.forced import TEMPERATURES
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.summary import standings, summarise
from evaluation.quality.examples import CASES, forced, written


def test_rules_are_compared_at_their_own_best_temperature() -> None:
    alone, steered, shown = standings([forced("a", 3.0), forced("b", 4.0), forced("c", 3.2)])
    best = (alone.temperature, steered.temperature, shown.temperature)
    assert best == (TEMPERATURES[2], TEMPERATURES[1], TEMPERATURES[0])
    assert alone.nll.value == pytest.approx(3.4)
    assert (alone.gained.low, alone.gained.high) == (0.0, 0.0)
    # The gain is the same in each case, however different the cases are.
    assert (steered.gained.low, steered.gained.high) == pytest.approx((0.1, 0.1))
    assert steered.closed is not None
    assert (steered.closed.value, steered.closed.low) == pytest.approx((0.25, 0.25))


def test_a_rule_that_was_not_judged_by_every_text_is_left_out() -> None:
    part = forced("b")
    del part.nll["strength 1"]
    assert [one.rule for one in standings([forced("a"), part])] == [REMOTE_ALONE, SHOWN]
    assert [one.rule for one in standings([part, forced("a")])] == [REMOTE_ALONE, SHOWN]


def test_replies_are_measured_against_the_remotes_own_to_the_same_cases() -> None:
    replies = [
        written("a", REMOTE_ALONE, 1.0, 0.9),
        written("b", REMOTE_ALONE, 2.0, 1.8),
        written("a", "auto", 1.5, 1.1, text=CASES[0].reference or ""),
        written("b", "auto", 2.5, 2.0),
        written("c", REMOTE_ALONE, 9.0, 1.0),  # auto has not come so far
    ]
    alone, steered = summarise(CASES, [], replies, [REMOTE_ALONE, "auto"]).systems
    assert (alone.replies, steered.replies) == (2, 2)
    assert alone.lift.value == pytest.approx(0.15)
    assert (alone.lifted.low, alone.lifted.high) == (0.0, 0.0)
    # 0.4 and 0.5 nats, against 0.1 and 0.2: the same difference in both.
    assert (steered.lift.value, steered.lifted.low, steered.lifted.high) == pytest.approx((0.45, 0.3, 0.3))
    assert steered.perplexity.value == pytest.approx(math.exp(2.0))
    assert steered.per_second.value == pytest.approx(5.0)
    assert alone.rouge_l is not None
    assert steered.rouge_l is not None
    assert steered.rouge_l.high == 1.0
    assert steered.rouge_l.value == pytest.approx((1.0 + alone.rouge_l.value) / 2)


def test_a_reply_of_nothing_leaves_its_case_out_for_all() -> None:
    empty = replace(written("a", "auto", 1.0, 1.0, text=""), alone=None, shown=None)
    replies = [written(case, REMOTE_ALONE, 1.0, 0.9) for case in ("a", "b")]
    summary = summarise(CASES, [], [*replies, empty, written("b", "auto", 1.0, 0.5)], [REMOTE_ALONE, "auto"])
    assert [one.replies for one in summary.systems] == [1, 1]


def test_cases_that_are_not_asked_for_do_not_count() -> None:
    summary = summarise(CASES[:1], [forced("a"), forced("z", 9.0)], [], [])
    assert (summary.texts, summary.tokens, summary.systems) == (1, 100, [])
    assert summarise(CASES, [], [], []).rules == []
