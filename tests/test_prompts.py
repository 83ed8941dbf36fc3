"""The context-aware prompt has everything the context-agnostic one has, and the private part before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profile import HistoryItem, Profile
from app.prompts import Message, PrivateMessage, PrivatePrompt, context_aware, describe, fit

TEXT = st.text("abc de\n", min_size=1, max_size=30)
PROFILES = st.builds(
    Profile,
    id=st.just("someone"),
    name=TEXT,
    fields=st.dictionaries(TEXT, TEXT, max_size=5).map(lambda fields: tuple(fields.items())),
    history=st.lists(st.builds(HistoryItem, title=st.just("") | TEXT, text=TEXT), max_size=4).map(tuple),
)
ANNA = Profile(
    id="anna",
    name="Anna Ek",
    fields=(("occupation", "Nurse"), ("writing_style", "Short"), ("favourite_food", "Soup")),
    history=(HistoryItem("Shift", "A long night."), HistoryItem("", "No title here."), HistoryItem("c", "d")),
)
CONVERSATION = [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")]


def test_the_private_text_names_everything_in_the_person_s_own_order() -> None:
    text = describe(ANNA, ANNA.history)
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
    assert "wrote" in describe(ANNA, ANNA.history)
    assert "wrote" not in describe(ANNA, ())


@given(PROFILES)
def test_what_changes_least_comes_first(profile: Profile) -> None:
    """So that the KV cache of the profile serves whatever history is chosen."""
    assert describe(profile, profile.history).startswith(describe(profile, ()))


@given(PROFILES, st.integers(0, 400))
def test_the_private_text_stays_within_its_budget_and_is_never_cut_inside(
    profile: Profile, budget: int
) -> None:
    text = fit(profile, budget, len)
    assert len(text) <= budget
    wholes = [describe(profile, profile.history[:n]) for n in range(len(profile.history) + 1)]
    shorter = [
        describe(Profile(profile.id, profile.name, profile.fields[:n]), ())
        for n in range(1, len(profile.fields))
    ]
    # Items too long by themselves, before one that fits, are passed over: any run of items may remain.
    runs = [profile.history[i:j] for j in range(len(profile.history) + 1) for i in range(j)]
    assert text in {"", *wholes, *shorter, *(describe(profile, run) for run in runs)}


@given(PROFILES)
def test_with_room_for_all_nothing_is_dropped(profile: Profile) -> None:
    assert fit(profile, 10_000, len) == describe(profile, profile.history)


def test_history_gives_way_first_and_the_least_relevant_first() -> None:
    for kept in (1, 2):
        room = len(describe(ANNA, ANNA.history[: kept + 1])) - 1
        assert fit(ANNA, room, len) == describe(ANNA, ANNA.history[:kept])
    assert fit(ANNA, len(describe(ANNA, ())), len) == describe(ANNA, ())


def test_one_text_that_is_too_long_does_not_keep_the_others_out() -> None:
    long = HistoryItem("Memoirs", "page " * 500)
    profile = Profile(ANNA.id, ANNA.name, ANNA.fields, history=(long, *ANNA.history))
    assert fit(profile, 1000, len) == describe(ANNA, ANNA.history)


def test_then_fields_give_way_from_the_last() -> None:
    room = len(describe(ANNA, ())) - 1
    text = fit(ANNA, room, len)
    assert "Writing style: Short" in text
    assert "Favourite" not in text


@pytest.mark.parametrize("budget", [0, 5])
def test_with_no_room_for_one_field_there_is_no_private_text(budget: int) -> None:
    assert fit(ANNA, budget, len) == ""


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
    printed = repr((context_aware(CONVERSATION, "s3cret"), PrivatePrompt((4711,)), ANNA, ANNA.history))
    for value in ("s3cret", "4711", "Nurse", "Anna", "A long night"):
        assert value not in printed
