"""The SQLAlchemy engine: durable writes, secure deletion, and SQLite's errors mapped to StoreError."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from app.errors import StoreError

DATABASE = "costeer.db"
# Seconds to wait for another process's write lock, unless a transaction sets its own patience.
BUSY_TIMEOUT = 30.0

DISK_IS_FULL = "the disk is full"
OTHER_FOLDER = "set COSTEER_DATA_DIR to a folder of your own"
# What the user can do, by SQLite's primary error code.
ADVICE = {
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that one and try again",
    sqlite3.SQLITE_READONLY: f"it cannot be written; {OTHER_FOLDER}",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened; {OTHER_FOLDER}",
    sqlite3.SQLITE_FULL: f"{DISK_IS_FULL}; free some space and try again",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a backup in its place, or move it away to start anew",
    sqlite3.SQLITE_NOTADB: f"this file is not a database; move it away, or {OTHER_FOLDER}",
}
NOT_UTF_8 = "it holds a text that is not UTF-8; put a backup in its place"
# Of the disk and of other programs, not of what is in the file.
IN_THE_WAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
}


def open_engine(path: Path, *, foreign_keys: bool = True, read_only: bool = False) -> Engine:
    # SQLAlchemy would show parameters in its errors, and log every row that it reads at level DEBUG.
    logging.getLogger(f"sqlalchemy.engine.Engine.{DATABASE}").setLevel(logging.WARNING)
    engine = create_engine(
        _to_read(path) if read_only else URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        logging_name=DATABASE,
        max_overflow=-1,  # unlimited: one connection for each active thread
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys:d}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
        # Truncate a WAL that starts over, so that no old page outlasts a checkpoint and the next write.
        connection.execute("PRAGMA journal_size_limit = 0")
        # Temporary tables, sorters and statement journals never go to the system's temporary folder.
        connection.execute("PRAGMA temp_store = MEMORY")

    # The driver would BEGIN late, and never before DDL, so transactions are begun here.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        patience = options.get("patience", BUSY_TIMEOUT)
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        connection.exec_driver_sql(options.get("begin", "BEGIN"))

    return engine


def how_to_read(path: Path) -> dict[str, str]:
    """The parameters of a URI that opens a database for reading only. Without an existing WAL, SQLite would
    create one even for reading, unless it is told that the file is immutable."""
    log = path.with_name(f"{path.name}-wal")
    return {"mode": "ro"} if log.exists() else {"mode": "ro", "immutable": "1"}


def _to_read(path: Path) -> URL:
    return URL.create("sqlite", database=path.absolute().as_uri(), query={"uri": "true", **how_to_read(path)})


def is_in_the_way(error: StoreError) -> bool:
    """Whether the disk or another program failed, so that the same file may do another time."""
    cause = error.__cause__
    return isinstance(cause, OSError) or getattr(cause, "sqlite_errorcode", 0) & 0xFF in IN_THE_WAY


def locked(path: Path) -> StoreError:
    """The error when another writer held the lock for too long; a later attempt may succeed (503)."""
    advice = ADVICE[sqlite3.SQLITE_BUSY]
    return StoreError(advice, path=path, reason=advice.partition(";")[0], status=503)


# Which file it is, whatever its name: its device and its number there.
File = tuple[int, int]


def file_at(path: Path) -> File | None:
    """The file that is there now, if there is one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Maps errors of SQLite and the file system to StoreError, which says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise locked(path) from cause
        # Python's own have no code, and quote a text that is not UTF-8.
        advice = ADVICE.get(code, str(cause) if code else NOT_UTF_8)
        reason = advice.partition(";")[0] if code in ADVICE else "it cannot be used"
        raise StoreError(advice, path=path, reason=reason) from (cause if code else None)
    except TimeoutError as error:  # of the lock file
        raise locked(path) from error
    except OSError as error:
        raise StoreError(f"{error.strerror or type(error).__name__}; {OTHER_FOLDER}", path=path) from error
