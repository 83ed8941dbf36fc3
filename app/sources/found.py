"""What a reader of a source finds: texts of the person, and what it leaves out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.profiles.profile import HistoryItem


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Whose texts are wanted: the names by which chats call them, and their mail addresses.

    Both may be empty: a reader that needs one then leaves the file out, and says which option names it.
    """

    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Person({len(self.names)} names, {len(self.addresses)} addresses)"


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A text that the person wrote. `part` says which part of its file it is, such as a message's id: the
    same when the file is read again, and unique within the file; empty for a file that is one text."""

    item: HistoryItem
    part: str = ""

    def __repr__(self) -> str:
        return f"Found({self.item!r})"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is not kept, and why. `reason` is a phrase for people that quotes no content; equal reasons are
    counted together. `broken`: the file, or a part of it, cannot be read, and the person may want to mend it;
    else there is nothing of the person in it. `who`: it could be read if it were said who the person is."""

    reason: str
    count: int = 1
    broken: bool = False
    who: bool = field(default=False, compare=False)


# Reads one file, lazily where it may be large. Raises OSError only; mistakes of the content are LeftOut.
Reader = Callable[[Path, Person], Iterator[Found | LeftOut]]
