"""The words of a text, as the guard compares them, and which of them say something."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from app.disclosure.function_words import FUNCTION_CHARACTERS, FUNCTION_WORDS
from app.profiles.folding import MARKS, OPTIONAL
from app.profiles.terms import OTHER, RUN, UNSPACED, separated

# A piece of a text that words are made of: one character of a script without spaces, with what may be
# composed with it (marks, the later letters of a Korean syllable), or a run of any other script.
PIECE = re.compile(rf"[{UNSPACED}](?:{MARKS}|[\u1160-\u11ff\ud7b0-\ud7ff])*|[^\s{UNSPACED}]+")
HIRAGANA = re.compile("[\u3041-\u309f]")
DIGIT = re.compile(r"\d")

Run = tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Piece:
    """A place in a text, from `start` to `end`, and the words that stand there: one, as a rule."""

    words: Run
    start: int
    end: int


def words(text: str) -> list[str]:
    """The words, folded. What is neither letter, mark nor digit is between words; of scripts without spaces
    each character is one."""
    return RUN.sub(lambda run: f" {' '.join(run[0])} ", separated(text)).split()


def pieces(text: str) -> list[Piece]:
    """The same words with their places in the text."""
    kept = OTHER.sub(lambda one: one[0] if _within(one[0]) else " ", text)
    found = ((tuple(words(one[0])), one.start(), one.end()) for one in PIECE.finditer(kept))
    return [Piece(*one) for one in found if one[0]]


def content(word: str) -> bool:
    """Whether a folded word says something: no function word, of at least three letters or two digits."""
    if RUN.fullmatch(word):
        return word not in FUNCTION_CHARACTERS and not HIRAGANA.match(word)
    if DIGIT.search(word):
        return len(word) > 1
    return len(word) > 2 and word not in FUNCTION_WORDS


def phrases(run: Iterable[str]) -> Iterator[Run]:
    """What says something in a run of words: each word of content by itself. A character of a script without
    spaces is in too many words for that, so there each pair of neighbours, one of them of content."""
    for apart, group in groupby(run, key=spaced):
        neighbours = list(group)
        if apart or len(neighbours) == 1:
            yield from ((word,) for word in neighbours if content(word))
        else:
            yield from (pair for pair in pairwise(neighbours) if content(pair[0]) or content(pair[1]))


def spaced(word: str) -> bool:
    """Whether a word is of a script with spaces."""
    return RUN.fullmatch(word) is None


def _within(character: str) -> bool:
    """Whether words go on over a character that is no letter itself: a mark, an invisible one, or a sign that
    is folded into letters."""
    return unicodedata.category(character)[0] == "M" or bool(
        OPTIONAL.match(character) or separated(character).strip()
    )


def unfinished(text: str) -> str:
    """The end of a text that more letters would make another word of, as it is written; "" behind a space or
    a sign, and behind a script without spaces."""
    start = len(text)
    while (
        start and (text[start - 1].isalnum() or _within(text[start - 1])) and not RUN.match(text[start - 1])
    ):
        start -= 1
    return text[start:]
