"""The context-aware prompt has everything the context-agnostic one has, and the private part before it."""

from __future__ import annotations

import pytest
from fakes import as_hits
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem, Hit, Profile, StoredItem
from app.prompts.message import Message
from app.prompts.private import PrivateMessage, PrivatePrompt, PrivateText, context_aware, describe, fit

TEXT = st.text("abc de\n", min_size=1, max_size=30)
PROFILES = st.builds(
    Profile,
    id=st.just("someone"),
    name=TEXT,
    fields=st.dictionaries(TEXT, TEXT, max_size=5).map(lambda fields: tuple(fields.items())),
)
HISTORIES = st.lists(
    st.builds(HistoryItem, title=st.just("") | TEXT, text=TEXT, kind=st.sampled_from(["document", "turn"])),
    max_size=4,
).map(as_hits)
ANNA = Profile(
    id="anna",
    name="Anna Ek",
    fields=(("occupation", "Nurse"), ("writing_style", "Short"), ("favourite_food", "Soup")),
)
WRITTEN = (HistoryItem("Shift", "A long night."), HistoryItem("", "No title here."), HistoryItem("c", "d"))
HISTORY = as_hits(WRITTEN)
CONVERSATION = [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")]


def test_the_private_text_names_everything_in_the_person_s_own_order() -> None:
    text = describe(ANNA, HISTORY)
    parts = [
        "Anna Ek",
        "Occupation: Nurse",
        "Writing style: Short",
        "Favourite food: Soup",
        "# Shift\nA long",
    ]
    places = [text.index(part) for part in [*parts, "No title here.", "# c\nd"]]
    assert places == sorted(places)
    assert "# \n" not in text


def test_without_history_there_is_no_heading_for_it() -> None:
    assert "wrote" in describe(ANNA, HISTORY)
    assert "wrote" not in describe(ANNA, ())


def test_recorded_exchanges_stand_apart_from_what_the_person_wrote() -> None:
    """A model's words are no example of how the person writes."""
    said = HistoryItem("", "Soup.", "turn", request="Soup?")
    text = describe(ANNA, as_hits([said, *WRITTEN]))
    assert (
        text.index("Texts the user wrote") < text.index("No title here.") < text.index("Earlier exchanges:")
    )
    assert text.endswith("Earlier exchanges:\n\nUser: Soup?\n\nAssistant: Soup.")


def test_a_later_passage_of_an_exchange_stands_alone() -> None:
    stored = StoredItem(1, HistoryItem("", "Soup. Bread.", "turn", request="Lunch?"))
    assert describe(ANNA, (Hit(stored, "Bread.", 1, 1.0),)).endswith("Earlier exchanges:\n\nBread.")


@given(PROFILES, HISTORIES)
def test_what_changes_least_comes_first(profile: Profile, history: tuple[Hit, ...]) -> None:
    """So that the KV cache of the profile serves whatever history is chosen."""
    assert describe(profile, history).startswith(describe(profile, ()))


@given(PROFILES, HISTORIES, st.integers(0, 400))
def test_the_private_text_stays_within_its_budget_and_is_never_cut_inside(
    profile: Profile, history: tuple[Hit, ...], budget: int
) -> None:
    private = fit(profile, history, budget, len)
    assert len(private.text) <= budget
    shorter = [
        describe(Profile(profile.id, profile.name, profile.fields[:n]), ())
        for n in range(1, len(profile.fields))
    ]
    assert private.text in {"", *shorter, describe(profile, private.history)}
    # A passage is left out only when it does not fit behind the more relevant ones that are taken.
    for number, hit in enumerate(history):
        if hit not in private.history and private.text not in {"", *shorter}:
            before = [one for one in history[:number] if one in private.history]
            assert len(describe(profile, (*before, hit))) > budget


@given(PROFILES, HISTORIES)
def test_with_room_for_all_nothing_is_dropped(profile: Profile, history: tuple[Hit, ...]) -> None:
    assert fit(profile, history, 10_000, len) == PrivateText(describe(profile, history), history)


def test_history_gives_way_first_and_the_least_relevant_first() -> None:
    same_size = as_hits([HistoryItem("", f"Text number {number}.") for number in range(3)])
    for kept in (1, 2):
        room = len(describe(ANNA, same_size[: kept + 1])) - 1
        assert fit(ANNA, same_size, room, len).text == describe(ANNA, same_size[:kept])
    assert fit(ANNA, HISTORY, len(describe(ANNA, ())), len).text == describe(ANNA, ())


@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_text_that_is_too_long_does_not_keep_the_others_out(place: int) -> None:
    long = as_hits([HistoryItem("Memoirs", "page " * 500)])
    offered = (*HISTORY[:place], *long, *HISTORY[place:])
    assert fit(ANNA, offered, 1000, len) == PrivateText(describe(ANNA, HISTORY), HISTORY)


def test_then_fields_give_way_from_the_last() -> None:
    room = len(describe(ANNA, ())) - 1
    text = fit(ANNA, HISTORY, room, len).text
    assert "Writing style: Short" in text
    assert "Favourite" not in text


@pytest.mark.parametrize("budget", [0, 5])
def test_with_no_room_for_one_field_there_is_no_private_text(budget: int) -> None:
    assert fit(ANNA, HISTORY, budget, len) == PrivateText("", ())


def test_the_private_text_goes_into_one_system_message_in_front() -> None:
    aware = context_aware(CONVERSATION, "private")
    assert [(m.role, m.content) for m in aware] == [
        ("system", "private"),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
    ]


def test_a_system_message_is_joined_and_not_doubled() -> None:
    aware = context_aware([Message("system", "Be brief."), *CONVERSATION], "private")
    assert [m.role for m in aware] == ["system", "user", "assistant", "user"]
    assert aware[0].content == "private\n\nBe brief."


def test_what_is_private_has_types_that_the_remote_does_not_take() -> None:
    aware = context_aware(CONVERSATION, "private")
    assert all(isinstance(m, PrivateMessage) and not isinstance(m, Message) for m in aware)
    prompt = PrivatePrompt((1, 2))
    for attribute in ("__iter__", "__len__", "__getitem__"):
        assert not hasattr(prompt, attribute)


def test_what_is_private_does_not_print() -> None:
    printed = repr(
        (context_aware(CONVERSATION, "s3cret"), PrivatePrompt((4711,)), fit(ANNA, HISTORY, 500, len))
    )
    for value in ("s3cret", "4711", "Nurse", "Anna", "A long night"):
        assert value not in printed
