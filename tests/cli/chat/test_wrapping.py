"""Lines are broken between words while a text arrives, whatever the pieces that it comes in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.cli.chat.wrapping import Wrapper


def wrapped(pieces: list[str], width: int) -> str:
    wrapper = Wrapper(lambda: width)
    shown = [text for piece in pieces for text, _ in wrapper.push(piece)]
    return "".join([*shown, *(text for text, _ in wrapper.flush())])


def test_a_word_that_has_no_room_goes_to_the_next_line() -> None:
    assert wrapped(["one two ", "thr", "ee four"], 10) == "one two\nthree four"


def test_a_word_is_held_until_it_has_ended() -> None:
    wrapper = Wrapper(lambda: 20)
    assert list(wrapper.push("some")) == []
    assert list(wrapper.push("thing ")) == [("something", "")]
    assert list(wrapper.push("x")) == []
    assert list(wrapper.flush()) == [(" ", ""), ("x", "")]


def test_each_part_of_a_word_keeps_its_style() -> None:
    wrapper = Wrapper(lambda: 20)
    list(wrapper.push("a fog", "bold"))
    assert list(wrapper.push("horn ", "")) == [(" ", ""), ("fog", "bold"), ("horn", "")]


def test_a_list_and_its_indentation_stay() -> None:
    assert wrapped(["- one\n", "  - two\n", "\n", "```\n", "    x = 1\n"], 20) == (
        "- one\n  - two\n\n```\n    x = 1\n"
    )


def test_characters_of_two_columns_break_anywhere() -> None:
    assert wrapped(["東京東京東"], 8) == "東京東京\n東"


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=60)


@given(WORDS, st.integers(1, 30), st.lists(st.integers(0, 60), max_size=5))
def test_nothing_but_white_space_is_lost_and_pieces_do_not_matter(
    text: str, width: int, cuts: list[int]
) -> None:
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[first:last] for first, last in pairwise(places)]
    shown = wrapped(pieces, width)
    assert shown == wrapped([text], width)
    assert "".join(shown.split()) == "".join(text.split())


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=9), max_size=20), st.integers(9, 30))
def test_no_line_is_wider_than_the_terminal(words: list[str], width: int) -> None:
    assert all(cell_len(line) <= width for line in wrapped([" ".join(words)], width).split("\n"))
