"""What a person's things look like to the rest of the code, and to whoever prints them."""

from __future__ import annotations

import pytest

from app.profiles.profile import (
    MAX_QUESTION,
    MAX_TEXT,
    HistoryItem,
    Profile,
    ProfileDocument,
    StoredItem,
    turn,
)


def test_a_profile_with_one_field_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once only"):
        Profile("a", "A", fields=(("x", "1"), ("x", "2")))


def test_a_turn_says_who_said_what() -> None:
    assert turn(" Soup? ", "\nSoup.\n") == HistoryItem(
        "", "User: Soup?\n\nAssistant: Soup.", "turn", source="chat"
    )


def test_a_very_long_question_keeps_its_beginning_and_its_end() -> None:
    text = turn("first " + "x" * 10 * MAX_QUESTION + " last", "Yes.").text
    assert text.startswith("User: first x")
    assert text.endswith("x last\n\nAssistant: Yes.")
    assert MAX_QUESTION < len(text) < MAX_QUESTION + 50 < MAX_TEXT


def test_nothing_of_a_person_is_printed() -> None:
    profile = Profile("isabel", "Isabel Martinez", (("style", "playful"),), is_default=True)
    item = HistoryItem("Listing", "about the bay", source="letters/1.txt")
    printed = repr([profile, item, StoredItem(1, item), ProfileDocument(profile, (item,))])
    for private in ("Martinez", "playful", "style", "Listing", "bay", "letters"):
        assert private not in printed
    assert "isabel" in printed
