"""Which tokens would say what is guarded: however words are cut into tokens, written, and encoded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.disclosure.guarded import Guarded, guarded
from app.disclosure.matcher import PhraseMatcher
from app.disclosure.placeholders import Placeholder
from app.disclosure.words import words
from app.profiles.disclosure import Disclosure
from app.profiles.profile import Profile
from app.prompts.private import PrivateContext
from app.steering.guard import NOTHING
from app.tokenization.vocabulary import SpelledVocabulary

SECRET = "zoë"
PHRASE = ("keeps", "grey", "bees")
GUARDED = Guarded(
    {(): frozenset(words(SECRET)), PHRASE[:1]: frozenset({"grey"}), PHRASE[:2]: frozenset({"bees"})}
)
TEXTS = st.lists(
    st.sampled_from(
        [" ", "Zoë", "ZOE", "zo", "ë", "keeps", "grey", "bees", "a", "-", "王", ".\n", "s", "Zoe\u0308"]
    )
).map("".join)


def tokens_of(text: str, cuts: list[int]) -> list[bytes]:
    data = text.encode()
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


def matcher(pieces: list[bytes], guarded: Guarded = GUARDED, before: str = "") -> PhraseMatcher:
    return PhraseMatcher(guarded, SpelledVocabulary(pieces, {}, frozenset(), None), before)


def says(text: str) -> bool:
    said = words(text)
    return any(
        said[at] in found and (not run or tuple(said[max(0, at - len(run)) : at]) == run)
        for run, found in GUARDED.words.items()
        for at in range(len(said))
    )


@given(TEXTS, st.lists(st.integers(0, 200)))
def test_however_a_text_is_cut_what_it_says_is_never_said_unheld(text: str, cuts: list[int]) -> None:
    """The law that all rests on: a text that says what is guarded has a held token."""
    pieces = tokens_of(text, cuts)
    follower = matcher(pieces)
    held = []
    for index in range(len(pieces)):
        held.append(bool(follower.held(np.array([index]))[0]))
        follower.push(index)
    if says(text):
        assert any(held)


@given(TEXTS, st.lists(st.integers(0, 200)), st.lists(st.integers(0, 200)))
def test_what_was_said_is_the_same_however_it_was_cut(text: str, one: list[int], other: list[int]) -> None:
    candidates = [b" Zo", "ë".encode(), b" grey", b"grey", b" bees.", b"s", b"", b" a"]
    found = []
    for cuts in (one, other):
        pieces = tokens_of(text, cuts)
        follower = matcher([*candidates, *pieces])
        for index in range(len(pieces)):
            follower.push(len(candidates) + index)
        found.append(follower.held(np.arange(len(candidates))).tolist())
    assert found[0] == found[1]


def held(pieces: list[bytes], before: str = "") -> list[bool]:
    return [bool(one) for one in matcher(pieces, before=before).held(np.arange(len(pieces)))]


def test_a_word_counts_from_its_second_letter_on_and_only_at_its_beginning() -> None:
    assert held([b" Z", b" Zo", " Zoë".encode(), b" zoe!", b" Zoom", b"azoe"]) == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]
    assert held([b"o", b"oe", b"oom", b" a"], before="I met Z") == [True, True, False, False]


def test_a_number_counts_from_its_first_digit() -> None:
    some = Guarded({(): frozenset({"4711"})})
    assert matcher([b"4", b"5", b" 4"], some).held(np.arange(3)).tolist() == [True, False, True]


def test_a_word_behind_others_is_held_behind_them_alone() -> None:
    assert held([b" grey", b" bees"], before="She keeps") == [True, False]
    assert held([b" grey", b" bees"], before="She keeps grey") == [False, True]
    assert held([b" grey", b" bees"], before="She has") == [False, False]


def test_a_special_token_says_nothing_and_ends_a_word() -> None:
    vocabulary = SpelledVocabulary([b"Zo", b"e", None], {2: "<end>"}, frozenset({2}), None)
    follower = PhraseMatcher(GUARDED, vocabulary)
    assert follower.held(np.array([2])).tolist() == [False]
    follower.push(0)
    assert follower.held(np.array([1])).tolist() == [True]
    follower.push(2)
    assert follower.held(np.array([1])).tolist() == [False]


def test_a_value_is_begun_by_a_token_that_starts_its_first_word() -> None:
    zoe = Placeholder("[Your first name]", "Zoë")
    some = Guarded({(): frozenset({"zoe"})}, {"zoe": zoe}, (zoe,))
    pieces = [b" Zo", " Zoë".encode(), "Zoë".encode(), b" zoe", b"\nZoe", b" Zoom", b" Z"]
    follower = matcher(pieces, some)
    assert follower.written == ("[Your first name]", " [Your first name]")
    weak, strong = np.full(len(pieces), 0.5), np.full(len(pieces), 5.0)
    everything = np.arange(len(pieces))
    assert follower.fills(everything, weak).tolist() == [NOTHING, 1, 0, *[NOTHING] * 4]
    assert follower.fills(everything, strong).tolist() == [1, 1, 0, *[NOTHING] * 4]
    inside = matcher(pieces, some, before="Mc")
    assert inside.fills(everything, strong).tolist() == [1, 1, *[NOTHING] * 5]


@pytest.mark.parametrize("name", ["王小明", "김민수"])
def test_a_name_without_spaces_is_begun_by_what_is_meant(name: str) -> None:
    private = PrivateContext(Profile("someone", name))
    pieces = [text.encode() for text in (name[0], name[:2], name, f" {name[0]}", f"{name[0]}国", f"{name}.")]
    pieces += [name.encode()[:2], name[1].encode()]
    follower = matcher(pieces, guarded(private, [], Disclosure()))
    assert follower.written == ("[Your name]", " [Your name]")
    everything, weak, strong = np.arange(8), np.full(8, 0.5), np.full(8, 5.0)
    assert follower.fills(everything, strong).tolist() == [0, 0, 0, 1, *[NOTHING] * 4]
    assert follower.fills(everything, weak).tolist() == [NOTHING, NOTHING, 0, *[NOTHING] * 5]
    # What is not filled in is kept back all the same.
    assert follower.held(everything).tolist() == [True] * 7 + [False]
    shaped = matcher(pieces, guarded(private, [], Disclosure(identifiers=(("name", "shape"),))))
    assert (shaped.fills(everything, strong) == NOTHING).all()


def test_a_part_of_a_name_without_spaces_is_not_begun() -> None:
    private = PrivateContext(Profile("someone", "山田 太郎"))
    follower = matcher([text.encode() for text in ("山", "山田", "太郎")], guarded(private, [], Disclosure()))
    assert follower.held(np.arange(3)).all()
    assert (follower.fills(np.arange(3), np.full(3, 5.0)) == NOTHING).all()


def test_other_forms_of_a_guarded_word_are_held_as_well() -> None:
    some = Guarded({(): frozenset({"nurse", "zoe"})})
    pieces = [b" nurses", b" nursed.", b" nurseries", b" zoes", b" nurs"]
    assert matcher(pieces, some).held(np.arange(5)).tolist() == [True, True, False, False, True]


def test_a_word_without_end_costs_no_more_for_its_length() -> None:
    follower = matcher([b"acgt", " Zoë".encode()])
    for _ in range(20_000):
        follower.push(0)
    assert follower.held(np.array([0, 1])).tolist() == [False, True]


def test_a_character_counts_from_its_last_byte_but_one_on() -> None:
    some = Guarded({(): frozenset({"王"}), ("王",): frozenset({"小"})})
    king, jade, small = (text.encode() for text in "王玉小")
    assert king[:2] == jade[:2]  # three bytes each: with two of them a character is one of 64

    def held_behind(before: bytes, *pieces: bytes) -> list[bool]:
        follower = matcher([before, *pieces], some)
        follower.push(0)
        return [bool(one) for one in follower.held(np.arange(1, len(pieces) + 1))]

    halves = (king[:1], king[:2], b"x" + king[:2], king + small[:2], jade + small[:2], small[:2])
    assert held_behind(b"", *halves) == [False, True, True, True, False, False]
    assert held_behind(king, *halves) == [False, True, True, True, False, True]
    assert held_behind(king[:1], king[1:2], king[1:], jade[1:], small[1:2]) == [True, True, False, False]
    # What another character has in common with it may go on to be that one.
    assert held_behind(king[:2], king[2:], jade[2:]) == [True, False]
