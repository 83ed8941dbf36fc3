"""What a person's things look like to the rest of the code, and to whoever prints them."""

from __future__ import annotations

import pytest

from app.profiles.disclosure import Disclosure
from app.profiles.profile import (
    MAX_QUESTION,
    HistoryItem,
    Profile,
    ProfileDocument,
    StoredItem,
    split_turn,
    turn,
)


def test_a_profile_with_one_field_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once only"):
        Profile("a", "A", fields=(("x", "1"), ("x", "2")))


def test_a_turn_says_who_said_what() -> None:
    assert turn(" So\0up? ", "\nSoup.\0\n") == HistoryItem(
        "", "Soup.", "turn", source="chat", request="Soup?"
    )


def test_a_very_long_question_keeps_its_beginning_and_its_end() -> None:
    item = turn("first " + "x" * 10 * MAX_QUESTION + " last", "Yes.")
    assert item.request.startswith("first x")
    assert item.request.endswith("x last")
    assert MAX_QUESTION - 2 < len(item.request) <= MAX_QUESTION
    assert item.text == "Yes."
    whole = "x" * MAX_QUESTION
    assert turn(whole, "Yes.").request == whole


@pytest.mark.parametrize(
    ("text", "request_text", "reply"),
    [
        ("User: Soup?\n\nAssistant: Soup.", "Soup?", "Soup."),
        ("User: a\n\nb\n\nAssistant: c\n\nd\n", "a\n\nb", "c\n\nd\n"),
        ("User: \n\nAssistant: Hello.", "", "Hello."),
        ("User: a\n\nAssistant: b\n\nAssistant: c", "a", "b\n\nAssistant: c"),
        (f"User: {'x' * MAX_QUESTION}\n\nAssistant: b", "x" * MAX_QUESTION, "b"),
    ],
)
def test_a_turn_of_an_earlier_version_is_taken_apart(text: str, request_text: str, reply: str) -> None:
    assert split_turn(HistoryItem("T", text, "turn", "s")) == HistoryItem(
        "T", reply, "turn", "s", request=request_text
    )


@pytest.mark.parametrize(
    "item",
    [
        HistoryItem("", "User: Soup?\n\nAssistant: Soup."),
        HistoryItem("", "User: Soup?\n\nAssistant: Soup.", "turn", request="Lunch?"),
        HistoryItem("", "user: Soup?\n\nAssistant: Soup.", "turn"),
        HistoryItem("", "A User: Soup?\n\nAssistant: Soup.", "turn"),
        HistoryItem("", "User: Soup?\nAssistant: Soup.", "turn"),
        HistoryItem("", "User: Soup?\n\nAssistant: \u3000\n", "turn"),
        HistoryItem("", f"User: {'x' * MAX_QUESTION}x\n\nAssistant: b", "turn"),
    ],
)
def test_any_other_item_stays_as_it_is(item: HistoryItem) -> None:
    assert split_turn(item) is item


def test_an_item_answers_its_request_else_its_title() -> None:
    assert HistoryItem("Toast", "Dear all", request="Write a toast. ").answers == "Write a toast."
    assert HistoryItem("Toast", "Dear all", request=" \n").answers == "Toast"
    assert HistoryItem("", "Dear all").answers == ""


def test_nothing_of_a_person_is_printed() -> None:
    levels = Disclosure(fields=(("style", "off"),))
    profile = Profile("isabel", "Isabel Martinez", (("style", "playful"),), True, disclosure=levels)
    item = HistoryItem("Listing", "about the bay", source="letters/1.txt", request="Sell it")
    printed = repr([profile, levels, item, StoredItem(1, item), ProfileDocument(profile, (item,))])
    for private in ("Martinez", "playful", "style", "Listing", "bay", "letters", "Sell"):
        assert private not in printed
    assert "isabel" in printed
