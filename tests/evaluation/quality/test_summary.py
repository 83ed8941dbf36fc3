"""What cases say together: figures that can be worked out by hand."""

import math
from dataclasses import replace

import pytest

from app.evaluation.quality.likelihood import TEMPERATURES
from app.evaluation.quality.rules import REMOTE_ALONE, SHOWN
from app.evaluation.quality.strengths import Tried, of_margin
from app.evaluation.quality.summary import summarise
from app.evaluation.quality.texts import Standing, judged, standings
from app.steering.strength import AUTO_MARGIN
from evaluation.quality.examples import CASES, HEADINGS, LETTER, forced, planned, written


def by_name(*texts: object, forms: tuple[str, ...] = (LETTER,)) -> dict[str, Standing]:
    found = judged(texts, forms)  # type: ignore[arg-type]
    assert found is not None
    return {one.name: one for one in standings(found)}


def test_rules_are_compared_at_their_own_best_temperature() -> None:
    found = by_name(forced("a", 3.0), forced("b", 4.0), forced("c", 3.2))
    assert [*found][-1] == SHOWN
    alone, steered, shown = found[REMOTE_ALONE], found["strength 1"], found[SHOWN]
    best = (alone.temperature, steered.temperature, shown.temperature)
    assert best == (TEMPERATURES[2], TEMPERATURES[1], TEMPERATURES[0])
    assert alone.nll.value == pytest.approx(3.4)
    assert (alone.gained.low, alone.gained.high) == (0.0, 0.0)
    # The gain is the same in each case, however different the cases are.
    assert (steered.gained.low, steered.gained.high) == pytest.approx((0.1, 0.1))
    assert (steered.closed.value, steered.closed.low) == pytest.approx((0.25, 0.25))


def test_a_form_is_measured_by_its_own_bound_and_by_the_first() -> None:
    texts = [forced("a", form=LETTER, gained=0.1), forced("a", form=HEADINGS, gained=0.05)]
    found = by_name(*texts, forms=(LETTER, HEADINGS))
    headed = found["strength 1 [headings]"]
    assert (headed.closed.value, headed.closed_first.value) == pytest.approx((1 / 4, 1 / 8))
    assert f"{SHOWN} [headings]" in found
    assert f"{REMOTE_ALONE} [headings]" not in found
    found = by_name(*texts, forms=(HEADINGS, LETTER))
    assert found["strength 1"].closed_first.value == pytest.approx(1 / 2)


def test_a_name_means_the_same_whichever_form_is_first() -> None:
    texts = [forced("a", form=HEADINGS)]
    assert "auto, top 20 [headings]" in by_name(*texts, forms=(HEADINGS,))


def test_the_spread_is_that_of_each_person_by_themselves() -> None:
    gains = {"a": -0.1, "b": 0.1, "c": 0.2, "d": 0.3, "e": 0.6}
    found = by_name(*(forced(case, gained=gained) for case, gained in gains.items()))["strength 1"]
    assert found.quartiles == pytest.approx((0.1, 0.2, 0.3), abs=0.02)
    assert found.gaining.value == pytest.approx(4 / 5)


def test_a_rule_that_was_not_judged_by_every_text_is_left_out() -> None:
    part = forced("b")
    del part.nll["strength 1"]
    assert "strength 1" not in by_name(forced("a"), part)
    assert "strength 1" not in by_name(part, forced("a"))


def test_a_text_that_was_not_read_in_every_form_is_left_out() -> None:
    found = judged([forced("a"), forced("b"), forced("b", form=HEADINGS)], (LETTER, HEADINGS))
    assert found is not None
    assert len(found.tokens) == 1
    assert judged([forced("a")], (LETTER, HEADINGS)) is None


def test_replies_are_measured_against_the_remotes_own_to_the_same_cases() -> None:
    replies = [
        written("a", REMOTE_ALONE, 1.0, 0.9),
        written("b", REMOTE_ALONE, 2.0, 1.8),
        written("a", "auto", 1.5, 1.1, text=CASES[0].reference or ""),
        written("b", "auto", 2.5, 2.0),
        written("c", REMOTE_ALONE, 9.0, 1.0),  # auto has not come so far
    ]
    alone, steered = summarise(planned(), [], replies).systems
    assert (alone.replies, steered.replies) == (2, 2)
    lift, none, lifted = alone.lift[LETTER], alone.lifted[LETTER], steered.lifted[LETTER]
    assert lift is not None and none is not None and lifted is not None
    assert lift.value == pytest.approx(0.15)
    assert (none.low, none.high) == (0.0, 0.0)
    # 0.4 and 0.5 nats, against 0.1 and 0.2: the same difference in both.
    assert (lifted.low, lifted.high) == pytest.approx((0.3, 0.3))
    assert steered.perplexity.value == pytest.approx(math.exp(2.0))
    assert steered.per_second.value == pytest.approx(5.0)
    assert steered.requests is not None
    assert steered.requests.value == pytest.approx(3 / 11)
    assert alone.rouge_l is not None
    assert steered.rouge_l is not None
    assert steered.rouge_l.high == 1.0
    assert steered.rouge_l.value == pytest.approx((1.0 + alone.rouge_l.value) / 2)


