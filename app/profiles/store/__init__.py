"""Profiles, history and API keys in SQLite on the device: durable once acknowledged, gone once deleted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

from app.errors import StoreError
from app.profiles.store.database import Database
from app.profiles.store.engine import DISK_IS_FULL
from app.profiles.store.history import HistoryStore
from app.profiles.store.keys import KeyStore
from app.profiles.store.profiles import Change, ProfileStore

# Below so many free bytes of the disk nothing is sure to be written any more.
ROOM = 2**20
# Seconds that a look at the database waits for those who write to it.
CHECK_PATIENCE = 1.0

__all__ = ["Change", "HistoryStore", "KeyStore", "ProfileStore", "Store"]


class Store:
    """Synchronous, and safe to call from several threads and processes. Any method may raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path
        self.profiles = ProfileStore(database)
        self.history = HistoryStore(database)
        self.keys = KeyStore(database)

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """The database in `data_dir`, made or migrated first; an older one is copied beside itself before."""
        return cls(Database.open(data_dir))

    def version(self) -> int:
        """Another number after each commit, of whatever process. Takes microseconds, and waits for nobody."""
        return self._database.version()

    def check(self) -> None:
        """Writes a number that means nothing. Raises StoreError where that, or more, could not be written."""
        with self._database.writing(CHECK_PATIENCE) as session:
            session.connection().exec_driver_sql("PRAGMA application_id = 0")
        if shutil.disk_usage(self.path.parent).free < ROOM:
            raise StoreError(f"{self.path}: {DISK_IS_FULL}; free some space", reason=DISK_IS_FULL)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
