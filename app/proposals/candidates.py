"""What a sentence may say for a field: where its value begins, and each word with which it may end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.disclosure.words import content, words
from app.proposals.fields import FIELDS, Field
from app.proposals.sentences import Sentence

# The most characters that a value has.
LONGEST = 80
# What a value does not go across, and what it does not begin with.
STOP = re.compile(r"[.,;:!?…()\[\]{}<>|\"“”„«»—\u2013]|\s-\s|\s/\s")
ARTICLE = re.compile(r"(?:the|an?|my|our|some|very|really|quite)\s+", re.IGNORECASE)
WORD = re.compile(r"\S+")
# No value ends before these, or with them.
JOINS = frozenset(
    words(
        "a an and as at but by for from if in into is of on or so than that the then this to was when where "
        "which who whose with within without my our your his her their its i we you he she it they me us "
        "them am are have has had be been being not no because while after before until about"
    )
)
# Beginnings that say nothing of who somebody is: "I am a little tired", "I like it".
VAGUE = frozenset(
    words(
        "little bit lot few fan big huge firm great good bad sure afraid sorry glad happy sad tired busy "
        "able one person man woman member part believer witness mess beginner stranger coward morning "
        "grateful told late think thought know see say said go do get have be make hear imagine point add "
        "thing things way kind sort something anything everything nothing someone people day days time "
        "moment idea daily volunteer more"
    )
)
QUOTES = re.compile(r"[\"“”«»„]")


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A value that a sentence may give a field: it begins at `start`, and ends at one of the `ends`."""

    field: Field
    sentence: Sentence
    start: int
    ends: tuple[int, ...]

    def values(self) -> list[str]:
        return [self.sentence.text[self.start : end] for end in self.ends]


def candidates(found: Iterable[Sentence], fields: Iterable[Field] = FIELDS) -> Iterator[Candidate]:
    """The candidates in sentences, in their order; one for each field and place."""
    fields = tuple(fields)
    for sentence in found:
        taken: set[tuple[str, int]] = set()
        for field in fields:
            for cue in field.cues:
                for match in cue.finditer(sentence.text):
                    one = _candidate(field, sentence, match.end())
                    quoted = len(QUOTES.findall(sentence.text[: match.start()])) % 2
                    if one is not None and not quoted and (field.key, one.start) not in taken:
                        taken.add((field.key, one.start))
                        yield one


def _candidate(field: Field, sentence: Sentence, start: int) -> Candidate | None:
    text = sentence.text
    while (article := ARTICLE.match(text, start)) is not None:
        start = article.end()
    while start < len(text) and text[start] == " ":
        start += 1
    if not _begins(field, text, start):
        return None
    if field.form is not None:
        whole = field.form.match(text, start, start + LONGEST)
        return Candidate(field, sentence, start, (whole.end(),)) if whole is not None else None
    stop = STOP.search(text, start)
    last = min(stop.start() if stop else len(text), start + LONGEST)
    ends: list[int] = []
    for number, word in enumerate(WORD.finditer(text, start, last)):
        if number == field.longest:
            break
        cut = word.end() == last < len(text) and not text[last].isspace() and stop is None
        if not cut and _may_end(word[0]):
            ends.append(word.end())
    return Candidate(field, sentence, start, tuple(ends)) if ends else None


def _begins(field: Field, text: str, start: int) -> bool:
    first = WORD.match(text, start)
    if first is None:
        return False
    if field.begins == "name":
        return first[0][0].isupper()
    if field.begins == "number":
        return first[0][0].isdigit()
    plain = "".join(words(first[0]))
    return bool(plain) and plain not in VAGUE and plain not in JOINS


def _may_end(word: str) -> bool:
    plain = words(word)
    return (
        bool(plain)
        and plain[-1] not in JOINS
        and (
            content(plain[-1])
            or word[0].isupper()
            or any(one.isdigit() for one in word)
            or len(plain[-1]) > 2
        )
    )
