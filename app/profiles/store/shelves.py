"""Shelves in a file, which all workers of a server share; see state.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

from app.profiles.shelf import CHOICES, REPLIES, RESPONSES, SESSIONS, SPENT, Bounds
from app.profiles.store.engine import BUSY_TIMEOUT
from app.profiles.store.state import KEPT_SECONDS, State

# That something was used is written at most once a minute: reading is to be no writing.
USED_STEP = 60.0
# The minutes of an hour, and the metrics, of many workers.
BOARD = Bounds(61 * 64)
# The most parameters of a statement in the oldest SQLite that Python builds with.
MOST_PARAMETERS = 900


@dataclass(frozen=True, repr=False)
class _Row:
    """A value or an amount, of `size` bytes; `used` is in Unix seconds."""

    shelf: str
    key: bytes
    owner: str
    value: bytes | float
    size: int
    used: float


class StoredShelf:
    """A shelf in the file; see Shelf."""

    def __init__(self, state: State, name: str, bounds: Bounds) -> None:
        self._state, self._name, self._bounds = state, name, bounds

    def get(self, key: bytes) -> bytes | None:
        return self.first([key])

    def use(self, key: bytes) -> bytes | None:
        now = self._state.clock()
        query = "SELECT value, used FROM kept WHERE shelf = ? AND key = ?"
        with self._state.reading() as connection:
            row = connection.execute(query, (self._name, key)).fetchone()
        if row is None:
            return None
        if now - row[1] > USED_STEP:
            with self._state.writing() as connection:
                update = "UPDATE kept SET used = ? WHERE shelf = ? AND key = ?"
                connection.execute(update, (now, self._name, key))
        value: bytes = row[0]
        return value

    def first(self, keys: Iterable[bytes]) -> bytes | None:
        query = "SELECT value FROM kept WHERE shelf = ? AND key = ?"
        with self._state.reading() as connection:
            for key in keys:
                row = connection.execute(query, (self._name, key)).fetchone()
                if row is not None:
                    value: bytes = row[0]
                    return value
        return None

    def keep(self, key: bytes, value: bytes, owner: str, names: Collection[str] = ()) -> None:
        most_bytes = self._bounds.most_bytes
        if most_bytes is not None and len(value) > most_bytes:
            return
        if not names and self.use(key) == value:
            return
        with self._state.writing() as connection:
            now = self._state.clock()
            row = _put(connection, _Row(self._name, key, owner, value, len(value), now))
            connection.execute("DELETE FROM name WHERE kept_id = ?", (row,))
            given = [(name, row) for name in names]
            connection.executemany("INSERT OR REPLACE INTO name (name, kept_id) VALUES (?, ?)", given)
            _bound(connection, self._name, self._bounds, now)

    def keep_common(self, key: bytes, value: bytes, owner: str) -> None:
        query, now = "SELECT value FROM kept WHERE shelf = ? AND key = ?", self._state.clock()
        with self._state.writing() as connection:
            before = connection.execute(query, (self._name, key)).fetchone()
            common = value if before is None or before[0] == value else b""
            _put(connection, _Row(self._name, key, owner, common, len(common), now))
            _bound(connection, self._name, self._bounds, now)

    def values(self, beginning: bytes) -> list[bytes]:
        """The values of all keys that begin so."""
        query = "SELECT value FROM kept WHERE shelf = ? AND substr(key, 1, ?) = ?"
        with self._state.reading() as connection:
            rows = connection.execute(query, (self._name, len(beginning), beginning)).fetchall()
        return [value for (value,) in rows]

    def check(self) -> None:
        """Raises StoreError where nothing can be written."""
        self._state.check()

    def key_of(self, name: str) -> bytes | None:
        query = "SELECT key FROM kept JOIN name ON kept_id = id WHERE name = ? AND shelf = ?"
        with self._state.reading() as connection:
            row = connection.execute(query, (name, self._name)).fetchone()
        return None if row is None else row[0]

    def drop(self, key: bytes) -> None:
        with self._state.writing(BUSY_TIMEOUT) as connection:
            connection.execute("DELETE FROM kept WHERE shelf = ? AND key = ?", (self._name, key))
        self._state.wipe()

    def keep_only(self, owners: Collection[str]) -> None:
        """Drops what is of any other owner; what is nobody's stays."""
        self._state.keep_only(owners, self._name)

    def clear(self) -> None:
        """Drops all values."""
        with self._state.writing(BUSY_TIMEOUT) as connection:
            connection.execute("DELETE FROM kept WHERE shelf = ?", (self._name,))


