"""What a profile has already is not proposed."""

from __future__ import annotations

from app.profiles.profile import Preference, Profile
from app.proposals.proposal import Proposal, unknown


def field(key: str, value: str) -> Proposal:
    return Proposal("field", key, value, value, 0, len(value), 1, 0.5)


def preference(value: str, opposite: str = "") -> Proposal:
    return Proposal("preference", "", value, "x", 0, 1, 1, 0.5, opposite=opposite)


PROFILE = Profile(
    "anna",
    "Anna Ek",
    fields=(("Home_Town", "Łódź, Poland"), ("about", "Plays the tuba on Sundays")),
    preferences=(Preference("Be brief.", "Be thorough."),),
)


def test_neither_a_field_that_is_there_nor_a_value_that_stands_in_another_field() -> None:
    given = [field("home town", "Oslo"), field("location", "Lodz"), field("interests", "tuba")]
    assert unknown([*given, field("interests", "tub")], PROFILE) == [field("interests", "tub")]


def test_neither_a_preference_that_is_there_nor_its_opposite() -> None:
    given = [preference("be brief"), preference("Be thorough.", "Be brief."), preference("Rhyme.")]
    assert unknown(given, PROFILE) == [preference("Rhyme.")]


def test_each_once() -> None:
    assert unknown([field("interests", "Oslo"), field("location", "oslo")], PROFILE) == [
        field("interests", "Oslo")
    ]
