"""Names: the words of the person's own, and those of others as far as capitals tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.disclosure.function_words import FUNCTION_WORDS
from app.disclosure.words import Run, content, pieces, spaced, words

HONORIFICS = frozenset(
    [
        "dr",
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "prof",
        "professor",
        "sir",
        "dame",
        "herr",
        "frau",
        "jr",
        "sr",
        "ii",
        "iii",
        "phd",
        "md",
    ]
)
# Small words that stand within names.
PARTICLES = frozenset(
    ["van", "von", "der", "den", "de", "di", "da", "del", "la", "le", "of", "bin", "al", "ter", "ten"]
)
POSSESSIVE = re.compile(r"['\u2019]s$")
TOKEN = re.compile(r"[^\W\d_][\w'\u2019-]*|[^\s]|\n")


@dataclass(frozen=True, slots=True, repr=False)
class NamePiece:
    """A word of a name, or what is written as one, in a name from `start` on.

    `alone`: it tells who is meant where nothing else of the name is beside it. `goes_on`: it is a character
    that follows another one, in a script without spaces.
    """

    words: Run
    start: int
    alone: bool
    goes_on: bool


def name_pieces(name: str) -> list[NamePiece]:
    """The pieces of a name, without titles. Alone there tell words of content, and those with a capital and
    two letters at least; if none does, all do. Of a part in a script without spaces it is the first one."""
    kept = [one for one in pieces(name) if not HONORIFICS.issuperset(one.words)]
    telling = [
        any(content(word) or (len(word) > 1 and name[one.start].isupper()) for word in one.words)
        for one in kept
    ]
    found, end = [], -1
    for one, tells in zip(kept, telling, strict=True):
        goes_on = one.start == end and not any(map(spaced, one.words))
        found.append(NamePiece(one.words, one.start, (tells or not any(telling)) and not goes_on, goes_on))
        end = one.end
    return found


def name_parts(name: str) -> list[str]:
    """The parts of a name, the first name first, without titles."""
    family, comma, given = name.partition(",")
    ordered = f"{given} {family}" if comma and words(given) and words(family) else name
    # "Moreno, Jr." is no family name with a given one.
    if comma and HONORIFICS.issuperset(words(given)):
        ordered = name
    parts = [part.strip(",") for part in ordered.split()]
    return [part for part in parts if not HONORIFICS.issuperset(words(part))]


def capitalised_names(text: str) -> Iterator[Run]:
    """The names of two words and more in a text, as far as capitals tell: of those that begin a sentence the
    first word is left out, since it may have its capital from there."""
    run: list[list[str]] = []  # the words of each part of a name so far, particles at its end perhaps
    before, end = "", 0
    for one in TOKEN.finditer(text):
        token = one[0]
        parts = words(POSSESSIVE.sub("", token))
        if text[end : one.start()] != " ":
            yield from _named(run)
            run = []
        telling = any(map(content, parts)) or (run and len(token) > 1 and FUNCTION_WORDS.isdisjoint(parts))
        if token[0].isupper() and telling:
            run += [parts] if run or before == "," or before[:1].isalnum() else []
        elif run and parts and PARTICLES.issuperset(parts):
            run += [parts]
        else:
            yield from _named(run)
            run = []
        before, end = token, one.end()
    yield from _named(run)


def _named(run: list[list[str]]) -> Iterator[Run]:
    while run and PARTICLES.issuperset(run[-1]):
        run.pop()
    if len(run) > 1:
        yield tuple(word for part in run for word in part)
