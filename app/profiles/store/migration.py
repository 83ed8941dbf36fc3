"""Creates the database file, readable by its owner only, or migrates its schema after making a backup."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from sqlalchemy import Connection, inspect

from app.errors import StoreError
from app.profiles.shipped import shipped
from app.profiles.store import index
from app.profiles.store.engine import DATABASE, OTHER_FOLDER, named_errors, open_engine

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = shipped("migrations")
# How a migration names itself and the one that it follows.
REVISION = re.compile(r"""^(down_)?revision = ["'](\w+)["']$""", re.MULTILINE)
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
    if not path.exists():
        raise StoreError("there is no database yet; `costeer profiles create` makes one", path=path)
    engine = open_engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            current = _is_current(connection)
    finally:
        engine.dispose()
    if not current:
        raise StoreError(
            "another version of costeer wrote it; `costeer profiles list` upgrades it", path=path
        )


def head() -> str:
    """The revision of the newest schema. Alembic would say so too, but its import is a tenth of a start."""
    texts = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    named = [match for text in texts for match in REVISION.findall(text)]
    (newest,) = {name for kind, name in named if not kind} - {name for kind, name in named if kind}
    return str(newest)


def _is_current(connection: Connection) -> bool:
    """Whether the schema is at head."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
    return [tuple(row) for row in rows] == [(head(),)]


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415  # help and completion open no database: they are quick

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _migrate(path: Path) -> None:
    """Migrates the schema to head in one transaction. The caller holds the lock file."""
    # With foreign keys on, rebuilding a table would delete the rows that refer to it.
    engine = open_engine(path, foreign_keys=False)
    try:
        with engine.connect() as connection:
            current = _is_current(connection)
            before = None if current else _known_revision(connection, path)
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")
        if before is not None:
            _backup(path, before)
        with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            if not current:
                _upgrade(connection, path)
            if not index.is_current(connection):
                index.rebuild(connection)
    finally:
        engine.dispose()


def _known_revision(connection: Connection, path: Path) -> str | None:
    """The revision of a schema that can be upgraded; None of an empty database. Raises StoreError."""
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and inspect(connection).get_table_names():
        raise StoreError(f"it belongs to another program; {OTHER_FOLDER}", path=path)
    known = {one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision not in {None, *known}:
        raise StoreError(
            f"it was written by a newer costeer (its schema is {revision!r}): upgrade costeer, or "
            f"{OTHER_FOLDER}",
            path=path,
        )
    return revision


def _upgrade(connection: Connection, path: Path) -> None:
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise StoreError("it was not upgraded: it holds history without a profile", path=path)


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
