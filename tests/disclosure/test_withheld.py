"""What is off is not read: not as a field, not as a text, not within another text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.names import name_pieces
from app.disclosure.withheld import withheld
from app.disclosure.words import content, words
from app.profiles.disclosure import Disclosure
from app.profiles.profile import Preference, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext, readings
from disclosure.people import DISCLOSURES, ISABEL, NAMES, PEOPLE, TEXTS, wrote


def read(private: PrivateContext) -> str:
    """All that the small model reads."""
    conversation = [Message("user", "?")]
    letters = [letter for one in readings(conversation, private) for letter in (one.aware, one.agnostic)]
    return "\n".join(one.content for letter in letters for one in letter)


def stored(private: PrivateContext) -> Iterator[str]:
    """All that is left of a person's own, read or not."""
    if private.profile is not None:
        yield private.profile.name
        yield from (value for _, value in private.profile.fields)
        yield from (text for one in private.profile.preferences for text in (one.text, one.opposite))
    yield from (text for one in private.preferences for text in (one.text, one.opposite))
    for hit in private.history:
        item = hit.stored.item
        yield from (hit.passage, item.title, item.text, item.request)


@given(PEOPLE, DISCLOSURES)
def test_the_types_and_what_is_public_stay(private: PrivateContext, disclosure: Disclosure) -> None:
    left = withheld(private, disclosure)
    assert (left.profile is None) == (private.profile is None)
    if left.profile is not None and private.profile is not None:
        assert left.profile.id == private.profile.id
        assert {key for key, _ in left.profile.fields} <= {key for key, _ in private.profile.fields}
    before = {hit.stored.id: hit for hit in private.history}
    for hit in left.history:
        was = before[hit.stored.id]
        assert (hit.number, hit.score) == (was.number, was.score)
        assert hit.stored.item.disclosure == was.stored.item.disclosure != "off"


@given(PEOPLE, DISCLOSURES)
def test_nothing_more_is_off_in_what_is_left(private: PrivateContext, disclosure: Disclosure) -> None:
    left = withheld(private, disclosure)
    for text in stored(left):
        assert "anna.ek@example.org" not in text or dict(disclosure.identifiers).get("email") != "off"
    fields = dict(left.profile.fields) if left.profile is not None else {}
    assert all(disclosure.of_field(key) != "off" for key in fields)


@given(PEOPLE)
def test_where_nothing_is_off_nothing_is_touched(private: PrivateContext) -> None:
    shown = tuple(hit for hit in private.history if hit.stored.item.disclosure != "off")
    context = replace(private, history=shown)
    assert withheld(context, Disclosure()) is context


@given(NAMES, TEXTS, TEXTS)
def test_a_name_that_is_off_is_read_nowhere(name: str, before: str, behind: str) -> None:
    text = f"{before} {name}, {name.upper()} {name.lower()} {behind}"
    private = PrivateContext(
        Profile("someone", name, (("dream", text),)),
        (wrote(text, title=text, request=text),),
        (Preference(text, text),),
    )
    left = withheld(private, Disclosure(identifiers=(("name", "off"),)))
    telling = {word for one in name_pieces(name) if one.alone for word in one.words if content(word)}
    assert telling
    assert telling.isdisjoint(word for one in stored(left) for word in words(one))
    assert telling.isdisjoint(words(read(left)))


@given(PEOPLE)
def test_with_everything_off_no_more_than_preferences_is_read(private: PrivateContext) -> None:
    left = withheld(private, Disclosure(least="off"))
    assert not left.history
    assert left.profile is None or (not left.profile.name and not left.profile.fields)


def test_fields_and_texts_that_are_off_are_left_out() -> None:
    private = PrivateContext(ISABEL, (wrote("one", disclosure="off"), wrote("two", number=2)))
    left = withheld(private, Disclosure(fields=(("employer", "off"), ("gone", "off"))))
    assert left.profile == replace(ISABEL, fields=ISABEL.fields[1:])
    assert [hit.passage for hit in left.history] == ["two"]
    assert "Old Mill" not in read(left)


def test_an_identifier_that_is_off_gives_way_to_its_placeholder() -> None:
    text = "Ask Isabel at isa@example.org, or +47 22 85 50 50."
    private = PrivateContext(ISABEL, (wrote(text, request=text),), (Preference(text),))
    left = withheld(private, Disclosure(identifiers=(("email", "off"), ("phone", "off"))))
    safe = "Ask Isabel at [Your email address], or [Your phone number]."
    assert [left.history[0].passage, left.history[0].stored.item.request] == [safe, safe]
    assert left.preferences == (Preference(safe),)
    assert left.profile is not None and dict(left.profile.fields).keys() == {"employer", "city", "dream"}
    assert "isa@" not in read(left)


def test_preferences_that_become_alike_are_one() -> None:
    both = (Preference("Sign as bo@example.org"), Preference("Sign as al@example.org"), Preference("Hum."))
    private = PrivateContext(replace(ISABEL, preferences=both), (), both)
    left = withheld(private, Disclosure(identifiers=(("email", "off"),)))
    assert [one.text for one in left.preferences] == ["Sign as [Your email address]", "Hum."]
    assert left.profile is not None and left.profile.preferences == left.preferences


@pytest.mark.parametrize("least", ["open", "shape", "fill"])
def test_what_is_guarded_is_read(least: st.DataObject) -> None:
    private = PrivateContext(ISABEL, (wrote("two"),))
    assert withheld(private, Disclosure(least=least)) is private  # type: ignore[arg-type]
