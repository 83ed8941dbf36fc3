"""The words that are explained, and their tables."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.chat.reply import Piece
from app.cli.chat.why import PAIRS, chosen, explained, heading, percent

LOCAL = [{"with": 0.41, "without": 0.0002}]


def piece(text: str, *, pairs: int = 1, **fields: Any) -> Piece:
    """A piece of one token, which the remote had drafted otherwise."""
    mine = {"id": 2, "token": text, "remote_prob": 0.4, "steered_prob": 0.9, "held": False}
    others = {"id": 1, "token": "other", "remote_prob": 0.6, "steered_prob": 0.1, "held": True}
    candidates = [{**mine, "local_probs": LOCAL * pairs}, {**others, "local_probs": None}]
    token = {"drafted": "other", "drafted_id": 1, "chosen": text, "chosen_id": 2, "candidates": candidates}
    return Piece(text, [{**token, "remote_prob": 0.4, "steered_prob": 0.9, **fields}])


REPLY = [piece(text) for text in ("The", " fog", "horn", " and", " the", " fog", ".")]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("2", [" fog", "."]),
        ("", ["horn", " and", " the", " fog", "."]),
        ("foghorn", [" fog", "horn"]),
        ("FOG", [" fog"]),
        ("0", []),
        ("zebra", []),
        ("99", [one.text for one in REPLY]),
        ("9" * 5_000, [one.text for one in REPLY]),
    ],
)
def test_the_last_words_or_one_of_the_reply_are_explained(wanted: str, found: list[str]) -> None:
    assert [one.text for one in chosen(REPLY, wanted)] == found


def test_a_word_is_the_last_one_of_its_kind() -> None:
    assert chosen(REPLY, "fog")[0] is REPLY[5]


def test_what_the_remote_wrote_by_itself_is_not_explained() -> None:
    assert chosen([Piece("relayed")], "") == chosen([Piece("relayed")], "relayed") == []


def shown(one: Piece, width: int) -> list[str]:
    return ["".join(text for text, _ in line) for line in explained(one, width)]


def test_a_table_has_every_probability_of_every_candidate() -> None:
    head, columns, mine, other = shown(piece("horn"), 60)
    assert head == '"horn"  the remote wrote "other"'
    assert columns.split() == ["remote", "with", "without", "final"]
    assert mine.split() == [">", '"horn"', "40.0", "%", "41.0", "%", "<0.1", "%", "90.0", "%"]
    assert other.split() == ['"other"', "(held)", "60.0", "%", "-", "-", "10.0", "%"]


@pytest.mark.parametrize("pairs", [1, 2])
@pytest.mark.parametrize("width", [60, 120])
def test_a_table_fits_the_terminal(pairs: int, width: int) -> None:
    one = piece("a word that is longer than any column of any table has room for", pairs=pairs)
    assert max(map(len, shown(one, width)[1:])) <= width
    assert heading([one]).endswith(PAIRS) == (pairs == 2)


def test_what_was_held_back_or_written_in_is_said() -> None:
    assert "held back here" in shown(piece("horn", held_back=True), 60)[0]
    token = REPLY[0].tokens[0]
    (line,) = shown(Piece("Anna", [{**token, "chosen": "[Name]", "filled": True}]), 60)
    assert line == '"Anna"  written in on this device, in the place of "[Name]"'


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.0 %"), (0.0, "0.0 %"), (1e-5, "<0.1 %"), (None, "-"), (0.123, "12.3 %")]
)
def test_a_probability_is_written_as_a_percentage(share: float | None, text: str) -> None:
    assert percent(share).strip() == text
