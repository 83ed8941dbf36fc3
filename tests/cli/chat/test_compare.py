"""Two replies beside one another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.cli.chat.compare import BETWEEN, lines, side_by_side
from app.cli.chat.reply import Piece, Reply

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Mn", "Zl", "Zp")), max_size=80)


def shown(steered: str, alone: str, width: int) -> list[str]:
    first, second = (Reply(1, [Piece(text)]) for text in (steered, alone))
    return ["".join(text for text, _ in line).rstrip() for line in side_by_side(first, second, width)]


def test_both_columns_begin_where_their_heads_do() -> None:
    assert shown("one two\nthree", "four", 24) == [
        "Steered       The remote alone",
        "one two       four",
        "three",
    ]


def test_the_shorter_one_leaves_its_column_empty() -> None:
    assert shown("one", "two\n\nthree", 24)[1:] == ["one           two", "", f"{'':14}three"]


@given(TEXTS, TEXTS, st.integers(30, 140))
def test_the_right_column_is_where_it_is_and_none_is_too_wide(left: str, right: str, width: int) -> None:
    size = (width - BETWEEN) // 2
    first, second = (Reply(1, [Piece(text)]) for text in (left, right))
    for line in list(side_by_side(first, second, width))[1:]:
        assert sum(cell_len(text) for text, _ in line) <= width
    for text in (left, right):
        found = lines([Piece(text)], size)
        assert all(sum(cell_len(part) for part, _ in line) <= size for line in found)
        assert "".join("".join(part for line in found for part, _ in line).split()) == "".join(text.split())
