"""The edit distance, by its laws and against the textbook's table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.speed.edits import edit_distance, share_changed

TOKENS = st.lists(st.integers(0, 3), max_size=12)


def textbook(one: list[int], other: list[int]) -> int:
    row = list(range(len(other) + 1))
    for count, token in enumerate(one, 1):
        above, row = row, [count]
        for place, theirs in enumerate(other):
            row.append(min(above[place + 1] + 1, row[place] + 1, above[place] + (token != theirs)))
    return row[-1]


@given(TOKENS, TOKENS)
def test_it_is_the_textbook_s(one: list[int], other: list[int]) -> None:
    assert edit_distance(one, other) == textbook(one, other)


def test_a_token_dropped_early_counts_once_and_not_for_all_that_follow() -> None:
    text = list(range(100))
    assert edit_distance(text, text[1:]) == 1
    assert share_changed(text, text[1:]) == 0.01


@given(TOKENS, TOKENS)
def test_the_share_is_none_for_the_same_text_and_all_for_another(one: list[int], other: list[int]) -> None:
    assert share_changed(one, one) == 0
    assert 0 <= share_changed(one, other) == share_changed(other, one) <= 1
    assert share_changed([9] * 5, one) == 1
