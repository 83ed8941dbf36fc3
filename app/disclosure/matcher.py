"""Follows a reply token by token, and tells which candidates would say what is guarded."""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.disclosure.guarded import Guarded
from app.disclosure.words import spaced, unfinished, words
from app.profiles.terms import RUN
from app.steering.formula import FloatArray, IntArray
from app.steering.guard import NOTHING, BoolArray
from app.tokenization.vocabulary import Vocabulary

LONGEST = 4  # words before a guarded one that are looked at
LONGEST_WORD = 200  # letters of one
# A guarded word of so many letters at least is meant by its other forms too, with so many letters more.
STEM, ENDING = 4, 3
# A word that has only begun is taken for a guarded one from this many letters on; a number from one digit.
LETTERS = 2
# The last byte of a character in UTF-8 is one of so many.
LAST_BYTES = 64
# Nats of local_delta from which a token that spells only a part of a value's first word is taken to begin it:
# "Is" may go on to "Isabel", but is mostly a word of its own.
MEANT = 2.0
# What JSON writes for a character within a string. The letters of an escape are not the next word's.
ESCAPE = re.compile(r"\\.", re.DOTALL)
LEADS = ("", " ")  # what may stand in front of a value in the token that begins it


@dataclass(frozen=True, repr=False)
class Guard:
    """What a reply is guarded by: its phrases, and the tokens that write each placeholder behind each of
    LEADS, by that text. `before` is text that the reply goes on from. `escapes`: the reply is JSON."""

    guarded: Guarded
    vocabulary: Vocabulary
    spelled: Mapping[str, Sequence[int]]
    before: str = ""
    escapes: bool = False

    def matcher(self) -> PhraseMatcher:
        return PhraseMatcher(self.guarded, self.vocabulary, self.before, escapes=self.escapes)


# Words, and the same in order.
_Words = tuple[frozenset[str], list[str]]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a token says: its complete words, folded, and the one that it leaves open, as it is written and
    folded. `lead` is what is in front of that word, if it is the only one. `joins`: its first letter would go
    on with an open word. `half`: it ends in a character that lacks its last byte, and this is the first that
    it may become; "" where it does not. `unspaced`: behind `lead` there are complete words of a script
    without spaces, and nothing else."""

    complete: tuple[str, ...]
    left: str
    begun: str
    lead: str
    joins: bool
    half: str
    unspaced: bool


def _read(text: str, half: str) -> _Said:
    left = unfinished(text)
    front = text[: len(text) - len(left)]
    bare = text.lstrip(" ")
    unspaced = not half and RUN.fullmatch(bare) is not None
    return _Said(
        tuple(words(front)),
        left,
        "".join(words(left)[-1:]),
        text[: len(text) - len(bare)] if unspaced else front,
        joins=bool(unfinished(text[:1])),
        half=half,
        unspaced=unspaced,
    )


def _decoded(data: bytes) -> tuple[str, str]:
    """The text of some bytes, and the half of a character behind it; see _Said."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    text = decoder.decode(data)
    left, _ = decoder.getstate()
    # One byte of two is in too many words.
    return text, (left + b"\x80").decode(errors="ignore") if len(left) > 1 else ""


