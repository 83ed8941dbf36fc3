"""Identifiers are found wherever they stand, and in time linear in the text's length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.identifiers import Found, alone, identifiers, level_of, regions, spellings
from app.profiles.disclosure import Disclosure, Identifier, Level
from disclosure.people import ANY, NAMES, TEXTS

EXAMPLES: list[tuple[Identifier, str]] = [
    ("email", "anna.ek+news@mail.example.co.uk"),
    ("email", "åsa@bücher.example"),
    ("email", "anna@office.local"),
    ("url", "https://www.example.com/anna?x=1"),
    ("url", "www.example.museum/anna"),
    ("url", "example.org/~anna"),
    ("phone", "+47 22 85 50 50"),
    ("phone", "0047 22855050"),
    ("phone", "+1 (555) 010-4477"),
    ("phone", "(555) 010-4477"),
    ("phone", "555-010-4477"),
    ("number", "DE89 3704 0044 0532 0130 00"),
    ("number", "GB82WEST12345698765432"),
    ("number", "4111 1111 1111 1111"),
    ("address", "12 Main Street"),
    ("address", "221b Baker Street, London NW1 6XE"),
    ("address", "12 Old Mill Road, Springfield, IL 62704"),
    ("address", "Elmstraße 12"),
    ("address", "Storgata 12, 0315 Oslo"),
    ("address", "12, rue de la Paix, 75002 Paris"),
    ("address", "Calle Mayor 12"),
    ("address", "ул. Ленина, д. 5"),
]


def read(text: str, found: list[Found]) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in found]


@pytest.mark.parametrize(("kind", "value"), EXAMPLES)
@pytest.mark.parametrize("around", ["{}", "Write to {}, or not.", "({})", "a\n{}\nb"])
def test_an_identifier_is_found_in_a_text(kind: Identifier, value: str, around: str) -> None:
    text = around.format(value)
    assert read(text, identifiers(text)) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "It is 3 steps along the way, and step 3: place the cups.",
        "On 2026-01-31 at 10:30 we sold 1,234,567 of 12.5 kg.",
        "Node.js runs file.py; see chapter 2.3 of vol. 4, pp. 100-120.",
        "Mention @anna and #5, or a @ b.",
        "The number 4111 1111 1111 1112 has no check digit. Nor has DE00 3704 1044 0532 0130 00.",
    ],
)
def test_what_only_looks_a_little_like_one_is_none(text: str) -> None:
    assert identifiers(text) == []


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("phone", "22 85 50 50, after five", [("phone", "22 85 50 50")]),
        ("Mobile_No", "0171-555 12", [("phone", "0171-555 12")]),
        ("tel", "555 01 23", [("phone", "555 01 23")]),
        ("hotel", "555 01 23", []),
        ("passport number", "N1234567 until 2030", [("number", "N1234567")]),
        ("ssn", "123-45-6789", [("number", "123-45-6789")]),
        ("video", "123-45-6789", []),
        ("address", "  Under the bridge ", [("address", "Under the bridge")]),
        ("e-mail address", "none", []),
    ],
)
def test_a_field_s_key_says_what_its_value_is(key: str, value: str, found: list[tuple[str, str]]) -> None:
    assert read(value, identifiers(value, key=key)) == found


def test_a_number_without_its_country_is_found_where_the_country_is_known() -> None:
    text = "Ring 22 85 50 50 now."
    assert identifiers(text) == []
    known = regions(["me: +47 22 85 50 51", "+10000000"])
    assert known == ("NO",)
    assert read(text, identifiers(text, regions=known)) == [("phone", "22 85 50 50")]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Dr. Anna Ek", "I, ANNA EK, and Dr. Who: anna, Ek's", ["ANNA EK", "anna, Ek"]),
        ("Isabel Moreno-Díaz", "isabel moreno diaz; Morenos", ["isabel moreno diaz"]),
        ("王小明", "我是王小明。王先生, 小明跑, 小人", ["王小明", "王", "小明"]),
        ("Жанна Ёлкина", "жанна елкина", ["жанна елкина"]),
        ("Will Day", "Will they will it, Day by day?", ["Will", "Day", "day"]),
        ("", "Anna", []),
    ],
)
def test_a_name_is_found_in_any_case_and_accent(name: str, text: str, found: list[str]) -> None:
    assert read(text, identifiers(text, name=name)) == [("name", one) for one in found]


@given(TEXTS | ANY, NAMES | ANY, st.sampled_from(["", "phone", "id", "address", "dream"]), st.booleans())
def test_what_is_found_lies_in_the_text_in_order_and_apart(
    text: str, name: str, key: str, known: bool
) -> None:
    found = identifiers(text, key=key, name=name, regions=("US", "NO") if known else ())
    places = [place for one in found for place in (one.start, one.end)]
    assert places == sorted(places)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    for one in found:
        alone(text, one)
        spellings(text[one.start : one.end], one.kind, ("NO",))


@given(st.sampled_from(EXAMPLES), st.text(max_size=20), st.text(max_size=20))
def test_nothing_around_hides_an_address_of_mail(example: tuple[str, str], before: str, behind: str) -> None:
    """Nor anything else, as long as it is a word of its own."""
    kind, value = example
    text = f"{before}\n{value}\n{behind}"
    start = len(before) + 1
    found = identifiers(text)
    assert any(one.start <= start and start + len(value) <= one.end for one in found), kind


def test_a_number_is_said_in_several_ways() -> None:
    assert set(spellings("+47 22 85 50 50", "phone")) == {
        ("47", "22", "85", "50", "50"),
        ("4722855050",),
        ("22", "85", "50", "50"),
        ("22855050",),
    }
    assert spellings("https://www.example.org/anna", "url") == [("example", "org", "anna")]


def test_what_is_found_does_not_print() -> None:
    assert "anna" not in repr(identifiers("anna@example.org"))


HOSTILE = ["1", "\u0301", "a", "a@", "a-", "12 A ", "+1 ", "+1234567 ", "DE89 A ", "1 ", "a.b.", "王", "00 "]
HOSTILE += ["+47 22 85 50 50 ", "12, rue de ", "http://", "A1", "Via A ", ".", "°", "www.", "555-", "(555) 0"]


@pytest.mark.parametrize("part", HOSTILE)
def test_long_texts_take_linear_time(part: str) -> None:
    text = part * (50_000 // len(part))
    start = time.perf_counter()
    identifiers(text, key="phone", name="Anna 王", regions=("US",))
    identifiers(text, key="passport")
    assert time.perf_counter() - start < 40  # seconds at most; with quadratic time it would be hours


@pytest.mark.parametrize(
    ("named", "within", "decided", "level"),
    [
        (False, "open", {}, "shape"),
        (False, "fill", {}, "fill"),
        (False, "open", {"name": "off"}, "shape"),
        (True, "open", {"name": "shape", "email": "open"}, "open"),
        (True, "open", {"name": "off", "email": "open"}, "off"),
        (True, "off", {"name": "open", "email": "open"}, "off"),
    ],
)
def test_with_a_name_that_is_off_what_has_it_is_off(
    *, named: bool, within: Level, decided: dict[Identifier, Level], level: Level
) -> None:
    disclosure = Disclosure(identifiers=tuple(decided.items()))
    assert level_of(Found("email", 0, 9, named), within, disclosure, alone=False) == level
