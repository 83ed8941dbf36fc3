"""What of a history was read from files: where each item came from, changes by batches, folders in step."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlmodel import Session, col

from app.errors import InvalidRequest
from app.profiles.origin import Add, Change, Known, Move, Origin, Relevel, Remove, Replace, Root, content_hash
from app.profiles.profile import HistoryItem, StoredItem
from app.profiles.store import index
from app.profiles.store.database import Database
from app.profiles.store.history import append, items_of, stored_of, values_of, written
from app.profiles.store.tables import HistoryRow, SourceRootRow, profile_row


class SourceStore:
    """The origins of all profiles' items. Unknown profiles raise ProfileNotFound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, profile_id: str) -> list[Known]:
        """Every item of the profile, oldest first, without its content: about 500 bytes each."""
        names = ("id", "hash", "origin", "part", "read_hash", "disclosure")
        columns = [col(getattr(HistoryRow, name)) for name in names]
        query = select(*columns).where(col(HistoryRow.profile_id) == profile_id).order_by(col(HistoryRow.id))
        with self._database.reading() as session:
            profile_row(session, profile_id)
            return list(_known(session.connection().execute(query)))

    def apply(self, profile_id: str, changes: Sequence[Change]) -> Counter[type[Change]]:
        """Makes the changes in one transaction; returns how many of each kind were made.

        Left out is what others did meanwhile: an item that is gone is not changed, and what was read from the
        same part of the same file is not added twice.
        """
        harmless = all(isinstance(one, Add) for one in changes)
        with self._database.writing() if harmless else self._database.erasing() as session:
            profile = profile_row(session, profile_id)
            connection = session.connection()
            stored = _stored(connection, profile_id, changes)
            added = _new(connection, profile_id, [one for one in changes if isinstance(one, Add)])
            others = [one for one in changes if not isinstance(one, Add) and one.id in stored]
            if gone := [stored[one.id] for one in others if _says_otherwise(stored[one.id].item, one)]:
                index.remove(connection, profile_id, [index.entry(one.id, one.item) for one in gone])
            for one in others:
                _change(connection, profile_id, stored[one.id], one)
            profile.version += bool(gone) or any(isinstance(one, Relevel) for one in others)
            append(session, profile_id, [one.item for one in added], [one.origin for one in added])
        return Counter(map(type, (*added, *others)))

    def roots(self, profile_id: str) -> list[Root]:
        """The folders that are kept in step, in the order in which they were named first."""
        with self._database.reading() as session:
            profile_row(session, profile_id)
            return [_root(row) for row in _roots(session, profile_id)]

    def remember(self, profile_id: str, root: Root) -> None:
        """Keeps the folder in step from now on; in place of the same folder with other options."""
        with self._database.writing() as session:
            profile_row(session, profile_id)
            row = next((one for one in _roots(session, profile_id) if one.path == root.path), None)
            row = row or SourceRootRow(profile_id=profile_id, path=root.path, me="", kind="", level="")
            row.me = json.dumps(root.me, ensure_ascii=False)
            row.kind, row.level = root.kind or "", root.level or ""
            session.add(row)

    def forget(self, profile_id: str, path: str) -> None:
        """Keeps the folder in step no more; its items stay. Raises InvalidRequest if it was not."""
        with self._database.erasing() as session:
            profile_row(session, profile_id)
            chosen = col(SourceRootRow.profile_id) == profile_id, col(SourceRootRow.path) == path
            if not session.connection().execute(delete(SourceRootRow).where(*chosen)).rowcount:
                raise InvalidRequest(
                    f"The profile {profile_id!r} has no such folder. `costeer history sources` lists them."
                )


def _known(rows: Any) -> Iterator[Known]:
    """Texts that are equal are one object: paths of many parts, and hashes that nobody corrected."""
    file = ""
    for item_id, hashed, origin, part, read, level in rows:
        file = file if origin == file else origin
        yield Known(item_id, Origin(file, part, hashed if read == hashed else read), hashed, level)


def _stored(connection: Connection, profile_id: str, changes: Sequence[Change]) -> dict[int, StoredItem]:
    """The items that the changes are about and that are still there."""
    ids = [one.id for one in changes if not isinstance(one, Add)]
    query = items_of(profile_id).where(col(HistoryRow.id).in_(ids))
    return {row[0]: stored_of(row) for row in connection.execute(query)} if ids else {}


def _new(connection: Connection, profile_id: str, adds: Sequence[Add]) -> list[Add]:
    """Those that nobody else has added from the same place meanwhile."""
    place = (HistoryRow.profile_id, HistoryRow.origin, HistoryRow.part, HistoryRow.read_hash)
    there = select(col(HistoryRow.id)).limit(1)
    new = []
    for one in adds:
        values = (profile_id, one.origin.file, one.origin.part, one.origin.read)
        same = there.where(*(col(column) == value for column, value in zip(place, values, strict=True)))
        if not one.origin.file or connection.execute(same).first() is None:
            new.append(one)
    return new


def _says_otherwise(item: HistoryItem, change: Change) -> bool:
    """Whether the item's words in the index are to go."""
    if isinstance(change, Move):
        return change.names is not None and item.title == change.names[0] != change.names[1]
    return isinstance(change, Replace | Remove)


def _change(connection: Connection, profile_id: str, before: StoredItem, change: Change) -> None:
    """One change of a stored item, whose words are out of the index if they are to go."""
    match change:
        case Replace():
            when = change.item.created_at or before.item.created_at
            item = replace(change.item, disclosure=change.level or before.item.disclosure, created_at=when)
            index.add(connection, profile_id, [index.entry(before.id, item)])
            _set(connection, before.id, {**values_of(item), **written(content_hash(item), change.origin)})
        case Move():
            _set(connection, before.id, _place(change.origin))
            if _says_otherwise(before.item, change) and change.names:
                item = replace(before.item, title=change.names[1])
                index.add(connection, profile_id, [index.entry(before.id, item)])
                _set(connection, before.id, {"title": item.title, "hash": content_hash(item)})
        case Relevel():
            _set(connection, before.id, {"disclosure": change.level})
        case Remove():
            connection.execute(delete(HistoryRow).where(col(HistoryRow.id) == before.id))


def _set(connection: Connection, item_id: int, values: dict[str, Any]) -> None:
    connection.execute(update(HistoryRow).where(col(HistoryRow.id) == item_id).values(values))


def _place(origin: Origin) -> dict[str, str]:
    """The columns of an origin alone; the content stays."""
    return {name: value for name, value in written("", origin).items() if name != "hash"}


def _roots(session: Session, profile_id: str) -> list[SourceRootRow]:
    query = select(SourceRootRow).where(col(SourceRootRow.profile_id) == profile_id)
    return list(session.execute(query.order_by(col(SourceRootRow.id))).scalars())


def _root(row: SourceRootRow) -> Root:
    return Root(row.path, tuple(json.loads(row.me)), row.kind or None, row.level or None)  # type: ignore[arg-type]
