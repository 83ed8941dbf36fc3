"""JSON is read as it was meant, or refused with the place of the mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.strict_json import JsonMistake, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_json_can_say_is_read_back(value: object) -> None:
    import json

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
