"""Bytes are UTF-8, or it is said what they are and on which line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.plain_text import NotUtf8, decoded, unified


@given(st.text(st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_utf_8_is_read_as_it_is(text: str) -> None:
    assert decoded(text.encode()) == decoded(text.encode("utf-8-sig")) == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(encoding: str) -> None:
    with pytest.raises(NotUtf8, match="but UTF-32" if encoding == "utf-32" else "but UTF-16"):
        decoded("A letter.\nTwo lines.".encode(encoding))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_that_is_no_utf_8_is_named_by_its_line(line_end: bytes) -> None:
    with pytest.raises(NotUtf8, match=r"not UTF-8 text$") as caught:
        decoded(line_end.join([b"one", b"two", b"caf\xe9", b"four"]))
    assert caught.value.line == 3


@pytest.mark.parametrize("data", [b"", b"a", b"\0\0\0\0", b"a\nb\nc\0d"])
def test_a_nul_alone_makes_no_other_encoding(data: bytes) -> None:
    assert decoded(data) == data.decode()


def test_line_ends_of_all_systems_are_line_feeds() -> None:
    assert unified("a\r\nb\rc\nd\r\r\n\n") == "a\nb\nc\nd\n\n\n"
    assert unified("a\u2028b\x0bc\x85") == "a\u2028b\x0bc\x85"
