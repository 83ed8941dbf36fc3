"""Texts are cut into passages without loss, and into words that can be looked up without harm."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.terms import MAX_TERMS, PASSAGE, indexable, passages, terms

any_text = st.text(st.characters(exclude_categories=["Cs"]))
# Long texts of few characters, so that borders, long words and wide characters come together.
long_text = st.lists(
    st.tuples(
        st.sampled_from(["a", "word ", "字", "。", ". ", "\n", "\n\n", " ", "\U0001f600", "é"]),
        st.integers(1, 900),
    ),
    max_size=8,
).map(lambda parts: "".join(text * count for text, count in parts))


def _letters(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(st.one_of(any_text, long_text))
def test_passages_lose_nothing_but_blanks_and_none_is_too_long(text: str) -> None:
    pieces = passages(text)
    assert _letters("".join(pieces)) == _letters(text)
    assert all(len(piece.encode()) <= PASSAGE for piece in pieces)
    assert all(piece == piece.strip() for piece in pieces)
    assert all(pieces) or pieces == [""]


@given(long_text)
def test_passages_are_few(text: str) -> None:
    # Two neighbours could not be one, but where a word without end was cut by characters.
    assert len(passages(text)) <= 2 + 4 * len(text.encode()) / PASSAGE


@given(st.one_of(any_text, long_text))
def test_a_passage_is_its_own_only_passage(text: str) -> None:
    assert all(passages(piece) == [piece] for piece in passages(text))


@pytest.mark.parametrize(
    ("border", "sentence"),
    [
        ("\n\n", "A short paragraph. Of two."),
        ("\n", "A line. Of two."),
        (" ", "A sentence it is!"),
        ("", "文が一つある。"),
    ],
)
def test_a_passage_ends_at_the_best_border_there_is(border: str, sentence: str) -> None:
    pieces = passages(border.join([sentence] * 400))
    assert len(pieces) > 1
    assert all(piece.startswith(sentence) and piece.endswith(sentence) for piece in pieces)


def test_words_are_not_cut() -> None:
    assert set(" ".join(passages("wonderful " * 1000)).split()) == {"wonderful"}


def test_a_short_or_blank_text_is_one_passage() -> None:
    assert passages("  a text ") == ["a text"]
    assert passages("") == passages(" \n" * 5000) == [""]


@given(any_text)
def test_terms_are_words_and_nothing_else(text: str) -> None:
    found = terms(text)
    assert len(set(found)) == len(found) <= MAX_TERMS
    for term in found:
        assert re.fullmatch(r'[^"\s*()^:\0]+\*?', term), term
        assert term == unicodedata.normalize("NFKC", term).casefold() or not term.isascii()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, hello WORLD!", ["hello", "world"]),
        ('"a" OR b* NOT (c^2) NEAR(d) e:f', ["a", "or", "b", "not", "c", "2", "near", "d", "e", "f"]),
        ("it's me@example.com", ["it", "s", "me", "example", "com"]),
        ("東京都", ["東京", "京都"]),
        ("字", ["字*"]),
        ("go to 東京 now", ["go", "to", "東京", "now"]),
        ("\uff21\uff22\uff23\u3000ｶﾞﾗｽ", ["abc", "ガラ", "ラス"]),
        ("Straße", ["strasse"]),
        ("Ελλάδα", ["ελλαδα"]),
        ("क़लम", ["क\u093cलम"]),
        ("bay\U0001f923 snake_case", ["bay", "snake", "case"]),
        ("ジョン・スミス", ["ジョ", "ョン", "スミ", "ミス"]),
        ("", []),
        ("!? \0 \U0001f600 \ud800", []),
    ],
)
def test_terms_of_a_text(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


def test_of_a_long_text_the_beginning_and_the_end_are_looked_up() -> None:
    found = terms(" ".join(f"w{number}" for number in range(1000)))
    assert (len(found), found[0], found[-1]) == (MAX_TERMS, "w0", "w999")


def test_unspaced_text_is_indexed_in_pairs_and_its_last_character() -> None:
    assert indexable("我在東京。Bay!").split() == ["我在", "在東", "東京", "京", "bay"]
