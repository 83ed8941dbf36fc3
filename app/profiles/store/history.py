"""The history of profiles in the database: adds, pages, searches, changes and erases items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlmodel import Session, col

from app.errors import HistoryItemNotFound, ProfileNotFound
from app.profiles.origin import Origin, content_hash
from app.profiles.profile import HistoryItem, Hit, Kind, Profile, StoredItem
from app.profiles.store import index
from app.profiles.store.database import Database
from app.profiles.store.tables import HistoryRow, ProfileRow, profile_row
from app.profiles.terms import passages

# Passages fetched per item wanted, since several passages of one long document may match.
SPARE = 8
# Item ids in one statement; SQLite's limit is 32,766 parameters.
CHUNK = 1000
# Seconds that recording a finished reply waits for the database; its client waits meanwhile.
RECORD_PATIENCE = 2.0
# SQLite's integers are signed 64-bit; ids begin at 1.
LAST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page of items in order, and whether there are more after it."""

    items: tuple[StoredItem, ...]
    has_more: bool


class HistoryStore:
    """The history of all profiles. Unknown profiles raise ProfileNotFound, items HistoryItemNotFound."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, profile_id: str, *, after: int | None = None, limit: int = 20, newest_first: bool = True
    ) -> Page:
        """At most `limit` items that follow the item `after`, which may have been deleted."""
        key = col(HistoryRow.id)
        query = items_of(profile_id).order_by(key.desc() if newest_first else key)
        if after is not None:
            after = min(max(after, 0), LAST_ID)
            query = query.where(key < after if newest_first else key > after)
        with self._database.reading() as session:
            profile_row(session, profile_id)
            rows = session.connection().execute(query.limit(limit + 1)).all()
            return Page(tuple(map(stored_of, rows[:limit])), len(rows) > limit)

    def get(self, profile_id: str, item_id: int) -> StoredItem:
        with self._database.reading() as session:
            return _require(session, profile_id, item_id)

    def hits(self, profile_id: str, found: Sequence[tuple[int, int, float]]) -> list[Hit]:
        """Loads the hits of an earlier search with their current text; `found` has (item id, passage, score).

        Items deleted since are left out.
        """
        with self._database.reading() as session:
            return _hits(session, profile_id, found)

    def recent(self, profile_id: str, limit: int, kind: Kind = "document") -> list[StoredItem]:
        """The newest items of one kind, newest first."""
        query = items_of(profile_id).where(col(HistoryRow.kind) == kind)
        with self._database.reading() as session:
            newest = query.order_by(col(HistoryRow.id).desc()).limit(limit)
            return [stored_of(row) for row in session.connection().execute(newest)]

    def search(
        self, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
    ) -> list[Hit]:
        """The items that match any word, best first; each once, by its best passage.

        Each query is a weight and the words, as app.profiles.terms makes them.
        """
        with self._database.reading() as session:
            profile_row(session, profile_id)
            wanted = limit * SPARE
            while True:
                found = index.search(session.connection(), profile_id, queries, wanted)
                best: dict[int, tuple[int, int, float]] = {}
                for one in found:
                    best.setdefault(one[0], one)
                if len(best) >= limit or len(found) < wanted:
                    return _hits(session, profile_id, list(best.values())[:limit])
                wanted *= SPARE

    def add(
        self,
        profile_id: str,
        items: Sequence[HistoryItem],
        origins: Sequence[Origin] = (),
        uid: str | None = None,
    ) -> list[StoredItem]:
        """Adds the items in order, all or none; see `append`. With a `uid` it is for that profile alone, and
        for none that has its id since."""
        with self._database.writing() as session:
            row = profile_row(session, profile_id)
            if uid is not None and row.uid != uid:
                raise ProfileNotFound(f"The profile {profile_id!r} was erased or replaced meanwhile.")
            return append(session, profile_id, items, origins)

    def record(self, profile: Profile, item: HistoryItem) -> str | None:
        """Adds a finished exchange; returns why not if the profile was replaced or erased since `profile` was
        read, or no longer records. Raises StoreError if others write for longer than RECORD_PATIENCE.
        """
        with self._database.writing(RECORD_PATIENCE) as session:
            row = session.get(ProfileRow, profile.id)
            if row is None or row.uid != profile.uid:
                return "the profile was erased or replaced meanwhile"
            if not row.record_history:
                return "record_history was switched off meanwhile"
            append(session, profile.id, [item])
        return None

    def update(
        self, profile_id: str, item_id: int, change: Callable[[HistoryItem], HistoryItem]
    ) -> StoredItem:
        """Replaces the item by `change(item)` in one transaction."""
        with self._database.erasing() as session:
            connection = session.connection()
            before = _require(session, profile_id, item_id).item
            after = change(before)
            after = replace(after, created_at=after.created_at or before.created_at)
            index.remove(connection, profile_id, [index.entry(item_id, before)])
            index.add(connection, profile_id, [index.entry(item_id, after)])
            values = {**values_of(after), "hash": content_hash(after)}
            connection.execute(update(HistoryRow).where(col(HistoryRow.id) == item_id).values(values))
            profile_row(session, profile_id).version += after != before
            return StoredItem(item_id, after)

    def delete(self, profile_id: str, item_ids: Sequence[int]) -> None:
        """Erases the items, all or none."""
        with self._database.erasing() as session:
            profile = profile_row(session, profile_id)
            connection = session.connection()
            if ids := list(dict.fromkeys(item_ids)):
                index.remove(connection, profile_id, _taken_out(connection, profile_id, ids))
                profile.version += 1

    def clear(self, profile_id: str) -> int:
        """Erases every item of the profile; returns their number."""
        with self._database.erasing() as session:
            profile_row(session, profile_id).version += 1
            connection = session.connection()
            result = connection.execute(delete(HistoryRow).where(col(HistoryRow.profile_id) == profile_id))
            index.drop(connection, profile_id)
            index.create(connection, profile_id)
            return int(result.rowcount)


def all_items(session: Session, profile_id: str) -> list[StoredItem]:
    """All items of a profile, oldest first."""
    rows = session.connection().execute(items_of(profile_id).order_by(col(HistoryRow.id)))
    return [stored_of(row) for row in rows]


def append(
    session: Session, profile_id: str, items: Sequence[HistoryItem], origins: Sequence[Origin] = ()
) -> list[StoredItem]:
    """Appends the items to the history, and adds them to the full-text index. `origins` is one for each, or
    empty if none was read from a file."""
    if not items:
        return []
    connection = session.connection()
    # The sequence is rolled back with the transaction, and survives when the table is emptied.
    last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'history'"
    first = connection.exec_driver_sql(last).scalar_one() + 1
    now = datetime.now(UTC)
    stored = [
        StoredItem(first + number, replace(item, created_at=item.created_at or now))
        for number, item in enumerate(items)
    ]
    rows = [
        {
            "id": one.id,
            "profile_id": profile_id,
            **values_of(one.item),
            **written(content_hash(one.item), origin),
        }
        for one, origin in zip(stored, origins or [Origin()] * len(stored), strict=True)
    ]
    connection.execute(insert(HistoryRow), rows)
    index.add(connection, profile_id, (index.entry(one.id, one.item) for one in stored))
    return stored


def items_of(profile_id: str) -> Select[Any]:
    """Selects columns, not ORM objects, since a history may be long."""
    columns = [col(HistoryRow.id), *(getattr(HistoryRow, name) for name in values_of(HistoryItem("", "")))]
    return select(*columns).where(col(HistoryRow.profile_id) == profile_id)


def values_of(item: HistoryItem) -> dict[str, Any]:
    """The item's column values, in the order of its fields."""
    return {
        "title": item.title,
        "text": item.text,
        "kind": item.kind,
        "source": item.source,
        "created_at": item.created_at,
        "request": item.request,
        "disclosure": item.disclosure,
    }


