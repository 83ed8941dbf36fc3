"""Tokens that the remote did not list: bounds that hold whatever the two models say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.decoding.position import widened
from app.local.model import SameVocabularyLogprobs
from app.remote.interface import DraftToken
from app.steering.candidates import UNLISTED, estimate
from app.steering.formula import log_softmax


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_an_estimate_is_below_every_listed_one_and_follows_the_local_model(seed: int, top: int) -> None:
    remote, local = log_softmax(np.random.default_rng(seed).normal(0.0, 3.0, (2, 40)))
    order = np.argsort(-remote)
    listed, rest = order[:top], order[top:]
    found = estimate(remote[listed], local[listed], local[rest])
    assert (found < remote[listed].min()).all()
    assert (np.diff(found[np.argsort(local[rest])]) >= 0).all()


def test_it_lies_between_both_guesses() -> None:
    remote, local = np.log([0.6, 0.3]), np.log([0.5, 0.3, 0.05, 0.15])
    # A tenth is left, of which the local model gives a quarter to the one and three quarters to the other.
    shared = np.log([0.025, 0.075])
    found = estimate(remote, local[:2], local[2:])
    np.testing.assert_allclose(found, (shared + np.log(0.3) - 1) / 2)


def test_a_list_that_leaves_nothing_is_no_mistake() -> None:
    found = estimate(np.log([0.7, 0.3 + 1e-6]), np.log([0.5, 0.5]), np.log([1e-9]))
    assert np.isfinite(found).all()


def local_logprobs(*rows: list[float]) -> SameVocabularyLogprobs:
    """The local model's: aware and agnostic, of one contrast after the other."""
    pairs = np.arange(len(rows)).reshape(-1, 2)
    return SameVocabularyLogprobs(np.log(np.array(rows, np.float32)), pairs)


def test_what_the_context_alone_makes_likely_becomes_a_candidate() -> None:
    drafted = DraftToken(0, np.array([0, 1]), np.log([0.6, 0.3]))
    wide = widened(drafted, local_logprobs([0.1, 0.1, 0.2, 0.6], [0.5, 0.4, 0.05, 0.05]))
    assert wide.candidates.tolist() == [0, 1, 3, 2]
    np.testing.assert_array_equal(wide.logprobs[:2], drafted.logprobs)
    assert wide.token_id == 0


@pytest.mark.parametrize("size", [2, 3, 5, 40])
def test_there_are_a_few_at_most_and_none_twice(size: int) -> None:
    even = [1 / size] * size
    wide = widened(DraftToken(1, np.array([1, 0]), np.log([0.6, 0.3])), local_logprobs(even, even))
    assert len(set(wide.candidates.tolist())) == len(wide.candidates) == 2 + min(UNLISTED, size - 2)


def test_what_either_contrast_makes_likely_becomes_a_candidate() -> None:
    """With the estimates by the first one's agnostic distribution, which is the conversation's."""
    plain = [0.3, 0.2, *[0.5 / 14] * 14]
    person, wished = ([0.01 if rank > 5 else 0.15 for rank in order] for order in (ranks(3), ranks(9)))
    drafted = DraftToken(0, np.array([0, 1]), np.log([0.6, 0.3]))
    first, both = (
        widened(drafted, local_logprobs(*rows)) for rows in ([person, plain], [person, plain, wished, plain])
    )
    assert set(first.candidates.tolist()) == {0, 1, 3, 4, 5, 6, 7}
    assert set(both.candidates.tolist()) == {0, 1, *range(3, 8), *range(9, 14)}
    np.testing.assert_array_equal(both.logprobs[:7], first.logprobs)


def ranks(first: int) -> list[int]:
    """Of 16 tokens, five from `first` on before all others."""
    return [token - first + 1 if first <= token < first + 5 else 99 for token in range(16)]
