"""Marks say of each phrase what holds for it: what is withheld is marked off, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.disclosure.guarded import guarded
from app.disclosure.marked import BEGINNING, Marked, marked
from app.disclosure.withheld import withheld
from app.disclosure.words import content, spaced, words
from app.profiles.disclosure import IDENTIFIERS, LEVELS, Disclosure, Level
from app.profiles.profile import Hit, Profile
from app.prompts.private import PrivateContext
from disclosure.people import DISCLOSURES, ISABEL, PEOPLE, wrote

LETTER = wrote("Ask Isabel at isa@example.org. Isabel knows.", title="To the bank", number=7)


def levels(private: PrivateContext, disclosure: Disclosure, what: str) -> list[tuple[str, Level]]:
    return [(one.text, one.level) for one in marked(private, disclosure) if one.what == what]


@given(PEOPLE, DISCLOSURES)
def test_what_is_marked_off_is_what_is_withheld(private: PrivateContext, disclosure: Disclosure) -> None:
    found, left = marked(private, disclosure), withheld(private, disclosure)
    fields = {one.key for one in found if one.what == "field" and one.text and one.level != "off"}
    assert fields == {key for key, value in (left.profile.fields if left.profile else ()) if value}
    items = [one.item for one in found if one.what == "item" and one.level != "off"]
    assert items == list(dict.fromkeys(hit.stored.id for hit in left.history))
    if private.profile is not None and left.profile is not None and private.profile.name:
        assert (found[0].level == "off") == (not left.profile.name)


@given(PEOPLE, DISCLOSURES)
def test_nothing_is_off_in_what_is_left(private: PrivateContext, disclosure: Disclosure) -> None:
    left = withheld(private, disclosure)
    assert all(one.level != "off" for one in marked(left, disclosure))


@given(PEOPLE, DISCLOSURES)
def test_where_nothing_is_marked_off_all_is_read(private: PrivateContext, disclosure: Disclosure) -> None:
    private = replace(private, preferences=())
    if all(one.level != "off" for one in marked(private, disclosure)):
        left = withheld(private, disclosure)
        assert _texts(left) == _texts(private)


def _texts(private: PrivateContext) -> list[str]:
    """All that is read of a person; a field without a value says nothing."""
    fields = private.profile.fields if private.profile is not None else ()
    hits = [text for hit in private.history for text in (hit.passage, hit.stored.item.answers)]
    return [*(value for _, value in fields if value), *hits]


@given(PEOPLE, DISCLOSURES)
def test_nothing_is_less_strict_than_what_it_stands_in(
    private: PrivateContext, disclosure: Disclosure
) -> None:
    found = marked(private, disclosure)
    assert len(set(found)) == len(found)
    for one in found:
        assert LEVELS.index(one.level) >= LEVELS.index(disclosure.least)
        if one.what in IDENTIFIERS and one.key is not None:
            assert LEVELS.index(one.level) >= LEVELS.index(disclosure.of_field(one.key))
        assert (one.key is None or one.item is None) and (one.key or one.item or one.what == "name")


@example(PrivateContext(Profile("ann", "Ann Ek", (("address", "王小明 +47 22 85 50 50"),))), Disclosure())
@given(PEOPLE, DISCLOSURES)
def test_a_field_that_is_marked_shape_or_fill_is_guarded(
    private: PrivateContext, disclosure: Disclosure
) -> None:
    left = withheld(private, disclosure)
    everywhere = guarded(left, [], disclosure).words.get((), frozenset())
    for one in marked(left, disclosure):
        telling = {word for word in words(one.text) if content(word) and spaced(word)}
        if one.what == "field" and one.level in ("shape", "fill") and telling:
            assert not telling.isdisjoint(everywhere)


def test_the_defaults() -> None:
    assert marked(PrivateContext(ISABEL, (LETTER,)), Disclosure()) == (
        Marked("Isabel Moreno", "name", "fill"),
        Marked("The Old Mill", "field", "open", key="employer"),
        Marked("isa@example.org", "field", "fill", key="email"),
        Marked("isa@example.org", "email", "fill", key="email"),
        Marked("Bergen", "field", "open", key="city"),
        Marked("a sloop", "field", "open", key="dream"),
        Marked("To the bank", "item", "open", item=7),
        Marked("Isabel", "name", "fill", item=7),
        Marked("isa@example.org", "email", "shape", item=7),
    )


def test_the_stricter_one_of_a_field_and_its_identifier_holds() -> None:
    private = PrivateContext(
        replace(ISABEL, fields=(("email", "isa@example.org"), ("reach", "by isa@example.org")))
    )
    own = Disclosure(identifiers=(("email", "off"),), fields=(("reach", "shape"),))
    assert levels(private, own, "field") == [("isa@example.org", "off"), ("by isa@example.org", "shape")]
    assert levels(private, own, "email") == [("isa@example.org", "off")] * 2
    own = Disclosure(identifiers=(("email", "open"),), fields=(("reach", "shape"),))
    assert levels(private, own, "field") == [("isa@example.org", "open"), ("by isa@example.org", "shape")]
    assert levels(private, own, "email") == [("isa@example.org", "open"), ("isa@example.org", "shape")]


def test_an_item_has_its_own_level_and_so_has_what_stands_in_it() -> None:
    hidden = wrote("Ask isa@example.org.", number=3, disclosure="off")
    private = PrivateContext(None, (hidden, LETTER))
    assert levels(private, Disclosure(), "item") == [("Ask isa@example.org.", "off"), ("To the bank", "open")]
    assert levels(private, Disclosure(), "email") == [
        ("isa@example.org", "off"),
        ("isa@example.org", "shape"),
    ]


def test_titles_and_requests_are_searched_too() -> None:
    letter = wrote(
        "Call c@example.org.", title="To a@example.org", request="Write to b@example.org, as ever."
    )
    private = PrivateContext(None, (letter, wrote("Nobody.", title="To a@example.org", number=2)))
    found = [(one.text, one.item) for one in marked(private, Disclosure()) if one.what == "email"]
    assert found == [
        (f"{name}@example.org", number) for name, number in zip("abca", (1, 1, 1, 2), strict=True)
    ]


def test_an_address_with_a_name_that_is_off_is_off() -> None:
    private = PrivateContext(ISABEL, (wrote("Write to isabel@example.org."),))
    own = Disclosure(identifiers=(("name", "off"), ("email", "open")))
    assert ("isabel@example.org", "off") in levels(private, own, "email")
    assert levels(private, own, "name") == [("Isabel Moreno", "off")]


def test_a_telephone_number_is_known_by_the_country_of_another() -> None:
    person = Profile("someone", "Jo Berg", (("phone", "+47 22 85 50 50"),))
    found = marked(PrivateContext(person, (wrote("Ring 22 85 50 51 at noon."),)), Disclosure())
    assert Marked("22 85 50 51", "phone", "shape", item=1) in found


@pytest.mark.parametrize(
    ("hit", "shown"),
    [
        (wrote("Long ago.\n\nAnd far away."), "Long ago. And far away."),
        (wrote("Long ago.", title="  "), "Long ago."),
        (wrote("Long ago.", title="A tale", request="Tell me a tale."), "A tale"),
        (wrote("tale " * 100), f"{'tale ' * 12}".strip()[:59] + "…"),
        (wrote("話" * 100), "話" * 59 + "…"),
    ],
)
def test_of_an_item_the_title_is_shown_else_the_beginning(hit: Hit, shown: str) -> None:
    ((text, _),) = levels(PrivateContext(None, (hit,)), Disclosure(), "item")
    assert text == shown
    assert len(text) <= BEGINNING


def test_of_nobody_nothing_is_marked() -> None:
    assert marked(PrivateContext(), Disclosure("off")) == ()
    assert marked(PrivateContext(Profile("someone", "")), Disclosure()) == ()


@given(PEOPLE, st.sampled_from(LEVELS))
def test_no_private_text_is_in_a_repr(private: PrivateContext, least: Level) -> None:
    for one in marked(private, Disclosure(least)):
        assert repr(one) == f"Marked({one.what}, {one.level}, {len(one.text)} characters)"
