"""A vocabulary of bytes: whatever its tokens spell, replies lose no byte of it and double none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.api.chat.logprobs import split
from app.decoding.reply import TokenText
from app.decoding.request import Token
from app.remote.interface import DraftToken
from app.tokenization.detokenizer import Detokenizer
from app.tokenization.vocabulary import SpelledVocabulary, Vocabulary, spell

LONGER = [" a", "ab", "  ", "東京", "é", "\n\n", " Größe", "\N{REPLACEMENT CHARACTER}", ""]
PARTS = [b" \xe6", b"\x9d\xb1", b"\xf0\x9f", b"\x98\x80", b"\xb1\xe4", b"\xbaa", b"\xff\xfe"]
SPELLING = [*(bytes([byte]) for byte in range(256)), *(text.encode() for text in LONGER), *PARTS, None, None]
END, OPENS, CLOSES = range(len(SPELLING), len(SPELLING) + 3)
NAMES = {END: "<|end|>", OPENS: "<think>", CLOSES: "</think>"}
USER = [*b"Hello"]


def vocabulary(*, strips_space: bool = False) -> SpelledVocabulary:
    spelling = [*SPELLING, *(name.encode() for name in NAMES.values())]
    return SpelledVocabulary(spelling, NAMES, frozenset({END}), (OPENS, CLOSES), strips_space=strips_space)


# Runs of text among arbitrary tokens, since those alone rarely spell a character.
IDS = st.lists(
    st.integers(-1, CLOSES + 1).map(lambda token_id: [token_id])
    | st.text(max_size=3).map(lambda text: [*text.encode()]),
    max_size=10,
).map(lambda runs: [token_id for run in runs for token_id in run])


@pytest.mark.parametrize("strips_space", [False, True])
@given(ids=IDS)
@example(ids=[SPELLING.index(b" \xe6")])  # a space that is left out, before what is no character
def test_a_reply_loses_no_byte_and_doubles_none(ids: list[int], strips_space: bool) -> None:
    known: Vocabulary = vocabulary(strips_space=strips_space)
    text, pieces, told = Detokenizer(known), [], b""
    waiting: list[Token] = []
    for token_id in [*ids, None]:
        if token_id is not None:
            waiting.append(
                Token(token_id, DraftToken(token_id, np.array([token_id]), np.zeros(1)), np.zeros(1))
            )
        piece = text.flush() if token_id is None else text.push(token_id)
        if piece or token_id is None:
            told += b"".join(part or b"" for part in split(TokenText(tuple(waiting), piece), known))
            waiting.clear()
        pieces.append(piece)
    whole = known.decode(ids)
    assert "".join(pieces) == whole
    assert told.decode(errors="replace") == whole
    assert whole.encode().decode() == whole


@given(begun=st.text(min_size=1, max_size=9), ids=IDS)
def test_a_reply_goes_on_where_a_text_has_ended(begun: str, ids: list[int]) -> None:
    known: Vocabulary = vocabulary()
    text = Detokenizer(known, [*begun.encode()])
    assert begun + "".join([*map(text.push, ids), text.flush()]) == known.decode([*begun.encode(), *ids])


def test_special_tokens_have_a_name_and_no_bytes() -> None:
    known = vocabulary()
    assert [known.token_bytes(token_id) for token_id in NAMES] == [None, None, None]
    assert {token_id: known.special_name(token_id) for token_id in NAMES} == NAMES
    assert {token_id: known.token_text(token_id) for token_id in NAMES} == NAMES
    assert known.decode([*b"a", END, *b"b"]) == "ab"
    assert (known.eos_ids, len(known)) == (frozenset({END}), CLOSES + 1)


@pytest.mark.parametrize("token_id", [-1, len(SPELLING) - 1, CLOSES + 1])
def test_nothing_is_known_of_other_ids(token_id: int) -> None:
    known = vocabulary()
    told = (known.token_bytes(token_id), known.token_text(token_id), known.special_name(token_id))
    assert told == (None, "", None)
    assert known.decode([token_id]) == ""


def test_parts_of_characters_are_shown_as_such() -> None:
    known = vocabulary()
    assert known.token_text(0xE6) == known.decode([0xE6]) == "\N{REPLACEMENT CHARACTER}"
    assert known.decode([*"東".encode()]) == "東"


def test_only_the_space_at_the_very_beginning_is_stripped() -> None:
    known = vocabulary(strips_space=True)
    space_a = SPELLING.index(b" a")
    assert known.decode([END, space_a, space_a]) == "a a"
    assert known.decode([0x20, space_a]) == " a"


@pytest.mark.parametrize(
    ("token", "byte_level", "data"),
    [
        ("Ġhello", True, b" hello"),
        ("Ċ", True, b"\n"),
        ("æĿ", True, b"\xe6\x9d"),
        ("<|東|>", True, "<|東|>".encode()),
        ("▁hello", False, b" hello"),
        ("<0x0A>", False, b"\n"),
        ("<0xe6>", False, b"\xe6"),
        ("東", False, "東".encode()),
    ],
)
def test_a_vocabulary_s_own_strings_stand_for_bytes(token: str, byte_level: bool, data: bytes) -> None:
    assert spell(token, byte_level=byte_level) == data


# Thoughts


@pytest.mark.parametrize(
    ("behind", "continued", "thinking"),
    [
        ([OPENS], None, True),
        ([OPENS, *b"\n \n"], None, True),
        ([OPENS, CLOSES], None, False),
        ([OPENS, *b"by the user", END, *b"assistant\n"], None, False),
        ([OPENS, *b"Well"], "<think>Well", True),
        ([OPENS, *b"Well\n\n"], "<think>Well", True),
        ([OPENS, *b"Well", CLOSES, *b"So"], "<think>Well</think>So", False),
        ([OPENS, *b"by the user", END, *b"assistant\n", *b"Well, well, well"], "Well, well, well", False),
        ([OPENS, *b"user: ", *b"Well"], "Well", False),
        ([], "Well", False),
    ],
)
def test_a_reply_begins_inside_a_thought_that_is_open(
    behind: list[int], continued: str | None, thinking: bool
) -> None:
    assert vocabulary().thinking([*USER, END, *behind], continued) is thinking


def test_without_markers_there_are_no_thoughts() -> None:
    known = SpelledVocabulary(SPELLING, {}, frozenset(), None)
    assert not known.thinking([*b"<think>"])
