"""What a server keeps of conversations for a while: bounded values by key, in this process or in a file.

The shelves in a file, which several processes share, are in profiles/store/shelves.py.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Bounds:
    """The most entries of a shelf, and the most bytes of their values; beyond them the ones kept or used
    least lately are dropped."""

    most: int
    most_bytes: int | None = None


REPLIES = Bounds(4096)
SPENT = Bounds(4096)
SESSIONS = Bounds(4096)
CHOICES = Bounds(2000)
RESPONSES = Bounds(2000, 64 * 2**20)


class Shelf(Protocol):
    """Values by key, each of an owner: the uid or id of a profile, or nobody (""). Safe across threads; any
    method may block, and one in a file may raise StoreError."""

    def get(self, key: bytes) -> bytes | None:
        """The value; None if it is not kept (any more)."""
        ...

    def use(self, key: bytes) -> bytes | None:
        """As `get`; it counts as kept anew."""
        ...

    def first(self, keys: Iterable[bytes]) -> bytes | None:
        """The value of the first of the keys that has one."""
        ...

    def keep(self, key: bytes, value: bytes, owner: str, names: Collection[str] = ()) -> None:
        """Keeps a value, in the place of the one before; `key_of` finds it by its further `names`. A value
        larger than all room is not kept."""
        ...

    def keep_common(self, key: bytes, value: bytes, owner: str) -> None:
        """Keeps what all who keep a value say: once they say different ones, an empty one."""
        ...

    def key_of(self, name: str) -> bytes | None:
        """The key of the value that has this name."""
        ...

    def drop(self, key: bytes) -> None:
        """Drops a value, if it is kept."""
        ...

    def keep_only(self, owners: Collection[str]) -> None:
        """Drops what is of any other owner; what is nobody's stays."""
        ...


class Counts(Protocol):
    """Amounts by key, as a shelf has values."""

    def add(self, key: bytes, amount: float, owner: str) -> None:
        """Adds to the amount, at once for all who read it."""
        ...

    def total(self, keys: Iterable[bytes]) -> float:
        """The sum of the amounts of these keys."""
        ...


class Shelves(Protocol):
    """All that is kept: replies as the remote has them, what conversations have told, their sessions, the
    passages that were chosen for them, and responses."""

    @property
    def replies(self) -> Shelf: ...

    @property
    def spent(self) -> Counts: ...

    @property
    def sessions(self) -> Shelf: ...

    @property
    def choices(self) -> Shelf: ...

    @property
    def responses(self) -> Shelf: ...

    def owners(self) -> frozenset[str]:
        """Those that something is kept for."""
        ...

    def keep_only(self, owners: Collection[str]) -> None:
        """Drops what is of any other owner; what is nobody's stays."""
        ...


@dataclass(repr=False)
class _Entry:
    value: bytes
    owner: str
    names: tuple[str, ...] = ()


class MemoryShelf:
    """A shelf of this process, which ends with it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._names: dict[str, bytes] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return self._bytes

    def get(self, key: bytes) -> bytes | None:
        with self._lock:
            entry = self._entries.get(key)
        return None if entry is None else entry.value

    def use(self, key: bytes) -> bytes | None:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key].value

    def first(self, keys: Iterable[bytes]) -> bytes | None:
        with self._lock:
            return next((self._entries[key].value for key in keys if key in self._entries), None)

    def keep(self, key: bytes, value: bytes, owner: str, names: Collection[str] = ()) -> None:
        most_bytes = self._bounds.most_bytes
        if most_bytes is not None and len(value) > most_bytes:
            return
        with self._lock:
            self._put(key, _Entry(value, owner, tuple(names)))

    def keep_common(self, key: bytes, value: bytes, owner: str) -> None:
        with self._lock:
            before = self._entries.get(key)
            differs = before is not None and before.value != value
            self._put(key, _Entry(b"" if differs else value, owner))

    def key_of(self, name: str) -> bytes | None:
        with self._lock:
            return self._names.get(name)

    def drop(self, key: bytes) -> None:
        with self._lock:
            self._remove(key)

    def owners(self) -> frozenset[str]:
        """Those that something is kept for."""
        with self._lock:
            return frozenset(entry.owner for entry in self._entries.values() if entry.owner)

    def keep_only(self, owners: Collection[str]) -> None:
        """Drops what is of any other owner; what is nobody's stays."""
        with self._lock:
            left = {"", *owners}
            for key in [key for key, entry in self._entries.items() if entry.owner not in left]:
                self._remove(key)

    def _put(self, key: bytes, entry: _Entry) -> None:
        most, most_bytes = self._bounds.most, self._bounds.most_bytes
        self._remove(key)
        self._entries[key] = entry
        self._names |= dict.fromkeys(entry.names, key)
        self._bytes += len(entry.value)
        while len(self._entries) > most or (most_bytes is not None and self._bytes > most_bytes):
            self._remove(next(iter(self._entries)))

    def _remove(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry.value)
            for name in entry.names:
                self._names.pop(name, None)


class MemoryCounts:
    """Amounts of this process."""

    def __init__(self, bounds: Bounds) -> None:
        self._most = bounds.most
        self._amounts: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, key: bytes, amount: float, owner: str) -> None:
        with self._lock:
            before, _ = self._amounts.pop(key, (0.0, owner))
            self._amounts[key] = before + amount, owner
            while len(self._amounts) > self._most:
                self._amounts.popitem(last=False)

    def total(self, keys: Iterable[bytes]) -> float:
        with self._lock:
            return sum(self._amounts[key][0] for key in keys if key in self._amounts)

    def owners(self) -> frozenset[str]:
        """Those that something is kept for."""
        with self._lock:
            return frozenset(owner for _, owner in self._amounts.values() if owner)

    def keep_only(self, owners: Collection[str]) -> None:
        """Drops what is of any other owner; what is nobody's stays."""
        with self._lock:
            left = {"", *owners}
            for key in [key for key, (_, owner) in self._amounts.items() if owner not in left]:
                del self._amounts[key]


@dataclass(frozen=True, repr=False)
class MemoryShelves:
    """The shelves of one process; its end loses them."""

    replies: MemoryShelf = field(default_factory=lambda: MemoryShelf(REPLIES))
    spent: MemoryCounts = field(default_factory=lambda: MemoryCounts(SPENT))
    sessions: MemoryShelf = field(default_factory=lambda: MemoryShelf(SESSIONS))
    choices: MemoryShelf = field(default_factory=lambda: MemoryShelf(CHOICES))
    responses: MemoryShelf = field(default_factory=lambda: MemoryShelf(RESPONSES))

    def owners(self) -> frozenset[str]:
        return frozenset().union(*(one.owners() for one in self._all()))

    def keep_only(self, owners: Collection[str]) -> None:
        for one in self._all():
            one.keep_only(owners)

    def _all(self) -> tuple[MemoryShelf | MemoryCounts, ...]:
        return self.replies, self.spent, self.sessions, self.choices, self.responses
