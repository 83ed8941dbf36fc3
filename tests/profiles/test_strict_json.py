"""JSON is read as it was meant, or refused with the place of the mistake."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.strict_json import JsonMistake, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_json_can_say_is_read_back(value: object) -> None:
    assert loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 1}', "the same key twice in one object"),
        ('[{"b": {"a": 1, "a": 2}}]', "the same key twice in one object"),
        ("[NaN]", "NaN and Infinity are no JSON"),
        ("-Infinity", "NaN and Infinity are no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number with thousands of digits"),
    ],
)
def test_what_json_s_own_reader_lets_pass_is_refused(text: str, reason: str) -> None:
    with pytest.raises(JsonMistake) as caught:
        loads(text)
    assert caught.value.reason == reason
    assert caught.value.line is None


def test_a_mistake_has_its_line_and_column() -> None:
    with pytest.raises(JsonMistake) as caught:
        loads('{"a": 1,\n "b": oops}')
    assert (caught.value.line, caught.value.column) == (2, 7)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 101 + "]" * 101, "nested too deeply"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested too deeply"),
        ("[1e999]", "a number that is too large"),
        ("-1e999999999", "a number that is too large"),
        ("[1" + "0" * 400 + ".0]", "a number that is too large"),
        (
            "{" + ",".join(f'"{number}":1' for number in range(300_001)) + "}",
            "more than 300,000 keys in one object",
        ),
    ],
    ids=range(6),
)
def test_what_would_harm_whoever_uses_the_value_is_refused(text: str, reason: str) -> None:
    with pytest.raises(JsonMistake) as caught:
        loads(text)
    assert caught.value.reason == reason


def test_brackets_in_strings_are_not_depth() -> None:
    text = "[" * 5000 + '"\\'
    assert loads(json.dumps([text, {text: text}] * 200)) == [text, {text: text}] * 200
    assert loads("[" * 100 + "]" * 100) is not None


def test_values_are_counted_where_they_are_bounded() -> None:
    assert loads("[1, 2, 3]", 4) == [1, 2, 3]
    assert loads('["a,b,c,d,e"]', 4) == ["a,b,c,d,e"]
    with pytest.raises(JsonMistake, match="more than 4 values"):
        loads("[1, 2, 3, 4]", 4)
