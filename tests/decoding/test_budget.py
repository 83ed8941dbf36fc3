"""A budget of nats is a bound, and what does not fit in ends it."""

from app.decoding.budget import Budget


def affords(budget: Budget, *nats: float) -> list[bool]:
    return [budget.affords(one) for one in nats]


def test_what_does_not_fit_in_ends_it_for_what_would() -> None:
    budget = Budget(1.0)
    assert affords(budget, 0.5, 0.5, 0.0) == [True, True, True]
    assert affords(budget, 0.1, 0.0) == [False, False]
    assert budget.ended


def test_what_fits_in_does_not_end_it() -> None:
    budget = Budget(1.0)
    assert affords(budget, 1.0) == [True]
    assert not budget.ended


def test_what_is_refused_is_not_made_up_for() -> None:
    assert affords(Budget(1.0), 2.0, 0.5) == [False, False]


def test_without_a_bound_nothing_ends_it() -> None:
    budget = Budget(None)
    assert affords(budget, 1e9, 1e9, 1e9) == [True] * 3
    assert not budget.ended
