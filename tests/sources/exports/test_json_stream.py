"""A JSON file is read value by value: what cannot be read is passed over, and memory is bounded."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.exports import json_stream
from app.sources.exports.json_stream import Cut, JsonStream, Unreadable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class Slow(io.BytesIO):
    """Gives one byte at a time, so that every token is cut somewhere."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(1)


def items(data: bytes) -> list[object]:
    """The items of an array; a reason for one that cannot be read, Cut where the file ends to be JSON."""
    found: list[object] = []
    stream = JsonStream(io.BytesIO(data))
    try:
        for _ in stream.items():
            try:
                found.append(stream.value())
            except Unreadable as error:
                found.append(error.reason)
    except Cut:
        found.append(Cut)
    return found


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]))
def test_items_are_what_json_reads(values: list[object], indent: int | None) -> None:
    assert items(json.dumps(values, indent=indent).encode()) == values
    assert items(json.dumps(values, ensure_ascii=False).encode(errors="surrogatepass")) == values


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_entries_are_what_json_reads_wherever_a_chunk_ends(values: dict[str, object]) -> None:
    stream = JsonStream(Slow(json.dumps(values).encode()))
    assert {key: stream.value() for key in stream.entries()} == values


@given(st.lists(VALUES, max_size=5))
def test_what_is_passed_over_is_as_long_as_what_is_read(values: list[object]) -> None:
    stream = JsonStream(io.BytesIO(json.dumps(values).encode()))
    read: list[object] = []
    for number in stream.items():
        if number % 2:
            stream.skip()
        else:
            read.append(stream.value())
    assert read == values[::2]


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    items(b"[" + data)
    items(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"[1, {]}, 2]", [1, "not valid JSON", Cut]),
        (b"[1, -, 2]", [1, "not valid JSON", 2]),
        (b"[1, tru, 2, ]", [1, "not valid JSON", 2]),
        (b'[1, {"a" 3}, 2]', [1, "not valid JSON", 2]),
        (b"[1, " + b"9" * 5000 + b", 2]", [1, "not valid JSON", 2]),
        (b"[1, " + b"[" * 200 + b"]" * 200 + b", 2]", [1, "nested too deeply", 2]),
        (b"[" * 100_000, [Cut]),
        (b'["a\xffb", "\\x1Fc\\\\x1F", "d\ne"]', ["a\ufffdb", "\x1fc\\x1F", "d\ne"]),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'["abc', [Cut]),
        (b"", [Cut]),
        (b"{}", [Cut]),
    ],
)
def test_what_is_no_json_costs_no_more_than_itself(data: bytes, found: list[object]) -> None:
    assert items(data) == found


def test_values_beyond_a_bound_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE", 2**20)
    monkeypatch.setattr(json_stream, "MAX_VALUES", 1000)
    long = json.dumps({"a": ["x" * 2**19] * 3}).encode()
    assert items(b"[1, " + long + b", 2]") == [1, "more than 1 MB", 2]
    assert items(b"[1, [" + b"[]," * 2000 + b"0], 2]") == [1, "more than 1,000 values", 2]
    commas = json.dumps([",[{" * 2000]).encode()
    assert items(b"[1, " + commas + b", 2]") == [1, [",[{" * 2000], 2]


def test_a_quote_that_is_not_closed_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE", 2**20)
    stream = io.BytesIO(b'[1, {"a": "' + b"x" * 2**23)
    assert items(stream.getvalue()) == [1, Cut]
