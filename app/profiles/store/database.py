"""Transactions on the SQLite file, from many threads and processes; what they delete is wiped out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session

from app.errors import StoreError
from app.profiles.store.engine import BUSY_TIMEOUT, DATABASE, locked, named_errors, open_engine
from app.profiles.store.migration import prepare

# Seconds that an erasure waits for the readers who began before it.
WIPE_TIMEOUT = 5.0
# The file is written anew when so many pages of it are free, and that share of it: what is less is soon used
# again, by the index for one, which any removal writes anew.
SPARE_PAGES = 256
SPARE_SHARE = 1 / 3
SHRINK = "VACUUM"


class Database:
    """Transactions on one file, from several threads and processes. Any method may raise StoreError."""

    def __init__(self, path: Path) -> None:
        """For a file that is already at head; `open` is what callers want."""
        self.path = path
        self._reader = open_engine(path)
        # SQLite refuses, without waiting, to turn a read into a write: writers say so from the start.
        self._generator = self._reader.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite's own waiting is by polling and not fair; inside one process a lock is both.
        self._one_writer = threading.Lock()
        # For `version` alone; see there.
        self._watching: PoolProxiedConnection | None = None
        self._watch = threading.Lock()
        # Whether the log still holds what was deleted, since a reader was at work.
        self._unwiped = False

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """The database in `data_dir`, made or migrated first; an older one is copied beside itself before.

        What a process that was killed has left is taken out: its half of a transaction, and the room of what
        it erased. Where another process is at work, that is done once its transactions have ended.
        """
        database = cls(prepare(data_dir))
        database._unwiped = True  # there may be a log
        database._wipe_late()
        database._shrink()
        return database

    def close(self) -> None:
        self._wipe_late()
        if self._watching is not None:
            self._watching.close()
        self._reader.dispose()

    def version(self) -> int:
        """Another number after each commit, of whatever process. Takes microseconds, and waits for nobody."""
        with named_errors(self.path), self._watch:
            # SQLite does not count what the asking connection commits, so that one commits nothing.
            self._watching = self._watching or self._reader.raw_connection()
            with closing(self._watching.cursor()) as cursor:
                ((number,),) = cursor.execute("PRAGMA data_version").fetchall()
        return int(number)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view."""
        with named_errors(self.path), Session(self._reader) as session:
            yield session
        self._wipe_late()

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[Session]:
        """One transaction: committed, and on the disk, when the block ends without an error.

        Waits for this process's other writers, and BUSY_TIMEOUT for another process's; or for all of them
        together `patience` seconds.
        """
        with named_errors(self.path), self._as_only_writer(patience) as left:
            engine = self._generator if left is None else self._generator.execution_options(patience=left)
            with Session(engine) as session, session.begin():
                yield session
        self._wipe_late()

    @contextmanager
    def _as_only_writer(self, patience: float | None) -> Iterator[float | None]:
        """The writers' lock, and what is left of the patience. Raises StoreError once there is none."""
        asked = time.monotonic()
        if not self._one_writer.acquire(timeout=-1 if patience is None else patience):
            raise locked(self.path)
        try:
            yield None if patience is None else max(0.0, patience - (time.monotonic() - asked))
        finally:
            self._one_writer.release()

    @contextmanager
    def erasing(self) -> Iterator[Session]:
        """As `writing`; what the block deletes is then in no file of the folder any more."""
        with self.writing() as session:
            yield session
            # Before it is acknowledged: a process killed behind that would leave them.
            session.flush()
            self.remove_backups()
        self.wipe()

    def wipe(self) -> None:
        """Takes what was deleted out of the write-ahead log, removes the copy that an upgrade has made, and
        gives the disk the room back if that is much.

        While somebody reads for longer than WIPE_TIMEOUT the log cannot be emptied: then it is when the next
        transaction ends, or at closing.
        """
        with named_errors(self.path), self._one_writer:
            self._empty_log(WIPE_TIMEOUT)
            self.remove_backups()
        self._shrink()

    def remove_backups(self) -> None:
        """Those that upgrades have made: what is erased now still lies in them."""
        for backup in self.path.parent.glob(f"{DATABASE}.*.backup"):
            backup.unlink(missing_ok=True)

    def _shrink(self) -> None:
        """Writes the file anew if much of it is free: whole or not at all, in memory as large as what stays.

        What cannot be done now, on a full disk or behind another process that writes, is left for the next
        erasure or opening: what was to be erased is gone already.
        """
        with suppress(StoreError), named_errors(self.path), self._one_writer:
            with closing(self._reader.raw_connection()) as connection:
                cursor = connection.cursor()
                ((free,),) = cursor.execute("PRAGMA freelist_count").fetchall()
                ((pages,),) = cursor.execute("PRAGMA page_count").fetchall()
                if free <= max(SPARE_PAGES, SPARE_SHARE * pages):
                    return
                with _patience(cursor, 0):
                    cursor.execute(SHRINK)
            self._empty_log(0)  # or the file would end where it did

    def _wipe_late(self) -> None:
        """What `wipe` could not do yet, unless it would have to be waited for."""
        if self._unwiped and self._one_writer.acquire(blocking=False):
            try:
                with suppress(StoreError), named_errors(self.path):  # what was asked for is done
                    self._empty_log(0)
            finally:
                self._one_writer.release()

    def _empty_log(self, timeout: float) -> None:
        """The caller holds the writers' lock. SQLite waits for readers, but not for another checkpoint."""
        deadline = time.monotonic() + timeout
        with closing(self._reader.raw_connection()) as connection:
            cursor = connection.cursor()
            with _patience(cursor, timeout):
                while self._checkpoint_is_busy(cursor) and time.monotonic() < deadline:
                    time.sleep(0.01)

    def _checkpoint_is_busy(self, cursor: DBAPICursor) -> bool:
        (row,) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._unwiped = bool(row[0])
        return self._unwiped


@contextmanager
def _patience(cursor: DBAPICursor, seconds: float) -> Iterator[None]:
    """How long the connection waits for others meanwhile."""
    cursor.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