class PhraseMatcher:
    """One reply's words so far. A token says what is guarded when with it a guarded word is complete, or is
    begun so far that nothing else is left of the token."""

    def __init__(
        self, guarded: Guarded, vocabulary: Vocabulary, before: str = "", *, escapes: bool = False
    ) -> None:
        """`before` is text that the reply goes on from. `escapes`: the reply is JSON."""
        self.written = written(guarded)
        self._vocabulary = vocabulary
        self._words: dict[tuple[str, ...], _Words] = {
            run: (found, sorted(found)) for run, found in guarded.words.items()
        }
        self._fills = guarded.fills
        self._firsts = sorted(guarded.fills)
        self._places = {text: place for place, text in enumerate(self.written)}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._said: deque[str] = deque(maxlen=LONGEST)  # complete words
        self._open = ""  # the word that the next token may go on with, as it was written
        self._tokens: dict[int, _Said] = {}  # tokens by themselves
        self._say(before)
        self._escapes = escapes
        self._escaping = False  # the next character is part of an escape

    def push(self, token_id: int) -> None:
        """An emitted token."""
        data = self._vocabulary.token_bytes(token_id)
        # A special token ends whatever was being said.
        text = self._decoder.decode(data) if data is not None else " "
        plain = self._plain(text)
        if text:
            self._escaping = self._escapes and plain.endswith("\\")
        self._say(plain)

    def held(self, ids: IntArray) -> BoolArray:
        """[K]: which of the tokens `ids` [K] begin, go on with, or complete what is guarded."""
        said = [*self._said]
        # Most tokens begin a new word behind the open one.
        behind = [*said, *words(self._open)]
        next_words = self._following(behind)
        pending, _ = self._decoder.getstate()
        found = np.zeros(len(ids), bool)
        for place, token_id in enumerate(ids.tolist()):
            one = self._alone(token_id)
            data = self._vocabulary.token_bytes(token_id) or b""
            if self._escaping:
                found[place] = self._guards(self._read(data, ""), behind)
            elif pending or (self._open and one.joins):
                found[place] = self._guards(self._read(pending + data, self._open), said)
            elif one.complete or one.half:
                found[place] = self._guards(one, behind)
            elif one.begun:
                found[place] = _among(next_words, one.begun, complete=False)
        return found

    def fills(self, ids: IntArray, local_delta: FloatArray) -> IntArray:
        """[K]: for the value that a token begins, the place in `written` of what stands for it; NOTHING."""
        if not self._fills:
            return np.full(len(ids), NOTHING)
        found = (
            self._begun(one, delta) for one, delta in zip(ids.tolist(), local_delta.tolist(), strict=True)
        )
        return np.fromiter(found, np.int64, len(ids))

    def _read(self, data: bytes, opened: str) -> _Said:
        """What bytes say behind an open word."""
        text, half = _decoded(data)
        return _read(opened + self._plain(text), half)

    def _plain(self, text: str) -> str:
        """A token's text with blanks in the place of escapes."""
        if not self._escapes:
            return text
        return ESCAPE.sub("  ", " " + text[1:] if self._escaping and text else text)

    def _say(self, text: str) -> None:
        text = self._open + text
        left = unfinished(text)
        self._said.extend(words(text[: len(text) - len(left)])[-LONGEST:])
        # No guarded word is as long, and what begins as none does not become one.
        self._open = left[:LONGEST_WORD]

    def _alone(self, token_id: int) -> _Said:
        """What a token says by itself."""
        read = self._tokens.get(token_id)
        if read is None:
            data = self._vocabulary.token_bytes(token_id) or b""
            text, half = _decoded(data)
            read = self._tokens[token_id] = _read(ESCAPE.sub("  ", text) if self._escapes else text, half)
        return read

    def _guards(self, one: _Said, said: list[str]) -> bool:
        for word in one.complete:
            if _among(self._following(said), word, complete=True):
                return True
            said = [*said, word]
        if one.begun and _among(self._following(said), one.begun, complete=False):
            return True
        behind = [*said, one.begun] if one.begun else said
        return bool(one.half) and _halved(self._following(behind), one.half)

    def _following(self, said: list[str]) -> list[_Words]:
        """What must not follow these words: behind none of them, the last one, the last two ..."""
        runs = (tuple(said[len(said) - length :]) for length in range(min(LONGEST, len(said)) + 1))
        return [found for run in runs if (found := self._words.get(run)) is not None]

    def _begun(self, token_id: int, delta: float) -> int:
        one = self._alone(token_id)
        if one.unspaced:
            return self._begun_unspaced(one, delta)
        if not one.left or (self._open and one.joins) or one.lead not in LEADS or one.complete:
            return NOTHING
        found = self._fills.get(one.begun)
        if found is None and delta >= MEANT and _counts(one.begun):
            at = bisect_left(self._firsts, one.begun)
            if at < len(self._firsts) and self._firsts[at].startswith(one.begun):
                found = self._fills[self._firsts[at]]
        # "mark" and "grace" are words as well.
        if found is None or (found.value[:1].isupper() and not one.left[:1].isupper()):
            return NOTHING
        return self._places[one.lead + found.text]

    def _begun_unspaced(self, one: _Said, delta: float) -> int:
        """The same for a token in a script without spaces, where a character may be in any word: so it has to
        be meant, unless the token spells all of the value."""
        found = self._fills.get(one.complete[0])
        if found is None or one.lead not in LEADS:
            return NOTHING
        value = tuple(words(found.value))
        begins = value[: len(one.complete)] == one.complete
        if not begins or (delta < MEANT and value != one.complete):
            return NOTHING
        return self._places[one.lead + found.text]


def written(guarded: Guarded) -> tuple[str, ...]:
    """The texts that stand for values: each placeholder of `fills` behind each of LEADS."""
    return tuple(lead + one.text for one in dict.fromkeys(guarded.fills.values()) for lead in LEADS)


def _counts(word: str) -> bool:
    """Whether so much of a word is there that it counts."""
    return len(word) >= LETTERS or word.isdigit()


def _among(several: Sequence[_Words], word: str, *, complete: bool) -> bool:
    """Whether the word is one of those, or begins one that it may still become."""
    for found, ordered in several:
        if word in found:
            return True
        stems = (word[:-more] for more in range(1, ENDING + 1) if len(word) - more >= STEM)
        if any(stem in found for stem in stems):
            return True
        if not complete and _counts(word):
            at = bisect_left(ordered, word)
            if at < len(ordered) and ordered[at].startswith(word):
                return True
    return False


def _halved(several: Sequence[_Words], half: str) -> bool:
    """Whether one of those words is a character of a script without spaces that this half may become."""
    last = chr(ord(half) + LAST_BYTES - 1)
    for _, ordered in several:
        at = bisect_left(ordered, half)
        if at < len(ordered) and ordered[at][0] <= last and not spaced(ordered[at]):
            return True
    return False
