"""How fast a remote drafts, and how many draft tokens it is asked for."""

from app.decoding.pace import FEWEST, Pace, draft_length, long_enough


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


def test_what_asking_again_takes_is_the_least_of_the_requests_after_the_first() -> None:
    pace = Pace()
    pace.began(5.0)  # which reads the whole prompt
    assert pace.again == 0.0
    pace.began(0.4)
    pace.began(0.2)
    pace.began(0.3)
    assert pace.again == 0.2


def test_short_drafts_become_longer_where_asking_again_is_dear() -> None:
    near = long_enough(6, 256, 0.9, 0.07, 1.0)
    lengths = [long_enough(6, 256, 0.9, wait, wait + 1.5) for wait in (0.07, 0.2, 0.5, 2.0)]
    assert near == lengths[0] == 6
    assert lengths == sorted(lengths)
    assert 12 <= lengths[2] < lengths[3] < 40
    assert long_enough(6, 256, 0.9999, 2.0, 2.5) == 256
    assert long_enough(6, 256, 0.9, 0.0, 1.0) == long_enough(6, 256, 1.0, 2.0, 2.5) == 6
