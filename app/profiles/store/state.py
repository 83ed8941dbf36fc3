"""The file beside the database in which all workers of a server keep what they share of conversations.

It is none of the database's tables: what is kept for a while is in no backup, is written without waiting for
the disk, and wakes nobody who watches the profiles.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from filelock import FileLock

from app.profiles.store.engine import BUSY_TIMEOUT, named_errors
from app.profiles.store.migration import private_file

STATE = "state.db"
# What is not used for so long is dropped, so that no restart keeps anything for ever.
KEPT_SECONDS = 30 * 24 * 3600.0
# Seconds that an erasure waits for readers of the log.
WIPE_TIMEOUT = 5.0
# A file of another version is replaced: all in it may be lost.
VERSION = 1
SCHEMA = """
CREATE TABLE kept (
    id INTEGER PRIMARY KEY, shelf TEXT NOT NULL, key BLOB NOT NULL, owner TEXT NOT NULL,
    value NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL
);
CREATE UNIQUE INDEX kept_key ON kept (shelf, key);
CREATE INDEX kept_used ON kept (shelf, used, size);
CREATE INDEX kept_owner ON kept (owner);
CREATE TABLE name (
    name TEXT PRIMARY KEY, kept_id INTEGER NOT NULL REFERENCES kept (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX name_of ON name (kept_id);
"""

Clock = Callable[[], float]


class State:
    """The file. Safe across threads and processes; any method may raise StoreError."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        """For a file that is there; callers use `open`. `clock` gives Unix seconds."""
        self.path = path
        self.clock = clock
        self._reader, self._writer = _connected(path), _connected(path)
        self._reading, self._one_writer = threading.Lock(), threading.Lock()

    @classmethod
    def open(cls, data_dir: Path, clock: Clock = time.time) -> Self:
        """Opens the file in `data_dir`; creates it, readable by its owner only, where there is none that this
        version can read."""
        path = data_dir / STATE
        with named_errors(path), FileLock(data_dir / f"{STATE}.lock", timeout=BUSY_TIMEOUT, mode=0o600):
            if not _is_current(path):
                remove(data_dir)
                private_file(path)
                _create(path)
            state = cls(path, clock)
        with state.writing() as connection:
            connection.execute("DELETE FROM kept WHERE used < ?", (clock() - KEPT_SECONDS,))
        return state

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one statement."""
        with named_errors(self.path), self._reading:
            yield self._reader

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed when the block ends without an error."""
        with named_errors(self.path), self._one_writer:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def wipe(self) -> None:
        """Takes what was deleted out of the log, too. A reader that is in the way delays it until the next
        time; the file itself never has anything deleted."""
        deadline = time.monotonic() + WIPE_TIMEOUT
        with named_errors(self.path), self._one_writer:
            while self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)

    def keep_only(self, owners: Collection[str], shelf: str | None = None) -> None:
        """Erases what is of any other owner, from all shelves or one; what is nobody's stays."""
        left, of = {"", *owners}, "%" if shelf is None else shelf
        with self.reading() as connection:
            rows = connection.execute("SELECT DISTINCT owner FROM kept WHERE shelf LIKE ?", (of,)).fetchall()
        gone = [(owner, of) for (owner,) in rows if owner not in left]
        if gone:
            with self.writing() as connection:
                connection.executemany("DELETE FROM kept WHERE owner = ? AND shelf LIKE ?", gone)
            self.wipe()


def erase_others(data_dir: Path, owners: Callable[[], Collection[str]]) -> None:
    """Erases what the file in `data_dir`, if there is one, has of any other owner. Raises StoreError."""
    path = data_dir / STATE
    with named_errors(path):
        if not path.exists() or not _is_current(path):
            return
        with closing(State(path)) as state:
            state.keep_only(owners())


def remove(data_dir: Path) -> None:
    """Removes the file, which no process may have open. Raises OSError."""
    for name in (STATE, f"{STATE}-wal", f"{STATE}-shm"):
        (data_dir / name).unlink(missing_ok=True)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    # A commit outlasts this process at once, and a loss of power as a whole or not at all.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 0")
    return connection


def _is_current(path: Path) -> bool:
    """Whether the file is there, whole enough to be opened, and of this version."""
    if not path.exists():
        return False
    try:
        with closing(_connected(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            return bool(version == VERSION)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            return False
        raise


def _create(path: Path) -> None:
    with closing(_connected(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
