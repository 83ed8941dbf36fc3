"""Profiles and their history in SQLite on the device: durable once acknowledged, gone once deleted."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, delete, select, update

from app.errors import ProfileNotFound, StoreError
from app.profile import HistoryItem, Profile, ProfileSummary
from app.tables import HistoryRow, ProfileRow

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

Change = Literal["created", "replaced", "unchanged"]


class Store:
    """Synchronous, and safe to call from several threads and processes. Any method may raise StoreError."""

    def __init__(self, path: Path) -> None:
        """For a database that is already at head; `open` is what callers want."""
        self.path = path
        self._reader = _engine(path)
        # SQLite refuses, without waiting, to turn a read into a write: writers say so from the start.
        self._writer = self._reader.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite's own waiting is by polling and not fair; inside one process a lock is both.
        self._one_writer = threading.Lock()

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """The database in `data_dir`, made or migrated first; an older one is copied beside itself before."""
        path = data_dir / DATABASE
        with _named_errors(path):
            _private_folder(data_dir)
            with FileLock(path.with_name(f"{DATABASE}.lock"), timeout=MIGRATION_TIMEOUT, mode=0o600):
                _private_file(path)
                _migrate(path)
        return cls(path)

    def close(self) -> None:
        self._reader.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def profiles(self) -> list[ProfileSummary]:
        """All profiles, by id."""
        items = func.count(col(HistoryRow.id))
        query = select(ProfileRow, items).outerjoin(HistoryRow).group_by(col(ProfileRow.id))
        with self._reading() as session:
            return [
                ProfileSummary(row.id, row.name, row.is_default, count, row.created_at, row.updated_at)
                for row, count in session.exec(query.order_by(col(ProfileRow.id)))
            ]

    def profile(self, profile_id: str) -> Profile:
        """Raises ProfileNotFound."""
        with self._reading() as session:
            return _profile(session, _row(session, profile_id))

    def default_profile(self) -> Profile | None:
        with self._reading() as session:
            row = session.exec(select(ProfileRow).where(col(ProfileRow.is_default))).first()
            return _profile(session, row) if row is not None else None

    def put(self, profile: Profile) -> Change:
        """Creates the profile, or replaces the one of the same id, with its history, or does nothing of it.

        A default profile takes the flag from the one that had it. A profile equal to the stored one is
        left as it is, times included; a history item that stays keeps its time.
        """
        with self._writing() as session:
            row = session.get(ProfileRow, profile.id)
            if row is not None and _profile(session, row) == profile:
                return "unchanged"
            if profile.is_default:
                session.exec(update(ProfileRow).where(col(ProfileRow.is_default)).values(is_default=False))
            change: Change = "replaced" if row is not None else "created"
            now = datetime.now(UTC)
            session.merge(
                ProfileRow(
                    id=profile.id,
                    name=profile.name,
                    fields=json.dumps(dict(profile.fields), ensure_ascii=False),
                    is_default=profile.is_default,
                    created_at=row.created_at if row is not None else now,
                    updated_at=now,
                )
            )
            session.flush()
            _replace_history(session, profile, now)
        if change == "replaced":
            self._wipe_log()
        return change

    def delete(self, profile_id: str) -> None:
        """Erases the profile and its history from the file as well; raises ProfileNotFound."""
        with self._writing() as session:
            session.delete(_row(session, profile_id))
        self._wipe_log()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with _named_errors(self.path), Session(self._reader) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """One transaction: committed, and on the disk, when the block ends without an error."""
        with _named_errors(self.path), self._one_writer, Session(self._writer) as session, session.begin():
            yield session

    def _wipe_log(self) -> None:
        """Empties the write-ahead log, where pages still hold what was deleted; readers may put it off."""
        with _named_errors(self.path), self._one_writer, closing(self._reader.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _row(session: Session, profile_id: str) -> ProfileRow:
    row = session.get(ProfileRow, profile_id)
    if row is None:
        raise ProfileNotFound(
            f"there is no profile {profile_id[:64]!r}; `costeer profiles list` shows those there are"
        )
    return row


def _profile(session: Session, row: ProfileRow) -> Profile:
    return Profile(
        id=row.id,
        name=row.name,
        fields=tuple(json.loads(row.fields).items()),
        is_default=row.is_default,
        history=tuple(HistoryItem(item.title, item.text) for item in _history(session, row.id)),
    )


def _history(session: Session, profile_id: str) -> list[HistoryRow]:
    query = select(HistoryRow).where(col(HistoryRow.profile_id) == profile_id)
    return list(session.exec(query.order_by(col(HistoryRow.position))))


def _replace_history(session: Session, profile: Profile, now: datetime) -> None:
    since = {(row.title, row.text): row.created_at for row in _history(session, profile.id)}
    session.exec(delete(HistoryRow).where(col(HistoryRow.profile_id) == profile.id))
    session.add_all(
        HistoryRow(
            profile_id=profile.id,
            position=position,
            title=item.title,
            text=item.text,
            created_at=since.get((item.title, item.text), now),
        )
        for position, item in enumerate(profile.history)
    )


def _engine(path: Path, *, foreign_keys: bool = True) -> Engine:
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
    engine = _engine(path, foreign_keys=False)
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
def _named_errors(path: Path) -> Iterator[None]:
    """Turns SQLite's and the file system's errors into StoreError, which says what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        advice = ADVICE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF, str(cause))
        raise StoreError(f"{path}: {advice}") from cause
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; {OTHER_FOLDER}") from error
