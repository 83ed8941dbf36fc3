"""How likely draft tokens are to be accepted, learnt from a reply."""

import numpy as np
import pytest

from app.decoding.acceptance import Acceptance
from app.remote.interface import DraftToken


def drafted(probability: float) -> DraftToken:
    rest = (1.0 - probability) / 2
    return DraftToken(0, np.arange(3), np.log([probability, rest, rest]))


def test_what_the_remote_is_surer_of_is_likelier_to_be_accepted() -> None:
    expected = [Acceptance().expected(drafted(one)) for one in (0.4, 0.7, 0.9, 0.99)]
    assert expected == sorted(expected)
    assert expected[-1] < 1.0


@pytest.mark.parametrize("factor", [0.1, 0.8])
def test_the_share_of_doubts_that_are_rejected_is_learnt(factor: float) -> None:
    rng = np.random.default_rng(0)
    acceptance = Acceptance()
    for _ in range(2000):
        doubt = rng.uniform(0.05, 0.6)
        acceptance.observe(drafted(1.0 - doubt), accepted=rng.random() > factor * doubt)
    assert acceptance.expected(drafted(0.5)) == pytest.approx(1.0 - factor * 0.5, abs=0.04)


def test_the_share_is_unsure_at_first_and_then_what_was_seen() -> None:
    acceptance = Acceptance()
    assert acceptance.share(1.0) - acceptance.share(-1.0) > 0.2
    for count in range(1000):
        acceptance.observe(drafted(0.6), accepted=count % 4 > 0)
    assert acceptance.share(0.0) == pytest.approx(0.75, abs=0.01)
    assert 0.0 < acceptance.share(1.0) - acceptance.share(-1.0) < 0.05


def test_nothing_is_expected_to_be_rejected_for_certain() -> None:
    acceptance = Acceptance()
    for _ in range(500):
        acceptance.observe(drafted(0.9), accepted=False)
    assert 0.0 < acceptance.expected(drafted(0.4)) < 0.1
