"""What a person wrote themselves, as clean sentences of one line, each with the item that it stands in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.profiles.profile import StoredItem

# Characters of one text that are looked at, and of one sentence; a longer one is cut at a word.
MOST, LONGEST = 20_000, 400
BLANKS = re.compile(r"\s+")
PARAGRAPH = re.compile(r"\n\s*\n")
# A line that is longer than this was wrapped by a mail program, and goes on in the next.
WRAPPED = 60
# Not behind titles and the like, nor behind an initial.
END = re.compile(
    r"(?<=[.!?…])(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\be\.g\.)(?<!\bi\.e\.)"
    r"(?<!\b[A-Z]\.)[\"'”’)]*\s+"  # noqa: RUF001
)
# What others wrote: quoted lines of mail.
QUOTED = re.compile(r"^\s*[>|]")
MARKER = re.compile(r"^\s*(?:[-*•#]+|\d{1,3}[.)/])\s+")


@dataclass(frozen=True, slots=True, repr=False)
class Sentence:
    """A sentence of one line, at most LONGEST characters, and the item that it stands in."""

    item_id: int
    text: str

    def __repr__(self) -> str:
        return f"Sentence({len(self.text)} characters)"


def own_text(stored: StoredItem) -> str:
    """What of an item the person wrote: a document, or the question of an exchange with a model. At most MOST
    characters, without control characters."""
    item = stored.item
    text = item.request if item.kind == "turn" else item.text
    return clean(text[:MOST])


def clean(text: str) -> str:
    """The text without characters that a terminal obeys, that are not seen, or that turn its direction."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(one if one == "\n" or unicodedata.category(one)[0] != "C" else " " for one in text)


def unquoted(text: str) -> str:
    """A clean text without the lines that others wrote."""
    return "\n".join(line for line in text.split("\n") if not QUOTED.match(line))


def one_line(text: str) -> str:
    """A clean text with a blank for each run of white space."""
    return BLANKS.sub(" ", text).strip()


def lines(text: str) -> list[str]:
    """The lines of a clean text that are not blank and not quoted, each without the blanks around it."""
    return [line for one in text.split("\n") if (line := one_line(one)) and not QUOTED.match(one)]


def sentences(texts: Iterable[tuple[int, str]]) -> Iterator[Sentence]:
    """The sentences of clean texts, each with its item's id; each sentence once."""
    seen = set()
    for item_id, text in texts:
        for one in _split(text):
            if one not in seen:
                seen.add(one)
                yield Sentence(item_id, one)


def _split(text: str) -> Iterator[str]:
    for paragraph in PARAGRAPH.split(text):
        for line in _unwrapped(paragraph):
            for one in END.split(line):
                yield from _cut(one_line(one))


def _unwrapped(paragraph: str) -> Iterator[str]:
    """Its lines, those that a mail program wrapped joined again."""
    whole, wraps = "", False
    for line in paragraph.split("\n"):
        if QUOTED.match(line):
            continue
        marked = MARKER.match(line)
        if whole and wraps and not marked:
            whole = f"{whole} {line}"
        else:
            yield whole
            whole = line[marked.end() :] if marked else line
        wraps = len(line) > WRAPPED
    yield whole


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        at = sentence.rfind(" ", 1, LONGEST)
        at = at if at > 0 else LONGEST
        yield sentence[:at].rstrip()
        sentence = sentence[at:].lstrip()
    if sentence:
        yield sentence
