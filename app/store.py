"""Profiles and their history in SQLite on the device: durable once acknowledged, gone once deleted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from app.database import named_errors, open_engine, prepare
from app.errors import ProfileNotFound
from app.profile import HistoryItem, Profile, ProfileSummary
from app.tables import HistoryRow, ProfileRow

Change = Literal["created", "replaced", "unchanged"]


class Store:
    """Synchronous, and safe to call from several threads and processes. Any method may raise StoreError."""

    def __init__(self, path: Path) -> None:
        """For a database that is already at head; `open` is what callers want."""
        self.path = path
        self._reader = open_engine(path)
        # SQLite refuses, without waiting, to turn a read into a write: writers say so from the start.
        self._writer = self._reader.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite's own waiting is by polling and not fair; inside one process a lock is both.
        self._one_writer = threading.Lock()

    @classmethod
    def open(cls, data_dir: Path) -> Self:
        """The database in `data_dir`, made or migrated first; an older one is copied beside itself before."""
        return cls(prepare(data_dir))

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
        with named_errors(self.path), Session(self._reader) as session:
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """One transaction: committed, and on the disk, when the block ends without an error."""
        with named_errors(self.path), self._one_writer, Session(self._writer) as session, session.begin():
            yield session

    def _wipe_log(self) -> None:
        """Empties the write-ahead log, where pages still hold what was deleted; readers may put it off."""
        with named_errors(self.path), self._one_writer, closing(self._reader.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _row(session: Session, profile_id: str) -> ProfileRow:
    row = session.get(ProfileRow, profile_id)
    if row is None:
        raise ProfileNotFound(
            f"There is no profile {profile_id[:64]!r}. `costeer profiles list` shows those that exist."
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
