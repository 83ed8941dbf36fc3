"""Reads the files of some folders: what they say, by hashes, what is left out of them, and what is gone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from app.profiles.disclosure import Level
from app.profiles.origin import Known, Origin, content_hash
from app.profiles.profile import HistoryItem, Kind
from app.sources.documents.document import one_line
from app.sources.found import Found, LeftOut, Person
from app.sources.place import absent, file_of, filled, is_file, shown, within
from app.sources.sync import Plan, Seen, planned
from app.sources.walk import Candidate, PassedOver

# Characters of new texts that are kept from the first reading; files beyond that are read a second time.
HELD = 32_000_000

# The files of some paths that are to be read, in order, and what is passed over; see app.sources.walk.
Walk = Callable[[Iterable[Path]], Iterable[Candidate | PassedOver]]
# Is told of each file that it was read, and of each item of it.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, repr=False)
class Wanted:
    """A folder or file to be read, whose texts are wanted, and what holds for its items where they do not say
    so themselves. `title` and `request` are for a single text, in place of its own."""

    path: Path
    person: Person
    kind: Kind | None = None
    level: Level | None = None
    title: str | None = None
    request: str | None = None
    # What a source's path loses at its start.
    prefix: str = ""

    @property
    def file(self) -> str:
        return file_of(self.path)

    def shaped(self, item: HistoryItem, path: Path, file: str, part: str) -> tuple[HistoryItem, Seen]:
        """The item as it is stored, and what the plan reads of it."""
        if self.kind is not None and item.kind == "document":
            item = replace(item, kind=self.kind)
        if self.level is not None and item.disclosure == "open":
            item = replace(item, disclosure=self.level)
        # A file does not say its own name.
        named = item.title == one_line(path.stem)
        read = content_hash(replace(item, title="") if named else item)
        title = item.title if self.title is None else self.title
        request = item.request if self.request is None else self.request
        source = item.source.removeprefix(self.prefix)
        item = replace(item, title=title, request=request, source=source)
        named = named and self.title is None
        given = self.title is not None or self.request is not None
        origin = Origin(file, part, read)
        return item, Seen(origin, content_hash(item), item.disclosure, named=named, given=given)


class ReadFile(Protocol):
    """Reads a file that was named itself (`explicit`) or lies in a folder; see app.sources.formats."""

    def __call__(
        self, path: Path, person: Person, *, explicit: bool, exchanges: bool
    ) -> Iterator[Found | LeftOut]:
        """Raises OSError only."""


@dataclass(repr=False)
class Survey:
    """What was read. `seen` is in the order of reading."""

    wanted: Sequence[Wanted]
    read: ReadFile
    # The files and folders that were looked at, if not all.
    only: Collection[str] | None = None
    seen: list[Seen] = field(default_factory=list)
    passed: list[PassedOver] = field(default_factory=list)
    # Files that were read from beginning to end, and files and folders that could not be.
    whole: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    # Each file as it was read, by the options of its root.
    _files: dict[str, tuple[Candidate, Wanted]] = field(default_factory=dict)
    _held: dict[Seen, HistoryItem] = field(default_factory=dict)
    _characters: int = 0

    def plan(self, stored: Sequence[Known], *, relevel: bool = False) -> Plan:
        return planned(stored, self.seen, vanished=self.vanished, absent=absent, relevel=relevel)

    def vanished(self, file: str) -> bool:
        """Whether what was read of a file before, and not now, is gone. It is not if the file or its folder
        cannot be read this time, nor if the root is empty or not there, as where a disk is not mounted."""
        if not any(within(file, root) for root in self._there) or not self.concerns(file):
            return False
        if any(within(file, one) for one in self.unread):
            return False
        return file in self.whole or absent(file)

    @cached_property
    def _there(self) -> list[str]:
        """The roots that are files, or folders with something in them."""
        return [one.file for one in self.wanted if is_file(one.path) or filled(one.path)]

    def concerns(self, file: str) -> bool:
        return self.only is None or any(within(file, one) for one in self.only)

    @property
    def candidates(self) -> dict[str, Candidate]:
        """The files that were read, by their absolute paths, each as it was named."""
        return {file: candidate for file, (candidate, _) in self._files.items()}

    def name(self, path: Path) -> str:
        """A file as its items' sources call it."""
        text = shown(path)
        prefix = next((one.prefix for one in self.wanted if text.startswith(one.prefix)), "")
        return text.removeprefix(prefix)

    def passed_of(self, path: Path) -> list[LeftOut]:
        """What is left out of a file or folder, as it was named."""
        return [one.left for one in self.passed if one.path == path]

    def type_in(self, item: HistoryItem) -> None:
        """Takes an item that is in no file."""
        now = Seen(Origin(), content_hash(item), item.disclosure)
        self.seen.append(now)
        self._held[now] = item

    def items(self, chosen: Iterable[Seen]) -> Iterator[tuple[Seen, HistoryItem]]:
        """The items of what was seen, file by file; one that is no longer there is left out."""
        files: dict[str, list[Seen]] = defaultdict(list)
        for one in chosen:
            files[one.origin.file].append(one)
        for file, seen in files.items():
            if all(one in self._held for one in seen):
                yield from ((one, self._held.pop(one)) for one in seen)
            else:
                yield from self._again(file, set(seen))

    def _again(self, file: str, seen: set[Seen]) -> Iterator[tuple[Seen, HistoryItem]]:
        candidate, wanted = self._files[file]
        for one in self._found(candidate, wanted):
            if isinstance(one, Found):
                item, now = wanted.shaped(one.item, candidate.path, file, one.part)
                if now in seen:
                    yield now, item

    def look(self, one: Candidate, wanted: Wanted, known: Collection[tuple[str, str]], tell: Tell) -> None:
        """Reads one file. `known` are the files and hashes that are stored already."""
        # A pipe, as a shell's <(...), has a name of its own each time.
        file = file_of(one.path) if is_file(one.path) else ""
        self._files[file] = one, wanted
        reasons: Counter[tuple[str, bool]] = Counter()
        there: set[Seen] = set()
        for each in self._found(one, wanted):
            if isinstance(each, LeftOut):
                reasons[each.reason, each.broken] += each.count
                continue
            item, now = wanted.shaped(each.item, one.path, file, each.part)
            if now not in there:  # no two parts are the same, but for a mistake of a reader
                there.add(now)
                self.seen.append(now)
                self._hold(now, item, known)
                tell(0, 1)
        self.passed += [PassedOver(one.path, LeftOut(why, n, broken)) for (why, broken), n in reasons.items()]
        (self.unread if any(broken for _, broken in reasons) else self.whole).add(file)
        tell(1, 0)

    def _found(self, one: Candidate, wanted: Wanted) -> Iterator[Found | LeftOut]:
        try:
            exchanges = wanted.kind == "turn"
            yield from self.read(one.path, wanted.person, explicit=one.explicit, exchanges=exchanges)
        except OSError as error:
            yield LeftOut(f"cannot be read: {error.strerror}", broken=True)

    def _hold(self, now: Seen, item: HistoryItem, known: Collection[tuple[str, str]]) -> None:
        size = len(item.text) + len(item.request)
        new = now.given or (now.origin.file, now.origin.read) not in known
        if not now.origin.file or (new and self._characters + size <= HELD):
            self._held[now] = item
            self._characters += size


