"""Rules over many positions: what is the same by another way, and what must not change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.quality.rules import (
    Rule,
    constant,
    local_alone,
    mixed,
    paper_loop,
    rules,
    smoothed,
    trusted,
)
from app.evaluation.quality.strengths import AS_THE_PRODUCT, Tried, of_margin
from app.steering.formula import FloatArray, log_softmax, steer, strength
from app.steering.strength import AUTO_MARGIN

RULES = [
    local_alone(),
    constant(0.7),
    trusted(0.7),
    mixed(0.7, 0.1),
    smoothed(0.7, 0.3),
    paper_loop(),
]


ONE = (1.0,)


def given_by(seed: int, positions: int = 5, size: int = 40) -> tuple[FloatArray, FloatArray]:
    """The remote's and, in one contrast, the local model's."""
    remote, *local = log_softmax(np.random.default_rng(seed).normal(0.0, 2.5, (3, positions, size)))
    return remote, np.array([local])


@given(st.integers(0, 10_000))
def test_the_papers_loop_is_its_closed_form(seed: int) -> None:
    given = given_by(seed)
    closed = log_softmax(constant(strength()).score(*given, ONE))
    np.testing.assert_allclose(log_softmax(paper_loop().score(*given, ONE)), closed, atol=1e-9)


@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_a_constant_is_what_replies_are_steered_by(seed: int, c: float) -> None:
    remote, local = given_by(seed)
    scores = log_softmax(constant(c).score(remote, local, ONE))
    for position, row in enumerate(scores):
        own = steer(remote[position], local[0, 0, position] - local[0, 1, position], c)
        np.testing.assert_allclose(row, own, atol=1e-9)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_leaves_its_input_alone_and_scores_are_of_a_distribution(rule: Rule) -> None:
    given = given_by(1)
    kept = [one.copy() for one in given]
    scores = rule.score(*given, ONE)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(np.exp(log_softmax(scores)).sum(axis=-1), 1.0)
    for now, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    "rule", [constant(2.0), trusted(2.0), smoothed(2.0, 0.3), paper_loop()], ids=lambda rule: rule.name
)
def test_where_the_context_says_nothing_new_nothing_is_steered(rule: Rule) -> None:
    remote, local = given_by(2)
    scores = log_softmax(rule.score(remote, local[:, [0, 0]], ONE))
    np.testing.assert_allclose(scores, remote, atol=1e-9)


@pytest.mark.parametrize(
    "rule", [constant(0.7), smoothed(0.7, 0.3), paper_loop()], ids=lambda rule: rule.name
)
def test_contrasts_add_up_each_times_its_weight(rule: Rule) -> None:
    remote, local = given_by(5)
    other = given_by(6)[1]
    both = log_softmax(rule.score(remote, np.concatenate((local, other)), (0.5, 2.0)))
    apart = [
        log_softmax(rule.score(remote, one, (weight,))) - remote
        for one, weight in ((local, 0.5), (other, 2.0))
    ]
    np.testing.assert_allclose(both, log_softmax(remote + apart[0] + apart[1]), atol=1e-9)


def test_trust_is_full_where_both_agree_and_none_where_they_do_not() -> None:
    remote, local = given_by(3)
    alike = np.array([[local[0, 0], remote]])
    full = constant(1.5).score(remote, alike, ONE)
    np.testing.assert_allclose(trusted(1.5).score(remote, alike, ONE), full, atol=1e-9)
    apart = np.log(np.array([[0.5, 0.5, 1e-12, 1e-12]])), np.log(np.array([[1e-12, 1e-12, 0.9, 0.1]]))
    unlike = np.array([[np.log(np.full((1, 4), 0.25)), apart[1]]])
    scores = log_softmax(trusted(1.5).score(apart[0], unlike, ONE))
    np.testing.assert_allclose(np.exp(scores[0, :2]), 0.5, atol=1e-6)


def test_smoothing_moves_little_what_the_remote_alone_believes_in_and_much_what_both_do() -> None:
    remote = np.log(np.array([[0.5, 0.5]]))
    believed = np.log(np.array([[0.4, 0.6]])), np.log(np.array([[0.2, 0.8]]))
    unknown = np.log(np.array([[4e-9, 1.0]])), np.log(np.array([[2e-9, 1.0]]))
    plain, moved = constant(1.0), smoothed(1.0, 0.3)
    for local, at_least, at_most in ((believed, 0.5, 1.0), (unknown, 0.0, 0.01)):
        whole, part = (
            one.score(remote, np.array([local]), ONE)[0, 0] - remote[0, 0] for one in (plain, moved)
        )
        assert at_least * whole < part < at_most * whole


def test_rules_that_need_the_local_distribution_are_left_out_where_there_is_none() -> None:
    both, bytes_alone = (
        {rule.name for rule in rules([Tried("strength", 0.5)], 20, one_vocabulary=one)}
        for one in (True, False)
    )
    assert "local with context" in both - bytes_alone
    assert {"strength 0.5", "strength 0.5, top 20", "auto, top 20"} <= bytes_alone < both


def test_each_strength_is_judged_as_replies_are_written_by_it() -> None:
    tried = [Tried("strength", 0.25), Tried("auto", 0.5), Tried("auto", 1.0), of_margin(0.5), of_margin(0.0)]
    found = {rule.name: rule for rule in rules(tried, 7, one_vocabulary=True)}
    assert {
        "strength 0.25, top 7",
        "auto:0.5, top 7",
        "auto, top 7",
        "paper's strength, top 7",
        "auto, margin 0.5, top 7",
    } <= found.keys()
    margins = ("strength 0.25", "auto:0.5", "auto", "auto, margin 0.5", "auto, margin 0")
    assert [found[f"{one}, top 7"].margin for one in margins] == [0.0, AUTO_MARGIN, AUTO_MARGIN, 0.5, 0.0]
    assert found["auto:0.5, top 7"].unlisted and not found["strength 0.25, top 7"].unlisted
    remote, local = given_by(4)
    half, whole, none = (
        found[name].score(remote, local, ONE) for name in ("auto:0.5, top 7", "auto, top 7", "strength 0.25")
    )
    np.testing.assert_allclose(2 * (half - remote), whole - remote, atol=1e-9)
    np.testing.assert_allclose(none, remote + 0.25 * (local[0, 0] - local[0, 1]), atol=1e-9)


def test_autos_own_margin_is_no_other_system() -> None:
    assert of_margin(AUTO_MARGIN) == AS_THE_PRODUCT
    assert of_margin(0.0) != AS_THE_PRODUCT
