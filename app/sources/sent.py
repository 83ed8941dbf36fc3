"""Reads a file that somebody sent, in steps: what is new of it, and what is stored already.

Where it lies meanwhile says nothing: its items are known again by what they say, and have no file as their
origin. Two files of one name may be two letters.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from app.profiles.batches import BATCH, BATCH_CHARACTERS, characters
from app.profiles.disclosure import Level
from app.profiles.origin import Add, Known, content_hash
from app.sources.documents.document import one_line
from app.sources.formats import read
from app.sources.found import Found, LeftOut, Person
from app.sources.survey import Wanted

# A step ends after this time at the latest, unless a single item takes longer.
SECONDS = 0.5
# Of a file's name: what another file system might read otherwise, and how much of it is kept.
STRANGE = re.compile(r"[^\w .,()\[\]+-]")
LONGEST_STEM = 60
LONGEST_SUFFIX = 12
# Bytes of a name on common file systems, less than which encrypted ones take.
LONGEST_NAME = 140
NAMELESS = "without a name"


@dataclass(frozen=True, slots=True, repr=False)
class SentFile:
    """A file as it was sent: what the person calls it, perhaps with the folders that it lies in, and where it
    lies now, under a name that `leaf` made."""

    label: str
    path: Path


@dataclass(slots=True)
class Step:
    """What was read since the step before: new items, how many are known already, and what is left out."""

    new: list[Add] = field(default_factory=list)
    known: int = 0
    left: list[LeftOut] = field(default_factory=list)
    _characters: int = 0

    def add(self, one: Add) -> None:
        self.new.append(one)
        self._characters += characters(one.item)

    @property
    def full(self) -> bool:
        return len(self.new) >= BATCH or self._characters >= BATCH_CHARACTERS


def label_of(name: str) -> str:
    """A file's name as its items' source, on one line; it is never used as a path."""
    return one_line(name.replace("\\", "/")) or NAMELESS


def leaf(label: str) -> str:
    """A name for the file where it is read. Readers take something of a name: its suffix, the day that a
    note is called by, who a chat is with. The rest is blanked, so that it leads nowhere."""
    name = STRANGE.sub("_", normalize("NFC", label.rpartition("/")[2])).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > LONGEST_SUFFIX:
        stem, suffix = name, ""
    end = f".{suffix}" if suffix else ""
    most = LONGEST_NAME - len(end.encode())
    stem = stem[:LONGEST_STEM].encode()[:most].decode(errors="ignore").strip(" .") or "file"
    return f"{stem}{end}"


def hashes(stored: Iterable[Known]) -> set[str]:
    """What is known of a history, by hashes: what its items say, and what they said when they were read."""
    return {hashed for one in stored for hashed in (one.hash, one.origin.read) if hashed}


def read_sent(
    sent: SentFile,
    person: Person,
    level: Level | None,
    known: set[str],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Step]:
    """Reads the file step by step; what is new is `known` from then on. Raises nothing of a file."""
    wanted = Wanted(sent.path, person, level=level)
    step, until = Step(), clock() + SECONDS
    for one in _found(sent, person):
        if isinstance(one, LeftOut):
            step.left.append(one)
        else:
            now = _added(one, sent, wanted)
            says = {content_hash(now.item), now.origin.read}
            if says & known:
                step.known += 1
            else:
                step.add(now)
            known |= says
        if step.full or clock() >= until:
            yield step
            step, until = Step(), clock() + SECONDS
    yield step


def refusal(items: int, left: Sequence[LeftOut]) -> LeftOut | None:
    """Why nothing was read of a file, if it has a mistake or is not what its name says."""
    return None if items else next((one for one in left if one.broken), None)


def _found(sent: SentFile, person: Person) -> Iterator[Found | LeftOut]:
    try:
        yield from read(sent.path, person, explicit=True)
    except OSError as error:
        yield LeftOut(f"cannot be read: {error.strerror}", broken=True)


def _added(one: Found, sent: SentFile, wanted: Wanted) -> Add:
    """The item as it is stored: called by the name that the person gave the file, where it has no other."""
    item, seen = wanted.shaped(one.item, sent.path, "", one.part)
    if seen.named:
        item = replace(item, title=one_line(PurePosixPath(sent.label).stem))
    if item.source == str(sent.path):
        item = replace(item, source=sent.label)
    return Add(item, replace(seen.origin, part=""))
