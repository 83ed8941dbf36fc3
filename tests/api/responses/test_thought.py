"""Whatever the pieces, what was thought and what is said are the same, and no character is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.responses.thought import Thought

PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "/thi", "nk>", "think>", "a", " ", "\n", "</"])
)


def split(pieces: list[str], **given: Any) -> tuple[str, str]:
    """What was thought, and what is said."""
    thought = Thought(**given)
    segments = [one for piece in pieces for one in thought.push(piece)] + thought.flush()
    return "".join(text for inside, text in segments if inside), "".join(
        t for inside, t in segments if not inside
    )


@given(PIECES, st.booleans())
def test_the_cuts_between_pieces_make_no_difference(pieces: list[str], inside: bool) -> None:
    assert split(pieces, marked=True, inside=inside) == split(["".join(pieces)], marked=True, inside=inside)


@given(PIECES, st.booleans())
def test_without_markers_everything_is_said(pieces: list[str], inside: bool) -> None:
    assert split(pieces, marked=False, inside=inside) == ("", "".join(pieces))


@pytest.mark.parametrize(
    ("text", "inside", "expected"),
    [
        ("<think>a</think>b", False, ("a", "b")),
        ("\n<think>a</think>b", False, ("a", "b")),
        ("a</think>b", True, ("a", "b")),
        ("a</think>b</think>", True, ("a", "b</think>")),
        ("a <think>b</think>", False, ("", "a <think>b</think>")),
        ("a</thin", True, ("a</thin", "")),
        ("  <th", False, ("", "  <th")),
    ],
)
def test_markers_count_at_the_beginning_only(text: str, inside: bool, expected: tuple[str, str]) -> None:
    assert split([text], marked=True, inside=inside) == expected