def written(hashed: str, origin: Origin) -> dict[str, str]:
    """The column values of a content's hash, and of where it was read."""
    return {"hash": hashed, "origin": origin.file, "part": origin.part, "read_hash": origin.read}


def stored_of(row: Row[Any]) -> StoredItem:
    item = HistoryItem(row.title, row.text, row.kind, row.source, row.created_at, row.request, row.disclosure)
    return StoredItem(row.id, item)


def _require(session: Session, profile_id: str, item_id: int) -> StoredItem:
    profile_row(session, profile_id)
    if 0 < item_id <= LAST_ID:
        query = items_of(profile_id).where(col(HistoryRow.id) == item_id)
        if (row := session.connection().execute(query).first()) is not None:
            return stored_of(row)
    raise _not_found(profile_id, item_id)


def _taken_out(connection: Connection, profile_id: str, item_ids: Sequence[int]) -> Iterator[index.Entry]:
    """Deletes the items' rows in chunks; yields what must be removed from the index."""
    for start in range(0, len(item_ids), CHUNK):
        chunk = item_ids[start : start + CHUNK]
        chosen = col(HistoryRow.id).in_([item_id for item_id in chunk if 0 < item_id <= LAST_ID])
        found = {
            row[0]: stored_of(row).item for row in connection.execute(items_of(profile_id).where(chosen))
        }
        for item_id in chunk:
            if item_id not in found:
                raise _not_found(profile_id, item_id)
            yield index.entry(item_id, found[item_id])
        connection.execute(delete(HistoryRow).where(chosen))


def _hits(session: Session, profile_id: str, found: Sequence[tuple[int, int, float]]) -> list[Hit]:
    query = items_of(profile_id).where(col(HistoryRow.id).in_([one[0] for one in found]))
    items = {row[0]: stored_of(row) for row in session.connection().execute(query)}
    hits = []
    for item_id, number, score in found:
        if item_id in items:
            pieces = passages(items[item_id].item.text)
            # A text changed since the search may have fewer passages.
            place = min(number, len(pieces) - 1)
            hits.append(Hit(items[item_id], pieces[place], place, score))
    return hits


def _not_found(profile_id: str, item_id: int) -> HistoryItemNotFound:
    return HistoryItemNotFound(f"The profile {profile_id!r} has no history item {item_id}.")
