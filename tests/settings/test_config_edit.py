"""One setting of config.toml changes, and nothing else of its text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.settings.config_edit import Value, with_setting, without_setting

PATH = Path("config.toml")
TEXT = '# mine\n\nport   = 81   # a remark\nhost="h" # another\n\n# the end\nany_model = true'
NAMES = st.sampled_from(["port", "host", "any_model", "strength", "remote_model"])
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\r")),
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_what_is_set_is_read_again_and_the_rest_is_as_it_was(changes: list[tuple[str, Value]]) -> None:
    text, expected = TEXT, tomllib.loads(TEXT)
    for name, value in changes:
        text = with_setting(text, PATH, name, value)
        expected[name] = value
    assert tomllib.loads(text) == expected
    for remark in ("# mine", "# a remark", "# another", "# the end"):
        assert remark in text


@given(NAMES.filter(lambda name: name not in TEXT), VALUES)
def test_taking_out_undoes_setting(name: str, value: Value) -> None:
    text = f"{TEXT}\n"
    assert without_setting(with_setting(text, PATH, name, value), PATH, name) == text


def test_a_value_changes_in_its_line() -> None:
    assert with_setting(TEXT, PATH, "port", 82) == TEXT.replace("81", "82")
    assert with_setting("", PATH, "port", 82) == "port = 82\n"
    assert with_setting("host='a'", PATH, "port", 82) == "host='a'\nport = 82\n"


def test_what_cannot_be_changed_is_said() -> None:
    with pytest.raises(InvalidRequest, match="does not have strength"):
        without_setting(TEXT, PATH, "strength")
    with pytest.raises(InvalidRequest, match=r"has a \[table\]"):
        with_setting("[a]\nb = 1\n", PATH, "port", 1)
