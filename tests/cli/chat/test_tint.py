"""What each mark of a reply says."""

from __future__ import annotations

import math
from typing import Any

import pytest
from rich.color import Color
from rich.style import Style

from app.cli.chat.reply import Piece
from app.cli.chat.tint import CHANGED, FILLED, HELD_BACK, TINTS, step, style


def token(nats: float = 0.0, **fields: Any) -> dict[str, Any]:
    probabilities = {"remote_prob": 0.2, "steered_prob": 0.2 * math.exp(nats)}
    return {"drafted_id": 1, "chosen_id": 1, "drafted": "a", "chosen": "a", **probabilities, **fields}


@pytest.mark.parametrize(("nats", "expected"), [(-1.0, 0), (0.0, 0), (0.2, 1), (0.6, 2), (1.6, 3)])
def test_the_tint_grows_with_what_steering_added(nats: float, expected: int) -> None:
    piece = Piece("a", [token(nats)])
    assert step(piece) == expected
    assert style(piece) == TINTS[expected]


def test_several_tokens_of_one_character_have_the_strongest_tint() -> None:
    assert step(Piece("é", [token(), token(2.0)])) == 3


def test_another_word_than_the_remote_s_is_underlined_whatever_its_tint() -> None:
    assert style(Piece("b", [token(chosen_id=2)])) == CHANGED
    assert style(Piece("b", [token(2.0, chosen_id=2)])) == f"{TINTS[3]} {CHANGED}"


def test_what_is_held_back_and_filled_in_is_marked() -> None:
    assert style(Piece("b", [token(held_back=True)])) == HELD_BACK
    parts = "[", "Your name", "]"
    assert style(Piece("Anna", [token(chosen=part, filled=True) for part in parts])) == FILLED
    assert style(Piece("[Your name]", [token(chosen=part, filled=False) for part in parts])) == ""


def test_a_probability_of_nothing_is_no_error() -> None:
    assert step(Piece("a", [token(remote_prob=0.0)])) == 3
    assert step(Piece("a", [token(steered_prob=0.0)])) == 0
    assert step(Piece("of a relay")) == 0


def _luminance(name: str) -> float:
    colour = Style.parse(name).color or Color.default()
    parts = [part / 255 for part in colour.get_truecolor()]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("name", [*TINTS[1:], HELD_BACK])
def test_every_colour_can_be_read_on_black_and_on_white(name: str) -> None:
    """By WCAG's contrast; 3 is its least for large text, 4.5 for small."""
    luminance = _luminance(name)
    assert (luminance + 0.05) / 0.05 >= 4
    assert 1.05 / (luminance + 0.05) >= 4
