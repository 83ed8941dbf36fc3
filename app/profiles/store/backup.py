"""Copies the database into a file while it is used, and puts such a copy in its place in one transaction."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection
from sqlmodel import SQLModel

from app.errors import StoreError
from app.profiles.store import index
from app.profiles.store.database import Database
from app.profiles.store.engine import BUSY_TIMEOUT, DATABASE, is_in_the_way, named_errors
from app.profiles.store.inspection import inspect_file
from app.profiles.store.legible import is_legible
from app.profiles.store.migration import LOCK, MIGRATION_TIMEOUT, PARTIAL, prepare, private_file

# What is called with the bytes that have been written since the last call.
Written = Callable[[int], None]
HEADER = b"SQLite format 3\0"
# SQLite's instructions between two looks at how far a copy is, and rows per INSERT.
STEPS, BATCH = 20_000, 500


@dataclass(frozen=True)
class Contents:
    """How much a database holds. `guarded`: it has an admin key, so every request needs a key."""

    profiles: int
    items: int
    keys: int
    guarded: bool

    @classmethod
    def of(cls, path: Path) -> Contents:
        """What the database at `path` holds. Raises StoreError."""
        with named_errors(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
            profiles, items, keys = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
                for table in ("profile", "history", "api_key")
            )
            admin = connection.execute("SELECT 1 FROM api_key WHERE profile_id IS NULL").fetchone()
        return cls(profiles, items, keys, guarded=admin is not None)


def copy_to(database: Path, target: Path, written: Written) -> None:
    """Writes one state of the database to `target`, an empty file or none; others may write meanwhile.

    VACUUM copies no free pages, so nothing that was erased is in the copy. Raises StoreError.
    """
    size, interrupted = 0, False

    def look() -> int:
        nonlocal size, interrupted
        try:
            now = target.stat().st_size
            written(max(now - size, 0))
            size = max(now, size)
        except KeyboardInterrupt:  # SQLite would only say that it was interrupted
            interrupted = True
        return interrupted

    with named_errors(target), closing(_connected(database)) as connection:
        connection.set_progress_handler(look, STEPS)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        except sqlite3.OperationalError:
            if interrupted:
                raise KeyboardInterrupt from None
            raise
    with named_errors(target), closing(_connected(target)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # a single file, whoever opens it


@contextmanager
def made_ready(file: Path, database: Path, written: Written) -> Iterator[Path]:
    """Yields a copy of a backup, checked and migrated to this version's schema; it is gone after the block.

    No other process prepares the database within the block. Raises StoreError, which says what to do with
    the file; it is not changed.
    """
    with named_errors(file):
        _checked_header(file)
    folder = database.with_name(f"{DATABASE}.restore{PARTIAL}")
    with named_errors(database):
        lock = FileLock(database.with_name(LOCK), timeout=MIGRATION_TIMEOUT, mode=0o600)
    with named_errors(database), lock:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            copy = folder / DATABASE
            private_file(copy)
            _copy_backup(file, copy, written)
            _checked(file, copy)
            yield _prepared(file, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def replace_all(database: Database, copy: Path) -> Path:
    """Puts everything of `copy`, of this version's schema, in place of all there is, in one transaction.

    Gives the path of the state before, which the next erasure removes.

    Profiles get new uids, and ids that were given are not given again: what was cached or noted under an old
    one belongs to another state. Raises StoreError, and then nothing has changed.
    """
    kept = database.path.with_name(f"{DATABASE}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.backup")
    partial = kept.with_suffix(PARTIAL)
    try:
        with closing(_connected(copy)) as source, database.writing() as session:
            # Nobody else can write now, so this is the last state.
            private_file(partial)
            copy_to(database.path, partial, lambda _: None)
            connection = session.connection()
            tables = [table.name for table in SQLModel.metadata.sorted_tables]
            for table in reversed(tables):
                connection.exec_driver_sql(f'DELETE FROM "{table}"')  # noqa: S608
            for table in tables:
                _insert(source, connection, table)
            for (profile_id,) in connection.exec_driver_sql("SELECT id FROM profile").all():
                renewed = (uuid.uuid4().hex, profile_id)
                connection.exec_driver_sql("UPDATE profile SET uid = ? WHERE id = ?", renewed)
            _count_on(source, connection)
            index.rebuild(connection)
            partial.replace(kept)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        # A Ctrl-C during the commit comes after it: then this is all there is of the state before.
        if isinstance(error, Exception):
            kept.unlink(missing_ok=True)
        raise
    database.empty_log()
    return kept


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _checked_header(file: Path) -> None:
    with file.open("rb") as stream:
        if stream.read(len(HEADER)) != HEADER:
            raise StoreError("it is no backup. Name a file that `costeer backup` has written", path=file)


def _copy_backup(file: Path, copy: Path, written: Written) -> None:
    """Copies the file as it is, page by page; it may be a database with a log beside it."""
    log = file.with_name(f"{file.name}-wal")
    mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    size = file.stat().st_size
    done = 0

    def progress(_: int, remaining: int, total: int) -> None:
        nonlocal done
        now = size * (total - remaining) // max(total, 1)
        written(now - done)
        done = now

    try:
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target, pages=1000, progress=progress)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise _damaged(file) from error
        raise


def _checked(file: Path, copy: Path) -> None:
    """Raises StoreError unless the copy is whole, of costeer, and not newer than this version."""
    try:
        found = inspect_file(copy)
        whole = not found.damaged and _is_whole(copy)
    except (StoreError, sqlite3.DatabaseError) as error:
        raise _damaged(file) from error
    if found.foreign or found.revision is None:
        raise StoreError(
            "it is another program's database. Name a file that `costeer backup` has written", path=file
        )
    if found.newer:
        raise StoreError(
            f"it was written by a newer costeer (its schema is {found.revision!r}): upgrade costeer",
            path=file,
        )
    if not whole:
        raise _damaged(file)


def _prepared(file: Path, folder: Path) -> Path:
    """Migrates the copy in the folder. Raises StoreError, which names the file if it cannot be read then."""
    from alembic.util import CommandError  # noqa: PLC0415  # help and completion are to be quick

    try:
        path = prepare(folder)
    except (StoreError, CommandError, OverflowError) as error:
        if isinstance(error, StoreError) and is_in_the_way(error):
            raise
        raise _damaged(file) from None  # what is said of it may quote it
    if not is_legible(path):
        raise _damaged(file)
    return path


def _is_whole(copy: Path) -> bool:
    with closing(_connected(copy)) as connection:
        sound = connection.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
        return sound and connection.execute("PRAGMA foreign_key_check").fetchone() is None


def _damaged(file: Path) -> StoreError:
    return StoreError("it is damaged: take another backup", path=file)


def _insert(source: sqlite3.Connection, connection: Connection, table: str) -> None:
    """Copies the rows of a table, which has the same columns on both sides."""
    rows = source.execute(f'SELECT * FROM "{table}"')  # noqa: S608
    names = [column[0] for column in rows.description]
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join("?" * len(names))})'  # noqa: S608
    while batch := rows.fetchmany(BATCH):
        connection.exec_driver_sql(sql, batch)


def _count_on(source: sqlite3.Connection, connection: Connection) -> None:
    """Goes on counting ids from the higher of both counts. (The rows of this one's outlast a DELETE.)"""
    for name, highest in source.execute("SELECT name, seq FROM sqlite_sequence").fetchall():
        sql = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?"
        connection.exec_driver_sql(sql, (highest, name))
        connection.exec_driver_sql(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?, ? WHERE NOT EXISTS"
            " (SELECT 1 FROM sqlite_sequence WHERE name = ?)",
            (name, highest, name),
        )
