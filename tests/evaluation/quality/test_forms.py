"""Forms of prompts: what each has where, and what none may leave out or tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fakes import as_hits

from app.evaluation.quality.forms import FORMS, named
from app.profiles.profile import HistoryItem, Preference, Profile
from app.prompts.message import Message
from app.prompts.private import (
    INSTRUCTION,
    WRITE,
    Letter,
    PrivateContext,
    about_person,
    about_replies,
    readings,
)

ANN = Profile("ann", "Ann Lee", (("style", "dry"),))
HISTORY = as_hits([HistoryItem("Old", "First."), HistoryItem("New", "Second.", request="Write.")])
PREFERENCES = (Preference("Be brief.", "Be long."), Preference("Be kind."))
WHOLE = PrivateContext(ANN, HISTORY, PREFERENCES)
WISHED = PrivateContext(preferences=PREFERENCES)
ASKED = (Message("user", "Hello?"), Message("assistant", "Yes."), Message("user", "A toast."))
SYSTEM = Message("system", "Answer in verse.")
CONVERSATIONS = (ASKED, (SYSTEM, *ASKED))


def text(*letters: Letter) -> str:
    return "\n".join(f"{one.role}: {one.content}" for letter in letters for one in letter)


def aware(form: str, private: PrivateContext = WHOLE, messages: Sequence[Message] = ASKED) -> str:
    return text(*(one.aware for one in FORMS[form].readings(messages, private)))


def agnostic(form: str) -> str:
    return text(*(one.agnostic for one in FORMS[form].readings(ASKED, WHOLE)))


@pytest.mark.parametrize("messages", CONVERSATIONS)
@pytest.mark.parametrize(
    "private", [PrivateContext(), PrivateContext(ANN), WISHED, WHOLE, PrivateContext(history=HISTORY)]
)
def test_the_letter_is_the_products(messages: Sequence[Message], private: PrivateContext) -> None:
    assert FORMS["letter"].readings(messages, private) == readings(messages, private)


def test_the_products_form_is_left_out_of_names() -> None:
    assert (named("auto", "letter"), named("auto", "headings")) == ("auto", "auto [headings]")


@pytest.mark.parametrize("form", FORMS)
def test_the_conversation_is_in_every_letter_and_one_system_message_at_most(form: str) -> None:
    shape, messages = FORMS[form], (SYSTEM, *ASKED)
    pairs = [each for one in shape.readings(messages, WHOLE) for each in (one.aware, one.agnostic)]
    for letter in (*pairs, shape.shown(messages, WHOLE), shape.shown(messages, PrivateContext())):
        assert [one.role for one in letter].count("system") == 1
        assert letter[0].role == "system"
        assert letter[0].content.endswith(SYSTEM.content)
        for message in ASKED:
            assert any(message.content in one.content and message.role == one.role for one in letter)


@pytest.mark.parametrize("form", FORMS)
def test_without_a_context_nothing_steers_and_a_remote_is_shown_the_conversation(form: str) -> None:
    assert FORMS[form].readings(ASKED, PrivateContext()) == ()
    assert FORMS[form].shown(ASKED, PrivateContext()) == about_replies(ASKED, ())


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_all_of_a_context_but_what_it_is_named_for(form: str) -> None:
    missing = {"no facts": ["dry", "Ann Lee"], "no texts": ["First.", "Second."]}.get(form, [])
    for written in (aware(form), text(FORMS[form].shown(ASKED, WHOLE))):
        for part in ("dry", "Ann Lee", "First.", "Second.", "Be brief.", "Be kind."):
            assert (part in written) == (part not in missing)
        assert "Be long." not in written
    assert "Be brief." not in agnostic(form)
    assert ("Be long." in agnostic(form)) == (form not in {"headings", "no opposite"})


@pytest.mark.parametrize("form", FORMS)
def test_a_preference_alone_has_nobody_behind_it(form: str) -> None:
    assert len(FORMS[form].readings(ASKED, WISHED)) == 1
    assert "The user is" not in aware(form, WISHED)
    assert "Be brief." in aware(form, WISHED)


def test_headings_are_one_system_message_in_the_order_given() -> None:
    (pair,) = FORMS["headings"].readings((SYSTEM, *ASKED), WHOLE)
    system, *rest = pair.aware
    parts = [INSTRUCTION, "The user is Ann Lee.", "Style: dry", "Preference: Be brief."]
    parts += ["Preference: Be kind.", "Texts the user wrote before:", "# Old\nFirst.", "# New\nSecond."]
    assert system.content == "\n\n".join([*parts, SYSTEM.content])
    assert [(one.role, one.content) for one in rest] == [(one.role, one.content) for one in ASKED]
    assert pair.agnostic == about_replies((SYSTEM, *ASKED), ())


def test_headings_show_an_exchange_with_both_sides_and_no_title_twice() -> None:
    history = as_hits([HistoryItem("Note", "# Note\nText."), HistoryItem("", "Reply.", "turn", request="Q?")])
    written = aware("headings", PrivateContext(ANN, history))
    assert written.count("# Note") == 1
    assert "Earlier exchanges:\n\nUser: Q?\n\nAssistant: Reply." in written


def test_what_is_moved_stands_where_the_name_says() -> None:
    last = FORMS["facts last"].readings(ASKED, PrivateContext(ANN, HISTORY))[0].aware
    assert last[-1].content.startswith(INSTRUCTION) and last[-1].content.endswith("A toast.")
    assert all("dry" not in one.content for one in last[:-1])
    for form, places in (
        ("letter", ["system", "user", "user"]),
        ("preference in front", ["system"]),
        ("preference behind", ["user", "user"]),
    ):
        wished = FORMS[form].readings(ASKED, WISHED)[0].aware
        assert [one.role for one in wished if "Be brief. Be kind." in one.content] == places


def test_without_requests_each_text_answers_the_same() -> None:
    letter = FORMS["no requests"].readings(ASKED, PrivateContext(ANN, HISTORY))[0].aware
    assert [one.content for one in letter if one.role == "user"][:2] == [WRITE, WRITE]


def test_one_contrast_has_the_person_and_the_preferences_together() -> None:
    (pair,) = FORMS["one contrast"].readings(ASKED, WHOLE)
    assert pair.aware == FORMS["letter"].shown(ASKED, WHOLE)
    assert pair.agnostic == about_replies(ASKED, ["Be long."])
    (alone,) = FORMS["one contrast"].readings(ASKED, PrivateContext(ANN, HISTORY))
    assert (alone.aware, alone.weight) == (about_person(ASKED, PrivateContext(ANN, HISTORY)), 1.0)
