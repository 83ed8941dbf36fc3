"""The stop scanner gives the same text however it comes in pieces, and never a part of a stop string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokenization.stop_strings import StopScanner

# A small alphabet, so that stop strings occur, overlap themselves and each other, and almost occur.
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=4)
PIECES = st.lists(st.text("abc", max_size=5), max_size=12)


def scan(stops: list[str], pieces: list[str]) -> tuple[list[str], bool]:
    """What each push and the final flush let out, and whether a stop string was found."""
    scanner = StopScanner(stops)
    out = []
    for piece in pieces:
        out.append(scanner.push(piece))
        if scanner.stopped:
            break
    return [*out, scanner.flush()], scanner.stopped


def first_completed(stops: list[str], text: str) -> str | None:
    """The text before the stop string that is complete first, as a token-by-token decoder finds it."""
    for end in range(len(text) + 1):
        found = [at for stop in stops if (at := text[:end].find(stop)) >= 0]
        if found:
            return text[: min(found)]
    return None


@given(STOPS, st.text("abc", max_size=40))
def test_the_reply_ends_before_the_stop_string_that_is_complete_first(stops: list[str], text: str) -> None:
    out, stopped = scan(stops, list(text))
    expected = first_completed(stops, text)
    assert stopped == (expected is not None)
    assert "".join(out) == (text if expected is None else expected)


@given(STOPS, PIECES)
def test_nothing_is_lost_without_a_stop_string_and_nothing_of_one_gets_out(
    stops: list[str], pieces: list[str]
) -> None:
    text = "".join(pieces)
    out, stopped = scan(stops, pieces)
    released = "".join(out)
    assert text.startswith(released)
    assert not any(stop in released for stop in stops)
    assert stopped == any(stop in text for stop in stops)
    if not stopped:
        assert released == text


@given(STOPS, PIECES)
def test_only_what_may_become_a_stop_string_is_held_back(stops: list[str], pieces: list[str]) -> None:
    scanner = StopScanner(stops)
    released = text = ""
    for piece in pieces:
        released += scanner.push(piece)
        text += piece
        if scanner.stopped:
            return
        held = text[len(released) :]
        assert not held or any(stop.startswith(held) for stop in stops)


def test_without_stop_strings_all_text_passes_at_once() -> None:
    scanner = StopScanner([])
    assert [scanner.push("a"), scanner.push(""), scanner.push("b"), scanner.flush()] == ["a", "", "b", ""]


@pytest.mark.parametrize(
    ("stops", "pieces", "out"),
    [
        (["END"], ["x E", "N", "D y"], ["x ", "", "", ""]),
        (["END"], ["x E", "N", "E"], ["x ", "", "EN", "E"]),
        (["aab"], ["a", "a", "a", "b"], ["", "", "a", "", ""]),
        (["b", "abc"], ["ab"], ["a", ""]),
        (["\n\n"], ["one\n", "two"], ["one", "\ntwo", ""]),
    ],
)
def test_what_each_piece_lets_out(stops: list[str], pieces: list[str], out: list[str]) -> None:
    assert scan(stops, pieces)[0] == out
