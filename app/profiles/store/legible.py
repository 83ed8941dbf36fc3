"""Reads all of a database as the store does: what is whole to SQLite need not be to this program."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table
from sqlmodel import SQLModel, col, select

from app.errors import StoreError
from app.profiles.store.database import Database
from app.profiles.store.engine import is_in_the_way, named_errors
from app.profiles.store.index import PASSAGE_BITS
from app.profiles.store.keys import KeyStore
from app.profiles.store.profiles import ProfileStore
from app.profiles.store.tables import HistoryRow

# An id is part of the name of a table.
PROFILE_ID = re.compile(r"[a-z0-9_-]{1,64}")
# The index has an item's id and a passage in one number.
MOST_ITEMS = 1 << (63 - PASSAGE_BITS)
# What reading a row raises that no costeer has written.
ODD = (ValueError, TypeError, AttributeError, KeyError, OverflowError)


def is_legible(path: Path) -> bool:
    """Whether the store can read every row of a database of this version's schema.

    Raises StoreError where the disk or another program is in the way.
    """
    try:
        with named_errors(path), closing(sqlite3.connect(path)) as connection:
            if not all(_fits(connection, table) for table in SQLModel.metadata.sorted_tables):
                return False
        database = Database(path)
        try:
            return _is_understood(database)
        finally:
            database.close()
    except ODD:
        return False
    except StoreError as error:
        if is_in_the_way(error):
            raise
        return False


def _fits(connection: sqlite3.Connection, table: Table) -> bool:
    """Whether a table has this version's columns, and no bytes in them."""
    names = {row[1] for row in connection.execute(f'PRAGMA table_info("{table.name}")')}
    if names != {column.name for column in table.columns}:
        return False
    rows: Iterator[tuple[object, ...]] = connection.execute(f'SELECT * FROM "{table.name}"')  # noqa: S608
    return not any(isinstance(value, bytes) for row in rows for value in row)


def _is_understood(database: Database) -> bool:
    stored = ProfileStore(database).list()
    KeyStore(database).list()
    with database.reading() as session:
        rows = session.exec(select(col(HistoryRow.id), col(HistoryRow.created_at)))
        ids = [item_id for item_id, _ in rows if item_id is not None]
    return all(PROFILE_ID.fullmatch(one.profile.id) for one in stored) and all(
        0 < one < MOST_ITEMS for one in ids
    )