class StoredCounts:
    """Amounts in the file; see Counts."""

    def __init__(self, state: State, name: str, bounds: Bounds) -> None:
        self._state, self._name, self._bounds = state, name, bounds

    def add(self, key: bytes, amount: float, owner: str) -> None:
        now = self._state.clock()
        with self._state.writing() as connection:
            before = _total(connection, self._name, [key])
            _put(connection, _Row(self._name, key, owner, before + amount, 0, now))
            _bound(connection, self._name, self._bounds, now)

    def total(self, keys: Iterable[bytes]) -> float:
        with self._state.reading() as connection:
            return _total(connection, self._name, [*keys])


class StoredShelves:
    """All shelves in the file; see Shelves."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.replies = StoredShelf(state, "replies", REPLIES)
        self.spent = StoredCounts(state, "spent", SPENT)
        self.sessions = StoredShelf(state, "sessions", SESSIONS)
        self.choices = StoredShelf(state, "choices", CHOICES)
        self.responses = StoredShelf(state, "responses", RESPONSES)
        # What the workers publish, of nobody.
        self.board = StoredShelf(state, "board", BOARD)

    @classmethod
    @contextmanager
    def open(cls, data_dir: Path) -> Iterator[Self]:
        """Those in `data_dir`, closed at the end. Raises StoreError."""
        with closing(State.open(data_dir)) as state:
            yield cls(state)

    def owners(self) -> frozenset[str]:
        """Those that something is kept for."""
        with self._state.reading() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM kept WHERE owner != ''").fetchall()
        return frozenset(owner for (owner,) in rows)

    def keep_only(self, owners: Collection[str]) -> None:
        """Erases what is of any other owner; what is nobody's stays."""
        self._state.keep_only(owners)


def _put(connection: sqlite3.Connection, row: _Row) -> int:
    """Writes a row in the place of the one before; its id."""
    sql = """
        INSERT INTO kept (shelf, key, owner, value, size, used) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (shelf, key) DO UPDATE SET
            owner = excluded.owner, value = excluded.value, size = excluded.size, used = excluded.used
    """
    connection.execute(sql, astuple(row))
    query = "SELECT id FROM kept WHERE shelf = ? AND key = ?"
    (row_id,) = connection.execute(query, (row.shelf, row.key)).fetchone()
    return int(row_id)


def _bound(connection: sqlite3.Connection, shelf: str, bounds: Bounds, now: float) -> None:
    """Drops what is too old, and what was used least lately of what is too much."""
    old = "DELETE FROM kept WHERE shelf = ? AND used < ?"
    connection.execute(old, (shelf, now - KEPT_SECONDS))
    query = "SELECT count(*), total(size) FROM kept WHERE shelf = ?"
    count, size = connection.execute(query, (shelf,)).fetchone()
    most_bytes = size if bounds.most_bytes is None else bounds.most_bytes
    if count <= bounds.most and size <= most_bytes:
        return
    oldest = "SELECT id, size FROM kept WHERE shelf = ? ORDER BY used, id"
    gone = []
    for row, its_size in connection.execute(oldest, (shelf,)):
        if count <= bounds.most and size <= most_bytes:
            break
        gone.append((row,))
        count, size = count - 1, size - its_size
    connection.executemany("DELETE FROM kept WHERE id = ?", gone)


def _total(connection: sqlite3.Connection, shelf: str, keys: list[bytes]) -> float:
    found = 0.0
    for start in range(0, len(keys), MOST_PARAMETERS):
        some = keys[start : start + MOST_PARAMETERS]
        marks = ", ".join("?" * len(some))
        query = f"SELECT total(value) FROM kept WHERE shelf = ? AND key IN ({marks})"  # noqa: S608
        found += connection.execute(query, (shelf, *some)).fetchone()[0]
    return found
