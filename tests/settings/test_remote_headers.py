"""Further headers to the remote are read as they are written, whatever their values hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings.remote_headers import TAKEN, read_headers

NAMES = st.text(st.sampled_from("aZ9-_.!~"), min_size=1).filter(lambda name: name.lower() not in TAKEN)
VALUES = st.text(st.sampled_from("aZ9 ,;:=\"'{}[]\\#$%"), min_size=1).filter(str.strip)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4).filter(
    lambda some: len(set(map(str.lower, some))) == len(some)
)


@given(HEADERS, st.booleans())
def test_any_values_are_read_from_lines_and_from_json(some: dict[str, str], as_json: bool) -> None:
    lines = "".join(f" {name} :{value}\n\n" for name, value in some.items())
    read = read_headers(json.dumps(some) if as_json else lines)
    assert read == {name: value.strip() for name, value in some.items()}


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_what_the_proxy_writes_itself_is_refused_in_any_case(name: str) -> None:
    for written in (f"{name}: one", json.dumps({name.upper(): "one"})):
        with pytest.raises(ValueError, match=f"cannot have {name}"):
            read_headers(written)


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_no_character_but_a_line_end_ends_a_header(end: str) -> None:
    with pytest.raises(ValueError, match="entry 1 is not"):
        read_headers(f"X-One: a{end}X-Two: b")
    assert read_headers("X-One: a\r\nX-Two: b") == read_headers("X-One: a\nX-Two: b")