def test_replies_are_read_by_the_remote_that_is_shown_each_form() -> None:
    replies = [
        written("a", name, 1.0, {LETTER: 0.9 - more, HEADINGS: 0.8 - 2 * more})
        for name, more in ((REMOTE_ALONE, 0.0), ("auto", 0.1), ("auto [headings]", 0.2))
    ]
    found = {one.system: one for one in summarise(planned(LETTER, HEADINGS), [], replies).systems}
    for name, more in (("auto", 0.1), ("auto [headings]", 0.2)):
        by_form = found[name].lifted
        assert by_form.keys() == {LETTER, HEADINGS}
        assert [one.value for one in by_form.values() if one] == pytest.approx([more, 2 * more])
    # One that was not read in every form yet does not count.
    half = [*replies[:2], written("a", "auto [headings]", 1.0, 0.7)]
    assert summarise(planned(LETTER, HEADINGS), [], half).systems == []


def test_a_reply_of_nothing_leaves_its_case_out_for_all() -> None:
    empty = replace(written("a", "auto", 1.0, 1.0, text=""), alone=None, shown={})
    replies = [written(case, REMOTE_ALONE, 1.0, 0.9) for case in ("a", "b")]
    summary = summarise(planned(), [], [*replies, empty, written("b", "auto", 1.0, 0.5)])
    assert [one.replies for one in summary.systems] == [1, 1]


def test_cases_that_are_not_asked_for_do_not_count() -> None:
    summary = summarise(planned(count=1), [forced("a"), forced("z", 9.0)], [])
    assert (summary.texts, summary.tokens, summary.systems) == (1, 100, [])
    assert summarise(planned(), [], []).rules == []


def test_the_frontier_joins_texts_and_replies_by_rising_strength() -> None:
    replies = [
        written(case, name, 1.0, 0.8)
        for case in ("a", "b")
        for name in (REMOTE_ALONE, "auto", "strength 1", "paper's strength")
    ]
    auto, constant = summarise(planned(), [forced("a"), forced("b")], replies).frontier
    assert (auto.kind, constant.kind) == ("auto", "strength")
    assert [one.name for one in constant.points] == ["strength 1", "paper's strength"]
    (point,) = auto.points
    assert point.gained is not None
    assert point.gained.value == pytest.approx(0.2)
    assert point.figures is not None
    assert point.figures.perplexity.value == pytest.approx(math.e)
    # The rule of a constant over the whole vocabulary is not the one that replies are written by.
    assert constant.points[0].gained is None


def test_margins_are_a_curve_with_the_products_own_among_them() -> None:
    tried = (Tried("strength", 1.0), *map(of_margin, (0.5, 0.0, AUTO_MARGIN)))
    names = (REMOTE_ALONE, "auto", "auto, margin 0", "auto, margin 0.5", "strength 1")
    replies = [written("a", name, 1.0, 0.8) for name in names]
    curves = {one.kind: one for one in summarise(replace(planned(), strengths=tried), [], replies).frontier}
    assert [*curves] == ["auto", "strength", "margin"]
    assert [one.name for one in curves["auto"].points] == ["auto"]
    assert [one.margin for one in curves["margin"].points] == [0.0, AUTO_MARGIN, 0.5]
    assert [one.margin for one in curves["strength"].points] == [0.0]


def test_requests_are_unknown_where_one_reply_did_not_count_them() -> None:
    replies = [written(case, name, 1.0, 0.9) for case in ("a", "b") for name in (REMOTE_ALONE, "auto")]
    replies[1] = replace(replies[1], requests=None)
    alone, steered = summarise(planned(), [], replies).systems
    assert alone.requests is not None
    assert steered.requests is None


def test_differences_are_of_pairs() -> None:
    texts = [
        forced(case, alone, form, gained)
        for case, alone in (("a", 3.0), ("b", 5.0))
        for form, gained in ((LETTER, 0.1), (HEADINGS, 0.05))
    ]
    replies = [
        written(case, name, alone + harm, {LETTER: alone, HEADINGS: alone})
        for case, alone in (("a", 1.0), ("b", 2.0))
        for name, harm in ((REMOTE_ALONE, 0.1), ("auto", 0.3), ("auto [headings]", 0.2))
    ]  # fmt: skip
    for base in ("auto [headings]", "auto, top 20 [headings]"):
        found = summarise(planned(LETTER, HEADINGS, against=base), texts, replies).differences
        one = next(one for one in found if one.name == "auto")
        for interval, value in (
            (one.gained, 0.1),
            (one.harm, 0.1),
            (one.lift[LETTER], 0.1),
            (one.meteor, 0.0),
        ):
            assert interval is not None
            # However different the cases are, the difference is the same in both.
            assert (interval.low, interval.value, interval.high) == pytest.approx((value, value, value))
    found = summarise(planned(LETTER, HEADINGS, against="auto, top 20"), texts, []).differences
    assert "auto, top 20 [headings]" in {one.name for one in found}
    assert "auto, top 20" not in {one.name for one in found}
    assert all(one.harm is None for one in found)
