"""How likely rules find a text: over the whole vocabulary each is a distribution, at every temperature."""

from collections.abc import Sequence

import numpy as np
import pytest

from app.evaluation.quality.likelihood import NLL, TEMPERATURES, rule_nlls
from app.evaluation.quality.rules import listed
from app.evaluation.quality.strengths import Tried, of_margin
from app.local.model import direct
from app.steering.formula import log_softmax

SIZE, TOP = 40, 6
REMOTE, AWARE, AGNOSTIC = log_softmax(np.random.default_rng(3).normal(0.0, 2.0, (3, SIZE)))
TRIED = [Tried("strength", 0.5), *map(of_margin, (0.0, 0.2, 0.5, 10.0))]


def judged(tried: Sequence[Tried]) -> dict[str, list[NLL]]:
    """The NLL of each token of the vocabulary by itself, by each rule."""
    rules = [listed(one, TOP) for one in tried]
    local = direct(np.array([[AWARE], [AGNOSTIC]], np.float32), np.array([[0, 1]]))
    found: dict[str, list[NLL]] = {rule.name: [] for rule in rules}
    for token in range(SIZE):
        logits = REMOTE[np.newaxis].astype(np.float32)
        for name, nll in rule_nlls(rules, logits, local, [1.0], [token]).items():
            found[name].append(nll)
    return found


@pytest.mark.parametrize("tried", TRIED, ids=lambda one: one.name)
def test_a_rule_is_a_distribution_over_the_whole_vocabulary(tried: Tried) -> None:
    (every,) = judged([tried]).values()
    np.testing.assert_allclose(np.exp(-np.array(every)).sum(axis=0), np.ones(len(TEMPERATURES)), atol=1e-6)


def test_a_margin_comes_between_the_steered_distribution_and_the_remotes() -> None:
    found = [np.exp(-np.array(every)) for every in judged([of_margin(one) for one in (0, 0.2, 0.5)]).values()]
    steered, *near = found
    far = [np.abs(one - steered).sum(axis=0) for one in near]
    assert (far[0] > 0).all()
    assert (far[1] > far[0]).all()


def test_a_margin_that_nothing_passes_leaves_what_is_listed_as_the_remote_has_it() -> None:
    (every,) = judged([of_margin(50.0)]).values()
    likeliest = np.argsort(-REMOTE)[:TOP]
    for number, temperature in enumerate(TEMPERATURES):
        flat = np.exp(log_softmax(REMOTE / temperature))[likeliest]
        found = np.exp(-np.array(every)[likeliest, number])
        np.testing.assert_allclose(found / found.sum(), flat / flat.sum(), rtol=1e-3)
