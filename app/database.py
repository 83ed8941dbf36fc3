"""The SQLite file under the store: opened privately, migrated with a backup, its errors named."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

from app.errors import StoreError

DATABASE = "costeer.db"
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
# Seconds to wait for another process's write, and for another process's migration.
BUSY_TIMEOUT = 30.0
MIGRATION_TIMEOUT = 300.0

OTHER_FOLDER = "set COSTEER_DATA_DIR to a folder of your own"
# What to do, by SQLite's primary error code.
ADVICE = {
    sqlite3.SQLITE_BUSY: "another program keeps it locked; close that one and try again",
    sqlite3.SQLITE_READONLY: f"it cannot be written; {OTHER_FOLDER}",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened; {OTHER_FOLDER}",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a backup in its place, or move it away to start anew",
    sqlite3.SQLITE_NOTADB: f"this file is not a database; move it away, or {OTHER_FOLDER}",
}


def prepare(data_dir: Path) -> Path:
    """The database file in `data_dir`, made or migrated first; an older one is copied beside itself before.

    Raises StoreError, which says what to do.
    """
    path = data_dir / DATABASE
    with named_errors(path):
        _private_folder(data_dir)
        with FileLock(path.with_name(f"{DATABASE}.lock"), timeout=MIGRATION_TIMEOUT, mode=0o600):
            _private_file(path)
            _migrate(path)
    return path


def open_engine(path: Path, *, foreign_keys: bool = True) -> Engine:
    # SQLAlchemy would quote parameters in its errors, and at DEBUG log every row that it reads.
    logging.getLogger(f"sqlalchemy.engine.Engine.{DATABASE}").setLevel(logging.WARNING)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        logging_name=DATABASE,
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute(f"PRAGMA foreign_keys = {foreign_keys:d}")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")

    # The driver's own BEGIN comes late and never before DDL, so transactions are begun here.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _migrate(path: Path) -> None:
    """Brings the database to head in one transaction. The caller holds the lock file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    # With foreign keys on, rebuilding a table would delete the rows that refer to it.
    engine = open_engine(path, foreign_keys=False)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is None and inspect(connection).get_table_names():
                raise StoreError(f"{path} belongs to another program; {OTHER_FOLDER}")
        if current not in {None, *(revision.revision for revision in script.walk_revisions())}:
            raise StoreError(
                f"{path} was written by a newer costeer (its schema is {current!r}): upgrade costeer, "
                f"or {OTHER_FOLDER}"
            )
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        if current == script.get_current_head():
            return
        if current is not None:
            _backup(path, current)
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise StoreError(f"{path} was not upgraded: it holds history without a profile")
    finally:
        engine.dispose()


def _backup(path: Path, revision: str) -> None:
    """Copies the database to `costeer.db.<revision>.backup`; a copy cut short keeps another name."""
    partial = path.with_name(f"{path.name}.{revision}.partial")
    partial.unlink(missing_ok=True)
    _private_file(partial)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
    partial.replace(partial.with_suffix(".backup"))


def _private_folder(folder: Path) -> None:
    """Closes a new or empty folder to others; one that holds files is somebody's, and stays as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        with suppress(
            PermissionError
        ):  # a mounted volume may be another user's; the file is private by itself
            folder.chmod(0o700)


def _private_file(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's and the file system's errors into StoreError, which says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        advice = ADVICE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, str(cause))
        raise StoreError(f"{path}: {advice}") from cause
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; {OTHER_FOLDER}") from error
