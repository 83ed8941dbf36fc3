"""Stores profiles, history and API keys in SQLite: durable once a call returns, erased once deleted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from app.errors import StoreError
from app.profiles.store.backup import Contents, Written, copy_to, made_ready, replace_all
from app.profiles.store.database import Database
from app.profiles.store.engine import DISK_IS_FULL, named_errors
from app.profiles.store.history import HistoryStore
from app.profiles.store.keys import KeyStore
from app.profiles.store.profiles import Change, ProfileStore
from app.profiles.store.sources import SourceStore

# Free bytes on the disk below which writes may fail.
ROOM = 2**20
# Seconds that `check` waits for other writers.
CHECK_PATIENCE = 1.0

__all__ = ["Change", "Contents", "HistoryStore", "KeyStore", "ProfileStore", "SourceStore", "Store"]


class Store:
    """The database. Synchronous, and safe across threads and processes; any method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path
        self.profiles = ProfileStore(database)
        self.history = HistoryStore(database)
        self.sources = SourceStore(database)
        self.keys = KeyStore(database)

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """Opens the database in `data_dir`; creates it, or migrates it after making a backup beside it."""
        return cls(Database.open(data_dir))

    @classmethod
    def look(cls, data_dir: Path) -> Self:
        """Opens an existing database for reading only: creates and migrates nothing."""
        return cls(Database.look(data_dir))

    def version(self) -> int:
        """A number that changes with each commit of any process. Takes microseconds; never blocks."""
        return self._database.version()

    def check(self) -> None:
        """A trial write of a meaningless value. Raises StoreError if it fails or the disk is nearly full."""
        with self._database.writing(CHECK_PATIENCE) as session:
            session.connection().exec_driver_sql("PRAGMA application_id = 0")
        with named_errors(self.path):
            free = shutil.disk_usage(self.path.parent).free
        if free < ROOM:
            raise StoreError(f"{self.path}: {DISK_IS_FULL}; free some space", reason=DISK_IS_FULL)

    def contents(self) -> Contents:
        """How much there is of what."""
        return Contents.of(self.path)

    def backup(self, target: Path, written: Written) -> Contents:
        """Writes one state of the database to `target`, an empty file; nothing that was erased is in it.

        `written` is called with the bytes that have been written since it was called last.
        """
        copy_to(self.path, target, written)
        return Contents.of(target)

    @contextmanager
    def read_backup(self, file: Path, written: Written) -> Iterator[Path]:
        """Yields what `restore` takes of a backup: its copy, checked and in this version's schema."""
        with made_ready(file, self.path, written) as copy:
            yield copy

    def restore(self, copy: Path) -> Path:
        """Puts all of `copy` in place of all that is stored, in one transaction.

        Gives the path of a backup of the state before. Processes that use the database notice by `version`,
        and by the profiles' new uids.
        """
        return replace_all(self._database, copy)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
