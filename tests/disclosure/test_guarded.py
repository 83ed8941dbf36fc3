"""What is guarded: what is private, by its level, and nothing that the conversation says already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.guarded import Guarded, guarded
from app.disclosure.names import capitalised_names, name_parts
from app.disclosure.words import content, words
from app.profiles.disclosure import IDENTIFIERS, Disclosure, Level
from app.profiles.profile import Preference, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from disclosure.people import ANY, DISCLOSURES, ISABEL, MESSAGES, NAMES, PEOPLE, TEXTS, wrote

# All that can be open is: no kind of identifier is guarded.
OPEN = Disclosure(identifiers=tuple((kind, "open") for kind in IDENTIFIERS))


def everywhere(found: Guarded) -> set[str]:
    return set(found.words.get((), ()))


def runs(found: Guarded) -> set[tuple[str, ...]]:
    return {(*before, word) for before, after in found.words.items() for word in after}


def person(*fields: tuple[str, str], name: str = "Isabel Moreno") -> PrivateContext:
    return PrivateContext(Profile("someone", name, fields))


def texts(found: Guarded) -> dict[str, str]:
    return {one.text: one.value for one in found.placeholders}


# Laws


@given(PEOPLE, MESSAGES, DISCLOSURES)
def test_what_the_conversation_says_is_free(
    private: PrivateContext, messages: list[Message], disclosure: Disclosure
) -> None:
    guard = runs(guarded(private, messages, disclosure))
    for one in messages:
        run = words(one.content)
        public = {tuple(run[i : i + size]) for size in range(1, 6) for i in range(len(run) - size + 1)}
        # A word of the name may be another word as well: it is freed where it is a name.
        name = {(word,) for word in words(private.profile.name)} if private.profile is not None else set()
        assert not guard & public - name


@given(PEOPLE, MESSAGES, DISCLOSURES)
def test_the_conversation_frees_what_it_says_and_nothing_else(
    private: PrivateContext, messages: list[Message], disclosure: Disclosure
) -> None:
    before, after = guarded(private, [], disclosure), guarded(private, messages, disclosure)
    public = {tuple(words(one.content)) for one in messages}
    assert runs(after) <= runs(before)
    for run in runs(before) - runs(after):
        assert any(run == said[i : i + len(run)] for said in public for i in range(len(said)))
    assert after.placeholders == before.placeholders


@given(PEOPLE, MESSAGES, DISCLOSURES)
def test_a_fill_begins_a_guarded_value_and_is_one_of_the_placeholders(
    private: PrivateContext, messages: list[Message], disclosure: Disclosure
) -> None:
    found = guarded(private, messages, disclosure)
    assert found.fills.keys() <= everywhere(found)
    assert set(found.fills.values()) <= set(found.placeholders)
    for word, placeholder in found.fills.items():
        spelled = "".join(words(placeholder.value))
        # A number may be said as one word, with its country or without.
        assert words(placeholder.value)[0] == word or word in spelled or word.isdigit()


@given(PEOPLE, DISCLOSURES)
def test_no_two_placeholders_have_one_text(private: PrivateContext, disclosure: Disclosure) -> None:
    found = guarded(private, [], disclosure).placeholders
    assert len({one.text.casefold() for one in found}) == len(found)
    assert all(one.text[0] == "[" and one.text[-1] == "]" for one in found)


@given(PEOPLE, MESSAGES, DISCLOSURES, st.sampled_from(["shape", "fill", "off"]))
def test_what_is_stricter_guards_no_less(
    private: PrivateContext, messages: list[Message], disclosure: Disclosure, level: Level
) -> None:
    less, more = (guarded(private, messages, one) for one in (disclosure, disclosure.at_least(level)))
    assert runs(less) <= runs(more)


@given(PEOPLE, DISCLOSURES, st.randoms())
def test_the_order_of_what_is_private_does_not_matter(
    private: PrivateContext, disclosure: Disclosure, chance: st.DataObject
) -> None:
    def shuffled(parts: tuple[object, ...]) -> tuple[object, ...]:
        order = list(parts)
        chance.shuffle(order)  # type: ignore[attr-defined]
        return tuple(order)

    profile = private.profile
    other = PrivateContext(
        replace(profile, fields=shuffled(profile.fields)) if profile is not None else None,  # type: ignore[arg-type]
        shuffled(private.history),  # type: ignore[arg-type]
        shuffled(private.preferences),  # type: ignore[arg-type]
    )
    one, two = (runs(guarded(each, [], disclosure)) for each in (private, other))
    assert one == two


@given(PEOPLE)
def test_with_all_at_shape_every_word_of_content_is_guarded(private: PrivateContext) -> None:
    guard = everywhere(guarded(private, [], Disclosure(least="shape")))
    values = [value for _, value in private.profile.fields] if private.profile is not None else []
    for text in (
        *values,
        *(hit.passage for hit in private.history),
        *(one.text for one in private.preferences),
    ):
        assert guard >= {word for word in words(text) if content(word) and word.isascii()}


@given(NAMES, TEXTS)
def test_a_name_is_guarded_however_it_is_written(name: str, value: str) -> None:
    guards = [
        runs(guarded(person(("dream", value), name=each), [], Disclosure())) for each in (name, name.upper())
    ]
    assert guards[0] == guards[1]
    assert {(word,) for word in words(name_parts(name)[0])[:1]} <= guards[0]


@given(PEOPLE, ANY)
def test_nothing_private_is_left_to_guard_where_all_is_open(private: PrivateContext, name: str) -> None:
    """But for runs of five words, which are quotations."""
    items = tuple(
        replace(hit, stored=replace(hit.stored, item=replace(hit.stored.item, disclosure="open")))
        for hit in private.history
    )
    guard = runs(guarded(replace(private, history=items), [], OPEN))
    assert {len(run) for run in guard} <= {5}


# By level and kind


def test_by_default_names_are_filled_and_what_stands_alone_too() -> None:
    found = guarded(PrivateContext(ISABEL), [], Disclosure())
    assert everywhere(found) == {"isabel", "moreno", "isa"}
    assert {word: one.text for word, one in found.fills.items()} == {
        "isabel": "[Your first name]",
        "moreno": "[Your last name]",
        "isa": "[Your email address]",
    }
    assert texts(found) == {
        "[Your first name]": "Isabel",
        "[Your last name]": "Moreno",
        "[Your name]": "Isabel Moreno",
        "[Your full name]": "Isabel Moreno",
        "[Your employer]": "The Old Mill",
        "[Your email address]": "isa@example.org",
        "[Your email]": "isa@example.org",
        "[Your city]": "Bergen",
    }
    assert {("isa", "example"), ("isa", "example", "org")} <= runs(found)


def test_a_field_is_guarded_by_its_words_of_content() -> None:
    private = person(("dream", "a sloop of my own"))
    found = guarded(private, [Message("user", "My own boat?")], Disclosure(fields=(("dream", "shape"),)))
    assert "sloop" in everywhere(found)
    assert not {"a", "of", "my", "own"} & everywhere(found)
    assert "[Detail 1]" not in texts(found)


@pytest.mark.parametrize(("value", "guard"), [("3", {"3"}), ("she/her", {"she"}), ("x", {"x"})])
def test_a_field_that_says_little_is_guarded_all_the_same(value: str, guard: set[str]) -> None:
    found = guarded(person(("dream", value), name=""), [], Disclosure(fields=(("dream", "shape"),)))
    assert everywhere(found) == guard


def test_a_field_to_fill_has_a_placeholder_that_tells_nothing() -> None:
    private = person(("dream", "Sloop Maria"), ("city", "Bergen"), ("secret", "moss"), name="")
    fields: tuple[tuple[str, Level], ...] = (("dream", "fill"), ("city", "fill"), ("secret", "fill"))
    found = guarded(private, [], Disclosure(fields=fields))
    assert texts(found) == {"[Detail 1]": "Sloop Maria", "[Your city]": "Bergen", "[Detail 2]": "moss"}
    assert {word: one.text for word, one in found.fills.items()} == {
        "sloop": "[Detail 1]",
        "bergen": "[Your city]",
        "moss": "[Detail 2]",
    }


def test_a_value_that_begins_with_what_says_nothing_is_filled_from_there_on() -> None:
    private = person(("employer", "The Old Mill"), ("address", "12 Main Street"), name="Conor O'Brien")
    found = guarded(private, [], Disclosure(fields=(("employer", "fill"),)))
    assert {word: (one.text, one.value) for word, one in found.fills.items()} == {
        "conor": ("[Your first name]", "Conor"),
        "brien": ("[Rest of your last name]", "Brien"),
        "old": ("[Rest of your employer]", "Old Mill"),
        "main": ("[Rest of your address]", "Main Street"),
    }
    assert texts(found)["[Your address]"] == "12 Main Street"


def test_a_long_field_to_fill_is_guarded_and_has_no_placeholder() -> None:
    private = person(("dream", "to sail a sloop from Bergen to Rome"), name="")
    found = guarded(private, [], Disclosure(fields=(("dream", "fill"),)))
    assert {"sail", "sloop", "rome"} <= everywhere(found)
    assert not found.placeholders and not found.fills


def test_a_second_value_of_a_kind_has_a_number() -> None:
    private = person(("email", "isa@example.org"), ("work email", "moreno@example.com"), name="")
    found = texts(guarded(private, [], Disclosure()))
    assert found["[Your email address]"] == "isa@example.org"
    assert found["[Your email address 2]"] == "moreno@example.com"


@pytest.mark.parametrize("level", ["shape", "off"])
def test_a_name_that_is_not_filled_in_has_no_placeholder(level: Level) -> None:
    found = guarded(person(), [], Disclosure(identifiers=(("name", level),)))
    assert everywhere(found) == {"isabel", "moreno"}
    assert not found.placeholders and not found.fills


def test_an_open_name_is_filled_in_where_the_remote_asks_for_it() -> None:
    found = guarded(person(), [], OPEN)
    assert not runs(found) and not found.fills
    assert texts(found)["[Your name]"] == "Isabel Moreno"


@pytest.mark.parametrize(
    ("name", "parts", "guard"),
    [
        ("Dr. Anna Ek, PhD", ["Anna", "Ek"], {"anna", "ek"}),
        ("Ek, Anna", ["Anna", "Ek"], {"anna", "ek"}),
        ("Isabel van der Berg", ["Isabel", "van", "der", "Berg"], {"isabel", "berg"}),
        ("Anne-Marie Li", ["Anne-Marie", "Li"], {"anne", "marie", "li"}),
        ("Жанна Ёлкина", ["Жанна", "Ёлкина"], {"жанна", "елкина"}),
        ("王小明", ["王小明"], {"王"}),
        ("さくら", ["さくら"], {"さ"}),
        ("ed", ["ed"], {"ed"}),
        ("", [], set()),
    ],
)
def test_names_have_parts(name: str, parts: list[str], guard: set[str]) -> None:
    assert name_parts(name) == parts
    assert everywhere(guarded(person(name=name), [], Disclosure())) == guard


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("Isabel Moreno", [("[Your first name]", "Isabel"), ("[Your last name]", "Moreno")]),
        ("Dr. Isabel van der Berg", [("[Your first name]", "Isabel"), ("[Your last name]", "Berg")]),
        ("Isabel", [("[Your first name]", "Isabel")]),
        ("王小明", []),
    ],
)
def test_what_is_turned_back_of_a_name_is_what_is_filled_in_of_it(
    name: str, ends: list[tuple[str, str]]
) -> None:
    found = guarded(person(name=name), [], Disclosure())
    assert [(one.text, one.value) for one in found.turning] == [("[Your name]", name), *ends]
    assert texts(found) == dict([("[Your name]", name), ("[Your full name]", name), *ends])


def test_characters_of_a_name_are_guarded_behind_each_other() -> None:
    assert runs(guarded(person(name="王小明"), [], Disclosure())) == {("王",), ("王", "小"), ("小", "明")}


def test_texts_of_the_history_by_their_level() -> None:
    hit = wrote("We sailed home.", title="Log", request="Where did you go?", disclosure="shape")
    found = guarded(PrivateContext(history=(hit,)), [Message("user", "Tell me of home")], Disclosure())
    assert everywhere(found) == {"sailed", "log"}
    assert not found.placeholders
    assert not runs(guarded(PrivateContext(history=(wrote("We sailed home."),)), [], Disclosure()))


def test_a_word_that_is_written_small_too_is_guarded_within_the_name_alone() -> None:
    hit = wrote("She came from New Bergen York on a new Bergen boat.")
    found = guarded(PrivateContext(history=(hit,)), [], Disclosure())
    assert everywhere(found) == {"bergen", "york"}
    assert ("new", "bergen") in runs(found)


def test_the_level_of_a_short_field_counts_for_names_in_it() -> None:
    private = person(
        ("friend", "Dear Marius Solberg"), ("life", "I live with Marius Solberg in Oslo"), name=""
    )
    assert "marius" in everywhere(guarded(private, [], Disclosure()))
    short = person(("friend", "Dear Marius Solberg"), name="")
    assert not runs(guarded(short, [], Disclosure()))


def test_a_quotation_of_five_words_is_guarded_whatever_the_level() -> None:
    hit = wrote("The boat went out at dawn.")
    found = guarded(PrivateContext(history=(hit,)), [Message("user", "went out at dawn")], OPEN)
    assert runs(found) == {("the", "boat", "went", "out", "at"), ("boat", "went", "out", "at", "dawn")}


def test_identifiers_in_a_text_are_guarded_in_their_order_and_not_filled() -> None:
    hit = wrote("Write to bo@example.org or +47 22 85 50 50.")
    found = guarded(PrivateContext(history=(hit,)), [], Disclosure())
    assert {("bo", "example"), ("47", "22"), ("47", "22", "85", "50", "50"), ("22855050",)} <= runs(found)
    assert not found.fills and not found.placeholders
    filled = guarded(PrivateContext(history=(hit,)), [], Disclosure(identifiers=(("phone", "fill"),)))
    assert {one.text for one in filled.fills.values()} == {"[Your phone number]"}


def test_names_of_others_are_guarded_as_shape() -> None:
    hit = wrote("Then Marius Solberg came from New York.")
    found = guarded(PrivateContext(history=(hit,)), [], Disclosure())
    assert everywhere(found) == {"marius", "solberg", "york", "new"}
    assert {("marius", "solberg"), ("new", "york")} <= runs(found)
    assert not found.fills and not found.placeholders
    public = guarded(
        PrivateContext(history=(hit,)), [Message("user", "Who is Marius Solberg?")], Disclosure()
    )
    assert not {("marius",), ("solberg",), ("marius", "solberg")} & runs(public)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I met Marius Solberg.", [("marius", "solberg")]),
        ("Marius Solberg came. He and Kari went.", []),
        ("Hello Anna Ek", [("anna", "ek")]),
        ("the University of Oslo and the", [("university", "of", "oslo")]),
        ("then I Went, Anna and Bo", []),
        ("с Жанной Ёлкиной", [("жанной", "елкиной")]),
        ("by Ana de la", []),
        ("on Thursday's boat with O'Brien", []),
        ("in Ana O'Brien's house", [("ana", "o", "brien")]),
    ],
)
def test_capitals_tell_names(text: str, names: list[tuple[str, ...]]) -> None:
    assert list(capitalised_names(text)) == names


@pytest.mark.parametrize("level", ["shape", "fill"])
def test_preferences_are_as_strict_as_all_is(level: Level) -> None:
    private = PrivateContext(preferences=(Preference("Mention kelp, or bo@example.org."),))
    assert "kelp" not in everywhere(guarded(private, [], Disclosure()))
    assert ("bo", "example") in runs(guarded(private, [], Disclosure()))
    assert "kelp" in everywhere(guarded(private, [], Disclosure(least=level)))


def test_what_is_guarded_does_not_print() -> None:
    found = guarded(PrivateContext(ISABEL), [], Disclosure())
    printed = repr((found, found.placeholders, found.fills["isa"])).casefold()
    assert "isa" not in printed and "moreno" not in printed
