"""Profiles, history and API keys in SQLite on the device: durable once acknowledged, gone once deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from app.store.database import Database
from app.store.history import HistoryStore
from app.store.keys import KeyStore
from app.store.profiles import Change, ProfileStore

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
        """Raises StoreError where nothing could be written now; a full disk is not noticed."""
        with self._database.writing() as session:
            session.connection()  # begins the transaction, which is what fails

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
