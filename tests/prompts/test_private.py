"""What the small model reads of a person: each part in its place, what changes least first, in a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem, Hit, Preference, Profile, StoredItem
from app.prompts.message import Message
from app.prompts.private import (
    PrivateContext,
    PrivateMessage,
    PrivatePrompt,
    Reading,
    about_person,
    about_replies,
    introduction,
    opposites,
    readings,
    wishes,
)
from app.steering.strength import PREFERENCE_WEIGHT
from prompts.examples import ANNA, HISTORY, PEOPLE, PERSON, PREFERENCES, PROFILES, TEXT, WISHES

CONVERSATION = [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")]

TURNS = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant"]), TEXT, st.none() | st.just("Bo")),
    min_size=1,
    max_size=5,
)
CONVERSATIONS = st.builds(
    lambda system, turns: [*system, *turns],
    st.lists(
        st.builds(Message, st.just("system"), st.just("") | TEXT, st.none() | st.just("Al")), max_size=1
    ),
    TURNS,
)


def said(letter: Sequence[Message | PrivateMessage]) -> list[tuple[str, str, str | None]]:
    return [(one.role, one.content, one.name) for one in letter]


# Each part in its place


def test_a_person_is_read_as_a_conversation() -> None:
    system, *turns = said(about_person(CONVERSATION, PERSON))
    assert turns == [
        ("user", "How was the shift?", None),
        ("assistant", "A long night.", None),
        ("user", "Lunch", None),
        ("assistant", "Soup again.", None),
        ("user", turns[4][1], None),
        ("assistant", "No title here.", None),
        ("user", "What of the weather?", None),
        ("assistant", "Rain.", None),
        *said(CONVERSATION),
    ]
    assert turns[4][1].strip(), "a text without a title answers something, too"
    role, facts, _ = system
    assert role == "system"
    places = [
        facts.index(part)
        for part in ("Anna Ek", "Occupation: Nurse", "Writing style: Short", "Favourite food: Soup")
    ]
    assert places == sorted(places)


def test_how_replies_should_be_stands_in_front_and_behind_each_question() -> None:
    assert said(about_replies(CONVERSATION, ["Be brief.", "Joke."])) == [
        ("system", "Be brief. Joke.", None),
        ("user", "Hi\n\nBe brief. Joke.", None),
        ("assistant", "Hello", None),
        ("user", "Bye\n\nBe brief. Joke.", None),
    ]


def test_a_person_and_preferences_steer_by_a_contrast_each() -> None:
    conversation = about_replies(CONVERSATION, ())
    assert readings(CONVERSATION, PERSON) == (
        Reading("person", about_person(CONVERSATION, PERSON), conversation, 1.0),
        Reading(
            "preferences",
            about_replies(CONVERSATION, ["Be brief.", "Joke.", "Hum."]),
            about_replies(CONVERSATION, ["Be thorough.", "Bark."]),
            PREFERENCE_WEIGHT,
        ),
    )


def test_there_is_a_contrast_about_what_there_is_alone() -> None:
    assert readings(CONVERSATION, PrivateContext()) == ()
    for part, about in (
        (PrivateContext(ANNA), "person"),
        (PrivateContext(history=HISTORY), "person"),
        (PrivateContext(preferences=PREFERENCES), "preferences"),
    ):
        assert [one.about for one in readings(CONVERSATION, part)] == [about]


def test_preferences_without_an_opposite_are_set_against_the_conversation() -> None:
    (alone,) = readings(CONVERSATION, PrivateContext(preferences=PREFERENCES[1:2]))
    assert said(alone.agnostic) == said(CONVERSATION)


def test_the_passage_that_was_found_is_what_is_read() -> None:
    stored = StoredItem(1, HistoryItem("", "Soup. Bread.", "turn", request="Lunch?"))
    letter = about_person(CONVERSATION, PrivateContext(ANNA, (Hit(stored, "Bread.", 1, 1.0),)))
    assert said(letter)[1:3] == [("user", "Lunch?", None), ("assistant", "Bread.", None)]
    assert all("Soup." not in one.content for one in letter)


@pytest.mark.parametrize("name", [None, "Al"])
def test_the_conversation_s_own_system_message_follows_what_is_private_in_one(name: str | None) -> None:
    messages = [Message("system", "Answer in verse.", name), *CONVERSATION]
    for letter, front in (
        (about_person(messages, PERSON), introduction(ANNA)),
        (about_replies(messages, ["Be brief."]), "Be brief."),
    ):
        assert said(letter)[0] == ("system", f"{front}\n\nAnswer in verse.", name)
        assert [one.role for one in letter].count("system") == 1


@given(CONVERSATIONS, PEOPLE)
def test_the_conversation_comes_last_with_each_of_its_turns(
    messages: list[Message], private: PrivateContext
) -> None:
    turns = [one for one in messages if one.role != "system"]
    letter = about_person(messages, private)
    assert said(letter[len(letter) - len(turns) :]) == said(turns)
    assert all(one.role != "system" for one in letter[1:])


@given(CONVERSATIONS, WISHES)
def test_preferences_leave_what_the_assistant_said_and_keep_each_question(
    messages: list[Message], preferences: tuple[Preference, ...]
) -> None:
    turns = [one for one in messages if one.role != "system"]
    for texts in (wishes(preferences), opposites(preferences)):
        letter = about_replies(messages, texts)
        for public, one in zip(turns, letter[len(letter) - len(turns) :], strict=True):
            assert (one.role, one.name) == (public.role, public.name)
            if one.role == "assistant" or not texts:
                assert one.content == public.content
            else:
                assert one.content == f"{public.content.rstrip()}\n\n{' '.join(texts)}"


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_without_a_question_preferences_steer_all_the_same(role: str) -> None:
    messages = [Message(role, "Hello")]
    (pair,) = readings(messages, PrivateContext(preferences=PREFERENCES[:1]))
    for letter, wish in ((pair.aware, "Be brief."), (pair.agnostic, "Be thorough.")):
        assert letter[0].role == "system"
        assert letter[0].content.startswith(wish)
        assert letter[-1].content.endswith("Hello")


@given(CONVERSATIONS)
def test_without_anything_private_every_prompt_is_the_conversation(messages: list[Message]) -> None:
    assert said(about_person(messages, PrivateContext())) == said(messages)
    assert said(about_replies(messages, ())) == said(messages)


def test_a_name_that_is_not_read_has_no_line() -> None:
    nameless = introduction(replace(ANNA, name=""))
    assert "The user is" not in nameless
    assert nameless == introduction(ANNA).replace("The user is Anna Ek.\n\n", "")


# What changes least comes first


@given(PROFILES, CONVERSATIONS, PEOPLE)
def test_the_facts_come_first_whatever_else_there_is(
    profile: Profile, messages: list[Message], private: PrivateContext
) -> None:
    first = about_person(messages, replace(private, profile=profile))[0]
    assert first.role == "system"
    assert first.content.startswith(introduction(profile))


@given(PROFILES, st.integers(0, 5))
def test_another_fact_leaves_those_before_it(profile: Profile, facts: int) -> None:
    fewer = replace(profile, fields=profile.fields[:facts])
    assert introduction(profile).startswith(introduction(fewer))


@given(TURNS, TURNS, PEOPLE)
def test_then_what_the_person_wrote_whatever_is_asked(
    one: list[Message], other: list[Message], private: PrivateContext
) -> None:
    before = len(about_person([], private))
    assert before == 2 * len(private.history) + (private.profile is not None)
    assert about_person(one, private)[:before] == about_person(other, private)[:before]


@given(PEOPLE)
def test_texts_come_in_one_order_however_they_are_ranked(private: PrivateContext) -> None:
    """New conversations that find the same texts begin alike."""
    again = replace(private, history=tuple(reversed(private.history)))
    assert about_person(CONVERSATION, again) == about_person(CONVERSATION, private)


@given(CONVERSATIONS, TURNS, PEOPLE)
def test_a_conversation_that_goes_on_begins_as_before(
    messages: list[Message], more: list[Message], private: PrivateContext
) -> None:
    before = about_person(messages, private)
    assert about_person([*messages, *more], private)[: len(before)] == before
    for texts in (wishes(private.preferences), opposites(private.preferences)):
        wished = about_replies(messages, texts)
        assert about_replies([*messages, *more], texts)[: len(wished)] == wished


# Apart from what is public


def test_what_is_private_has_types_that_the_remote_does_not_take() -> None:
    for one in readings(CONVERSATION, PERSON):
        for message in (*one.aware, *one.agnostic):
            assert isinstance(message, PrivateMessage) and not isinstance(message, Message)
    prompt = PrivatePrompt((1, 2))
    for attribute in ("__iter__", "__len__", "__getitem__"):
        assert not hasattr(prompt, attribute)


def test_what_is_private_does_not_print() -> None:
    printed = repr((PERSON, PrivatePrompt((4711,)), readings(CONVERSATION, PERSON)))
    for value in ("4711", "Nurse", "Anna", "A long night", "the shift", "brief", "thorough", "Bye"):
        assert value not in printed
