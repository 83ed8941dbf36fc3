"""How fast a remote drafts, and how many draft tokens it is asked for."""

from app.decoding.pace import FEWEST, Pace, draft_length


def test_the_first_token_of_a_request_and_those_after_it_are_told_apart() -> None:
    pace = Pace()
    assert (pace.wait, pace.gap) == (0.0, None)
    for _ in range(2):
        pace.began(0.3)
        pace.went_on(0.01)
        pace.went_on(0.03)
    assert (round(pace.wait, 9), round(pace.gap or 0.0, 9)) == (0.3, 0.02)


def test_a_draft_is_the_longer_the_more_is_accepted_and_the_farther_the_remote_is() -> None:
    lengths = [draft_length(256, acceptance, 0.05, 0.5) for acceptance in (0.3, 0.6, 0.8, 0.9, 0.95)]
    assert lengths == sorted(set(lengths))
    assert draft_length(256, 0.8, 0.5, 0.5) > draft_length(256, 0.8, 0.05, 0.5)
    assert lengths[-1] < 256


def test_it_stays_within_its_bounds() -> None:
    assert draft_length(256, 0.001, 0.001, 100.0) == FEWEST
    assert draft_length(2, 0.001, 0.001, 100.0) == 2
    for nothing_known in [(1.0, 0.1, 0.1), (0.0, 0.1, 0.1), (0.9, 0.0, 0.1), (0.9, 0.1, 0.0)]:
        assert draft_length(256, *nothing_known) == 256
