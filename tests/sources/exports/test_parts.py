"""Parts of a file are told apart, whatever they are called."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from app.sources.exports.parts import Parts


@given(st.lists(st.text(max_size=3) | st.sampled_from(["a", "a#2", "a#2#2", "a#3", "x" * 1000]), max_size=20))
def test_every_part_is_unique_and_the_same_again(names: list[str]) -> None:
    first, second = Parts(Path("a")), Parts(Path("a"))
    given_names = [first.unique(name) for name in names]
    assert given_names == [second.unique(name) for name in names]
    assert len(set(given_names)) == len(names)
    assert all(0 < len(name) <= 120 for name in given_names)
