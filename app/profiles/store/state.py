"""The file beside the database in which all workers of a server keep what they share of conversations.

It is none of the database's tables: what is kept for a while is in no backup, is written without waiting for
the disk, and wakes nobody who watches the profiles.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from filelock import FileLock

from app.errors import StoreError
from app.profiles.store.engine import BUSY_TIMEOUT, File, file_at, locked, named_errors
from app.profiles.store.migration import private_file

log = logging.getLogger(__name__)

STATE = "state.db"
# What is not used for so long is dropped, so that no restart keeps anything for ever.
KEPT_SECONDS = 30 * 24 * 3600.0
# Seconds that an erasure waits for readers of the log.
WIPE_TIMEOUT = 5.0
# Seconds that a reply waits for others who write: transactions here are short, and clients wait for its end.
PATIENCE = 2.0
# And as long as others have been waited for in vain: a reply writes several times.
IMPATIENCE = 0.1
# A file of another version is replaced: all in it may be lost.
VERSION = 1
# What SQLite says of a file that is damaged, is no database, or has none of these tables.
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
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
    """The file. Safe across threads and processes; any method may raise StoreError.

    A file that is damaged, or was taken away, is begun anew while the workers run: each of them looks whether
    the one that it has is the one that is there.
    """

    def __init__(self, data_dir: Path, clock: Clock = time.time) -> None:
        """`clock` gives Unix seconds."""
        self.path = data_dir / STATE
        self.clock = clock
        self._reader, self._writer = _Side(self.path), _Side(self.path)
        self._patience = PATIENCE

    @classmethod
    def open(cls, data_dir: Path, clock: Clock = time.time) -> Self:
        """Opens the file in `data_dir`; creates it, readable by its owner only, where there is none that this
        version can read."""
        state = cls(data_dir, clock)
        try:
            with state.reading():
                pass
            with state.writing(BUSY_TIMEOUT) as connection:
                connection.execute("DELETE FROM kept WHERE used < ?", (clock() - KEPT_SECONDS,))
        except BaseException:
            state.close()
            raise
        return state

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one statement."""
        with self._reader.using() as connection:
            yield connection

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed when the block ends without an error. Others who write are waited
        for `patience` seconds, in this process and in others; if None, as long as a reply waits for them."""
        begun = False
        try:
            with self._writer.using(self._patience if patience is None else patience) as connection:
                connection.execute("BEGIN IMMEDIATE")
                begun, self._patience = True, PATIENCE
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    # An error like that of a full disk may have ended it already.
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        finally:
            if not begun:
                self._patience = IMPATIENCE

    def check(self) -> None:
        """A trial write of a meaningless value. Raises StoreError if it fails."""
        with self.writing() as connection:
            connection.execute("PRAGMA application_id = 0")

    def wipe(self) -> None:
        """Takes what was deleted out of the log, too. A reader that is in the way delays it until the next
        time; the file itself never has anything deleted."""
        deadline = time.monotonic() + WIPE_TIMEOUT
        with self._writer.using(BUSY_TIMEOUT) as connection:
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
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
            with self.writing(BUSY_TIMEOUT) as connection:
                connection.executemany("DELETE FROM kept WHERE owner = ? AND shelf LIKE ?", gone)
            self.wipe()


def erase_others(data_dir: Path, owners: Callable[[], Collection[str]]) -> None:
    """Erases what the file in `data_dir`, if there is one, has of any other owner. Raises StoreError."""
    path = data_dir / STATE
    with named_errors(path):
        if not path.exists() or not _is_current(path):
            return
        with closing(State(data_dir)) as state:
            state.keep_only(owners())


class _Side:
    """One connection to the file, which one thread uses at a time: to the file that lies there, even if it is
    another one than before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: File | None = None
        self._closed = False

    def close(self) -> None:
        """For good."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        # SQLite leaves the log alone where that is another file's by now.
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    @contextmanager
    def using(self, patience: float = BUSY_TIMEOUT) -> Iterator[sqlite3.Connection]:
        """The connection. Others are waited for `patience` seconds. Raises StoreError; of a file that is
        damaged once, since it is begun anew."""
        asked = time.monotonic()
        if not self._lock.acquire(timeout=patience):
            raise locked(self._path)
        try:
            with named_errors(self._path):
                connection = self._current()
                left = max(0.0, patience - (time.monotonic() - asked))
                connection.execute(f"PRAGMA busy_timeout = {left * 1000:.0f}")
                try:
                    yield connection
                except sqlite3.DatabaseError as error:
                    if _is_damage(error):
                        raise self._begun_anew() from error
                    raise
        finally:
            self._lock.release()

    def _current(self) -> sqlite3.Connection:
        """The connection to the file that is there now."""
        if self._closed:
            raise sqlite3.ProgrammingError("closed")
        # As long as it is open, no other file gets its number.
        if self._connection is not None and self._file == file_at(self._path):
            return self._connection
        gone = self._connection is not None
        self._let_go()
        with _alone(self._path):
            if not _is_current(self._path):
                if gone:
                    log.warning("%s is gone, and begun anew: what it had of conversations is lost", STATE)
                remove(self._path.parent)
                private_file(self._path)
                _create(self._path)
            connection, self._file = _connected(self._path), file_at(self._path)
            # Only now SQLite opens the log that belongs to the file.
            connection.execute("SELECT 1 FROM kept LIMIT 1").fetchone()
        self._connection = connection
        return connection

    def _begun_anew(self) -> StoreError:
        """Removes the file, unless another worker has done so, and says that."""
        with _alone(self._path):
            if file_at(self._path) == self._file:
                log.warning("%s is damaged, and begun anew: what it had of conversations is lost", STATE)
                remove(self._path.parent)
            self._let_go()
        return StoreError(
            "what it had of conversations was damaged, and is begun anew; try again",
            path=self._path,
            reason="it was damaged",
            status=503,
        )


def _alone(path: Path) -> FileLock:
    """While it is held, nobody else opens, creates or removes the file."""
    return FileLock(path.with_name(f"{path.name}.lock"), timeout=BUSY_TIMEOUT, mode=0o600)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED


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
