"""Words in any script: how a text is cut into them, and which say something."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.function_words import FUNCTION_CHARACTERS, FUNCTION_WORDS
from app.disclosure.words import content, phrases, pieces, words
from app.profiles.folding import folded
from disclosure.people import ANY, TEXTS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Isabel's re-entry, at 10:30!", "isabel s re entry at 10 30"),
        ("Žižková naïve MÜLLER ﬁn", "zizkova naive muller fin"),
        ("Ёлка й", "елка й"),
        ("王小明 likes 東京", "王 小 明 likes 東 京"),
        ("か\u3099ｶﾞ", "が ガ"),
        ("soft\u00adhyphen", "softhyphen"),
        ("snake_case 5㎏", "snake case 5kg"),
        ("हिन्दी", "हिन्दी"),
        ("🎉 — …", ""),
    ],
)
def test_words_are_folded_and_apart(text: str, found: str) -> None:
    assert words(text) == found.split()


@given(TEXTS | ANY)
def test_pieces_are_the_words_with_their_places(text: str) -> None:
    found = pieces(text)
    assert [word for one in found for word in one.words] == words(text)
    places = [place for one in found for place in (one.start, one.end)]
    assert places == sorted(places)
    assert all(words(text[one.start : one.end]) == list(one.words) for one in found)


@given(TEXTS | ANY)
def test_the_words_of_words_are_the_same(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)


def test_function_words_are_written_as_they_are_compared() -> None:
    assert all(folded(word) == word and len(word) > 2 for word in FUNCTION_WORDS)
    assert all(words(one) == [one] for one in FUNCTION_CHARACTERS)


@pytest.mark.parametrize("word", ["nurse", "kelp", "42", "2nd", "京", "ёлка", "ガ", "war", "men"])
def test_says_something(word: str) -> None:
    assert content(word)


@pytest.mark.parametrize("word", ["the", "nicht", "avec", "for", "что", "it", "7", "的", "す", "x"])
def test_says_nothing(word: str) -> None:
    assert not content(word)


def test_a_phrase_is_a_word_or_a_pair_of_characters_of_a_script_without_spaces() -> None:
    assert list(phrases(words("The nurse 王 of 我的名字"))) == [
        ("nurse",),
        ("王",),
        ("的", "名"),
        ("名", "字"),
    ]


@given(st.lists(TEXTS))
def test_a_phrase_stands_in_its_words(texts: list[str]) -> None:
    run = words(" ".join(texts))
    runs = {tuple(run[i : i + size]) for size in (1, 2) for i in range(len(run))}
    assert runs.issuperset(phrases(run))


@pytest.mark.parametrize("part", ["1", "\u0301", "a\u0301", "王", "\u00ad", "°", "か\u3099", "a "])
def test_long_texts_take_linear_time(part: str) -> None:
    text = part * (200_000 // len(part))
    start = time.perf_counter()
    pieces(text)
    assert time.perf_counter() - start < 20  # a second or two; with quadratic time it would be hours
