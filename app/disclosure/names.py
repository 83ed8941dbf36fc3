"""Names: the words of the person's own, and those of others as far as capitals tell them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.disclosure.words import Piece, Run, content, pieces, words

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
TOKEN = re.compile(r"[^\W\d_][\w'\u2019-]*|[^\s]|\n")


def name_pieces(name: str) -> list[tuple[Piece, bool]]:
    """The pieces of a name, without titles, and whether each tells by itself who it is: a word of content, or
    one with a capital, of two letters at least. If none does, all do."""
    parts = [one for one in pieces(name) if not HONORIFICS.issuperset(one.words)]
    telling = [
        any(content(word) or (len(word) > 1 and name[one.start].isupper()) for word in one.words)
        for one in parts
    ]
    return [(one, each or not any(telling)) for one, each in zip(parts, telling, strict=True)]


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
    run: list[str] = []  # the words of a name so far, with particles behind the last one perhaps
    before, end = "", 0
    for one in TOKEN.finditer(text):
        token = one[0]
        parts = words(token)
        joined = text[end : one.start()] == " "
        if not joined:
            yield from _named(run)
            run = []
        if token[0].isupper() and any(map(content, parts)):
            run += parts if run or before == "," or before[:1].isalnum() else []
        elif run and parts and PARTICLES.issuperset(parts):
            run += parts
        else:
            yield from _named(run)
            run = []
        before, end = token, one.end()
    yield from _named(run)


def _named(run: list[str]) -> Iterator[Run]:
    while run and run[-1] in PARTICLES:
        run.pop()
    if len(run) > 1:
        yield tuple(run)
