"""Profiles in the database: creates, replaces, updates, exports and erases them, each in one transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from app.errors import ProfileExists
from app.profiles.disclosure import Disclosure
from app.profiles.profile import HistoryItem, Preference, Profile, ProfileDocument, StoredProfile
from app.profiles.store import index
from app.profiles.store.database import Database
from app.profiles.store.history import all_items, append
from app.profiles.store.tables import HistoryRow, ProfileRow, profile_row

Change = Literal["created", "replaced", "unchanged"]


class ProfileStore:
    """The profiles, without history operations. Unknown ids raise ProfileNotFound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> list[StoredProfile]:
        """All profiles with their metadata, sorted by id."""
        items = func.count(col(HistoryRow.id))
        query = select(ProfileRow, items).outerjoin(HistoryRow).group_by(col(ProfileRow.id))
        with self._database.reading() as session:
            rows = session.exec(query.order_by(col(ProfileRow.id))).all()
            return [_stored(row, count) for row, count in rows]

    def read(self, profile_id: str) -> StoredProfile:
        with self._database.reading() as session:
            row = profile_row(session, profile_id)
            return _stored(row, _count(session, profile_id))

    def get(self, profile_id: str) -> Profile:
        with self._database.reading() as session:
            return _profile(profile_row(session, profile_id))

    def all(self) -> tuple[Profile, ...]:
        """All profiles without metadata, in no particular order."""
        with self._database.reading() as session:
            return tuple(_profile(row) for row in session.exec(select(ProfileRow)))

    def default(self) -> Profile | None:
        """The default profile, used for requests that name none; None if there is none."""
        with self._database.reading() as session:
            row = session.exec(select(ProfileRow).where(col(ProfileRow.is_default))).first()
            return _profile(row) if row is not None else None

    def create(self, document: ProfileDocument) -> StoredProfile:
        """Creates a profile with its history; a new default clears the old one. Raises ProfileExists."""
        with self._database.writing() as session:
            if session.get(ProfileRow, document.profile.id) is not None:
                raise ProfileExists(
                    f"There is a profile {document.profile.id!r} already. Choose another id, or change or "
                    "replace that one."
                )
            return _put(session, document, None)

    def has(self, document: ProfileDocument) -> bool:
        """Whether the document is stored already, so that `put` would change nothing."""
        with self._database.reading() as session:
            row = session.get(ProfileRow, document.profile.id)
            return row is not None and _same(_document(session, row), document)

    def put(self, document: ProfileDocument) -> Change:
        """Creates the profile, or replaces the one with the same id and its whole history.

        Does nothing if the stored one is equal; a history item that is in both keeps its time.
        """
        with self._database.writing() as session:
            row = session.get(ProfileRow, document.profile.id)
            if row is not None and _same(_document(session, row), document):
                return "unchanged"
            change: Change = "created" if row is None else "replaced"
            _put(session, document, row)
            if change == "replaced":
                session.flush()
                self._database.remove_backups()
        if change == "replaced":
            self._database.wipe()
        return change

    def update(self, profile_id: str, change: Callable[[Profile], Profile]) -> StoredProfile:
        """Replaces the profile by `change(profile)` in one transaction."""
        with self._database.erasing() as session:
            row = profile_row(session, profile_id)
            before = _profile(row)
            after = replace(change(before), id=profile_id)
            if after != before:
                _write(session, row, after)
                row.updated_at = datetime.now(UTC)
                row.version += 1
                session.flush()
            return _stored(row, _count(session, profile_id))

    def delete(self, profile_id: str) -> None:
        """Erases the profile, its history and its API keys."""
        with self._database.erasing() as session:
            session.delete(profile_row(session, profile_id))
            session.flush()
            index.drop(session.connection(), profile_id)

    def export(self, profile_id: str) -> ProfileDocument:
        """The profile with its whole history and all times; `put` restores it unchanged."""
        with self._database.reading() as session:
            return _document(session, profile_row(session, profile_id))


