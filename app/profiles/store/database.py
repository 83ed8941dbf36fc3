"""Transactions on the SQLite file across threads and processes; deleted data is erased from the files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session

from app.errors import StoreError
from app.profiles.store.engine import BUSY_TIMEOUT, DATABASE, file_at, locked, named_errors, open_engine
from app.profiles.store.migration import prepare, require_current
from app.profiles.store.state import erase_others

# Seconds that an erasure waits for readers that began before it.
WIPE_TIMEOUT = 5.0
# VACUUM runs when more pages than this are free, and more than this share of the file. Fewer are soon reused,
# for one by the full-text index, which every removal rewrites.
SPARE_PAGES = 256
SPARE_SHARE = 1 / 3
SHRINK = "VACUUM"


class Database:
    """Transactions on one file, safe across threads and processes. Any method may raise StoreError."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """For a file whose schema is at head already; callers use `open` or `look`."""
        self.path = path
        with named_errors(path):
            self._file = file_at(path)
        self._reader = open_engine(path, read_only=read_only)
        # SQLite would make an empty file, which a connection would read even once the right one is back.
        event.listen(self._reader, "do_connect", self._check_place)
        # A read transaction cannot become a write while another writes: SQLite fails without waiting.
        self._writer = self._reader.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite waits by polling, which is unfair; inside one process a lock avoids that.
        self._one_writer = threading.Lock()
        # The connection that only `version` uses; see there.
        self._watching: PoolProxiedConnection | None = None
        self._watch = threading.Lock()
        # Whether the WAL may still hold deleted data, since a reader blocked the checkpoint.
        self._unwiped = False

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """Opens the database in `data_dir`; creates it, or migrates it after making a backup beside it.

        Cleans up after a process that was killed: rolls back its unfinished transaction, and frees the space
        of what it erased. If another process uses the database, that waits until its transactions have ended.
        """
        database = cls(prepare(data_dir))
        database._unwiped = True  # there may be a WAL
        database._wipe_late()
        database._shrink()
        return database

    @classmethod
    def look(cls, data_dir: Path) -> Self:
        """Opens an existing database for reading only: creates, migrates and cleans up nothing."""
        path = data_dir / DATABASE
        with named_errors(path):
            require_current(path)
            return cls(path, read_only=True)

    def close(self) -> None:
        self._wipe_late()
        if self._watching is not None:
            self._watching.close()
        self._reader.dispose()

    def version(self) -> int:
        """A number that changes with each commit of any process. Takes microseconds; never blocks."""
        with named_errors(self.path), self._watch:
            # SQLite does not count the commits of the connection that asks, so this one never commits.
            self._watching = self._watching or self._reader.raw_connection()
            with closing(self._watching.cursor()) as cursor:
                ((number,),) = cursor.execute("PRAGMA data_version").fetchall()
        return int(number)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read transaction: one consistent snapshot."""
        with named_errors(self.path), Session(self._reader) as session:
            yield session
        self._wipe_late()

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[Session]:
        """A write transaction: committed, and on the disk, when the block ends without an error.

        Waits without limit for writers of this process, and up to BUSY_TIMEOUT for those of another; with
        `patience`, that many seconds for all of them together. Raises StoreError after that, and where the
        file was taken away: what is written to it then, nobody would find.
        """
        with named_errors(self.path), self._as_only_writer(patience) as left:
            engine = self._writer if left is None else self._writer.execution_options(patience=left)
            with Session(engine) as session, session.begin():
                self._check_place()
                yield session
        self._wipe_late()

    def _check_place(self, *_: object) -> None:
        """Raises StoreError unless the file is where it was."""
        if file_at(self.path) != self._file:
            raise StoreError(
                "it was moved away, or another file is in its place; put it back, or start again",
                path=self.path,
                reason="it was moved away",
            )

    @contextmanager
    def _as_only_writer(self, patience: float | None) -> Iterator[float | None]:
        """Holds the writers' lock; yields the seconds left of the patience. Raises StoreError on timeout."""
        asked = time.monotonic()
        if not self._one_writer.acquire(timeout=-1 if patience is None else patience):
            raise locked(self.path)
        try:
            yield None if patience is None else max(0.0, patience - (time.monotonic() - asked))
        finally:
            self._one_writer.release()

    @contextmanager
    def erasing(self) -> Iterator[Session]:
        """As `writing`; afterwards no file of the folder contains what the block deleted."""
        with self.writing() as session:
            yield session
            # Before the commit: if the process were killed after it, the backups would stay.
            session.flush()
            self.remove_backups()
        self.wipe()

    def wipe(self) -> None:
        """Erases deleted data: truncates the WAL by a checkpoint, removes migration backups, and runs VACUUM
        if that frees much space. What is kept of conversations of profiles that are gone is erased, too.

        A reader blocks the checkpoint. If it takes longer than WIPE_TIMEOUT, the checkpoint is tried again
        when the next transaction ends, and at closing.
        """
        with named_errors(self.path), self._one_writer:
            self._empty_log(WIPE_TIMEOUT)
            self.remove_backups()
        self._shrink()
        erase_others(self.path.parent, self._owners)

    def empty_log(self) -> None:
        """As `wipe`, but backups stay."""
        with named_errors(self.path), self._one_writer:
            self._empty_log(WIPE_TIMEOUT)
        self._shrink()
        erase_others(self.path.parent, self._owners)

    def remove_backups(self) -> None:
        """Removes the backups made by migrations: they still contain what is being erased."""
        for backup in self.path.parent.glob(f"{DATABASE}.*.backup"):
            backup.unlink(missing_ok=True)

    def _owners(self) -> set[str]:
        """Whom anything may be kept for: the ids and uids of the profiles."""
        with self._reader.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id, uid FROM profile").all()
        return {one for row in rows for one in row}

    def _shrink(self) -> None:
        """Runs VACUUM if much of the file is free. It is atomic, and needs memory for what remains.

        If it fails, on a full disk or since another process writes, the next erasure or opening tries again:
        the deleted data itself is erased already.
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
            self._empty_log(0)  # or the file would keep its size

    def _wipe_late(self) -> None:
        """Does what `wipe` could not do yet, if that is possible without waiting."""
        if self._unwiped and self._one_writer.acquire(blocking=False):
            try:
                with suppress(StoreError), named_errors(self.path):  # the caller's own work is done
                    self._empty_log(0)
            finally:
                self._one_writer.release()

    def _empty_log(self, timeout: float) -> None:
        """Checkpoints and truncates the WAL; the caller holds the writers' lock.

        SQLite waits for readers, but not for another connection's checkpoint, hence the loop.
        """
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
    """Sets the connection's busy timeout within the block."""
    cursor.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")