def survey(
    wanted: Sequence[Wanted],
    walk: Walk,
    read: ReadFile,
    stored: Sequence[Known] = (),
    *,
    only: Collection[str] | None = None,
    begin: Callable[[int], Tell] = lambda _: lambda *_: None,
) -> Survey:
    """Reads everything that is wanted, each file once, by the options of the deepest folder that names it.

    `only` are the files and folders to look at, all unless given. `begin` is told how many files there are,
    and gives what to tell of each. Raises nothing of a file.
    """
    found = Survey(wanted, read, only)
    files: dict[str, tuple[Candidate, Wanted]] = {}
    for one in sorted(wanted, key=lambda one: -len(one.file)):
        for candidate in _walked(found, walk, one):
            files.setdefault(file_of(candidate.path), (candidate, one))
    order = {one.path: number for number, one in enumerate(wanted)}
    known = {(one.origin.file, one.origin.read) for one in stored}
    tell = begin(len(files))
    # A sort is stable: within a folder, the order is the walk's.
    for candidate, one in sorted(files.values(), key=lambda both: order[both[1].path]):
        found.look(candidate, one, known, tell)
    return found


def _walked(found: Survey, walk: Walk, one: Wanted) -> Iterator[Candidate]:
    """The files to read; what is passed over is noted."""
    for step in walk([one.path]):
        concerned = found.concerns(file_of(step.path))
        if isinstance(step, PassedOver):
            if step.left.broken:
                found.unread.add(file_of(step.path))
            if concerned:
                found.passed.append(step)
        elif concerned:
            yield step