def _count(session: Session, profile_id: str) -> int:
    items = select(func.count()).select_from(HistoryRow).where(col(HistoryRow.profile_id) == profile_id)
    return session.exec(items).one()


def _profile(row: ProfileRow) -> Profile:
    return Profile(
        id=row.id,
        name=row.name,
        fields=tuple(json.loads(row.fields).items()),
        is_default=row.is_default,
        strength=row.strength,
        record_history=row.record_history,
        preferences=tuple(Preference(**one) for one in json.loads(row.preferences)),
        disclosure=_disclosure(row.disclosure),
        uid=row.uid,
        version=row.version,
    )


def _disclosure(stored: str) -> Disclosure:
    """A disclosure as `_written` stores it; what is not there has the defaults."""
    given = json.loads(stored)
    levels = {name: tuple(given[name].items()) for name in given.keys() & {"identifiers", "fields"}}
    return Disclosure(**{**given, **levels})


def _written(disclosure: Disclosure) -> str:
    levels = {"identifiers": dict(disclosure.identifiers), "fields": dict(disclosure.fields)}
    return json.dumps({**asdict(disclosure), **levels}, ensure_ascii=False)


def _stored(row: ProfileRow, count: int) -> StoredProfile:
    return StoredProfile(_profile(row), count, row.created_at, row.updated_at)


def _document(session: Session, row: ProfileRow) -> ProfileDocument:
    history = tuple(stored.item for stored in all_items(session, row.id))
    return ProfileDocument(_profile(row), history, row.created_at, row.updated_at)


def _same(stored: ProfileDocument, given: ProfileDocument) -> bool:
    """Whether both are equal; a time that `given` leaves out does not count as a difference."""

    def as_given(item: HistoryItem, other: HistoryItem) -> HistoryItem:
        return item if other.created_at is not None else replace(item, created_at=None)

    return (
        stored.profile == given.profile
        and given.created_at in {None, stored.created_at}
        and given.updated_at in {None, stored.updated_at}
        and len(stored.history) == len(given.history)
        and all(as_given(a, b) == b for a, b in zip(stored.history, given.history, strict=True))
    )


def _words(item: HistoryItem) -> tuple[str, str, str]:
    return item.title, item.request, item.text


def _write(session: Session, row: ProfileRow, profile: Profile) -> None:
    if profile.is_default and not row.is_default:
        session.exec(update(ProfileRow).where(col(ProfileRow.is_default)).values(is_default=False))
    row.name = profile.name
    row.fields = json.dumps(dict(profile.fields), ensure_ascii=False)
    row.is_default = profile.is_default
    row.strength = profile.strength
    row.record_history = profile.record_history
    row.preferences = json.dumps([asdict(one) for one in profile.preferences], ensure_ascii=False)
    row.disclosure = _written(profile.disclosure)


def _put(session: Session, document: ProfileDocument, row: ProfileRow | None) -> StoredProfile:
    profile, now = document.profile, datetime.now(UTC)
    times: dict[tuple[str, str, str], datetime] = {}
    if row is not None:
        times = {_words(s.item): s.item.created_at or now for s in all_items(session, row.id)}
        session.exec(delete(HistoryRow).where(col(HistoryRow.profile_id) == row.id))
        index.drop(session.connection(), row.id)
    else:
        row = ProfileRow(id=profile.id, name="", fields="", created_at=now, updated_at=now, uid="")
    # A replaced profile gets a new uid too: it may describe another person now.
    row.uid = uuid.uuid4().hex
    row.created_at = document.created_at or row.created_at
    row.updated_at = document.updated_at or now
    _write(session, row, profile)
    session.add(row)
    session.flush()
    index.create(session.connection(), profile.id)
    items = [replace(i, created_at=i.created_at or times.get(_words(i), now)) for i in document.history]
    append(session, profile.id, items)
    return _stored(row, len(items))
