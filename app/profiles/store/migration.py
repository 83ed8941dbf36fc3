"""Creates the database file, readable by its owner only, or migrates its schema after making a backup."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from sqlalchemy import inspect

from app.errors import StoreError
from app.profiles.shipped import shipped
from app.profiles.store import index
from app.profiles.store.engine import DATABASE, OTHER_FOLDER, named_errors, open_engine

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = shipped("migrations")
# The lock file, beside the database, and how the name of what is not complete ends.
LOCK = f"{DATABASE}.lock"
PARTIAL = ".partial"
# Seconds to wait for a migration by another process.
MIGRATION_TIMEOUT = 300.0


def prepare(data_dir: Path) -> Path:
    """The path of the database in `data_dir`, created, or migrated after making a backup beside it.

    Raises StoreError, which says what to do.
    """
    path = data_dir / DATABASE
    with named_errors(path):
        _private_folder(data_dir)
        with FileLock(path.with_name(LOCK), timeout=MIGRATION_TIMEOUT, mode=0o600):
            for partial in data_dir.glob(f"{DATABASE}.*{PARTIAL}*"):
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
            private_file(path)
            _migrate(path)
    return path


def require_current(path: Path) -> None:
    """Raises StoreError unless the database is there and its schema is at head. Only reads."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    if not path.exists():
        raise StoreError("there is no database yet; `costeer profiles create` makes one", path=path)
    engine = open_engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if current != ScriptDirectory.from_config(_config()).get_current_head():
        raise StoreError(
            "another version of costeer wrote it; `costeer profiles list` upgrades it", path=path
        )


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415  # help and completion open no database: they are quick

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _migrate(path: Path) -> None:
    """Migrates the schema to head in one transaction. The caller holds the lock file."""
    from alembic import command  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = _config()
    script = ScriptDirectory.from_config(config)
    # With foreign keys on, rebuilding a table would delete the rows that refer to it.
    engine = open_engine(path, foreign_keys=False)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is None and inspect(connection).get_table_names():
                raise StoreError(f"it belongs to another program; {OTHER_FOLDER}", path=path)
        if current not in {None, *(revision.revision for revision in script.walk_revisions())}:
            raise StoreError(
                f"it was written by a newer costeer (its schema is {current!r}): upgrade costeer, or "
                f"{OTHER_FOLDER}",
                path=path,
            )
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        if current not in {None, script.get_current_head()}:
            _backup(path, str(current))
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            if current != script.get_current_head():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise StoreError("it was not upgraded: it holds history without a profile", path=path)
            if not index.is_current(connection):
                index.rebuild(connection)
    finally:
        engine.dispose()


def _backup(path: Path, revision: str) -> None:
    """Copies the database to `costeer.db.<revision>.backup`; an incomplete copy is named .partial."""
    partial = path.with_name(f"{path.name}.{revision}{PARTIAL}")
    private_file(partial)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
    partial.replace(partial.with_suffix(".backup"))


def _private_folder(folder: Path) -> None:
    """Creates the folder. Sets mode 0700 on a new or empty one; one with files keeps its permissions."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        # A mounted volume may belong to another user; the file has its own private mode.
        with suppress(PermissionError):
            folder.chmod(0o700)


def private_file(path: Path) -> None:
    """Creates the file with mode 0600; one that is there gets that mode. Raises OSError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        # Do not open it: closing it would release the POSIX locks that SQLite holds on it in this process.
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        path.chmod(0o600)
