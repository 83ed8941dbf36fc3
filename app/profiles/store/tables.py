"""The rows of the database; a change here needs a migration (a test compares them)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, Float, Index, Text, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel

from app.errors import ProfileNotFound
from app.steering.strength import Strength


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time; SQLite keeps no zone, so it is written as UTC and read back as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class NumberOrWord(Float[float]):
    """A number or a word; SQLite keeps a text that is no number as it is, in a column of numbers too."""

    def bind_processor(self, dialect: Dialect) -> None:
        """Nothing: SQLAlchemy's own would make a number of everything."""


class _Row(SQLModel):
    """A row that prints its key only: pydantic would print every value into a log."""

    def __repr__(self) -> str:
        # __dict__: reading an attribute of an expired row would ask the database.
        return f"{type(self).__name__}(id={self.__dict__.get('id')!r})"

    __str__ = __repr__


class ProfileRow(_Row, table=True):
    """`fields` is a JSON object in text, so that the person's own order of keys is kept. `uid` is never used
    twice, as an id may be once its profile is erased; `version` counts the profile's changes, and those in
    its history by which something is no longer there."""

    __tablename__ = "profile"
    # At most one row can have the flag: the index holds only the rows that have it.
    __table_args__: ClassVar[Any] = (
        Index("one_default_profile", "is_default", unique=True, sqlite_where=text("is_default")),
    )

    id: str = Field(primary_key=True)
    name: str
    fields: str = Field(sa_type=Text)
    is_default: bool = False
    strength: Strength | None = Field(default=None, sa_type=NumberOrWord)
    record_history: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)
    uid: str
    version: int = 0


class HistoryRow(_Row, table=True):
    """`id` orders a profile's items, and is never used twice. The full-text index beside it: see index.py."""

    __tablename__ = "history"
    __table_args__: ClassVar[Any] = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    profile_id: str = Field(foreign_key="profile.id", ondelete="CASCADE", index=True)
    kind: str
    title: str
    text: str = Field(sa_type=Text)
    source: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class ApiKeyRow(_Row, table=True):
    """A key by the hash of its secret; without a profile it opens them all."""

    __tablename__ = "api_key"
    __table_args__: ClassVar[Any] = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    hash: str = Field(unique=True)
    label: str
    profile_id: str | None = Field(default=None, foreign_key="profile.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def profile_row(session: Session, profile_id: str) -> ProfileRow:
    """Raises ProfileNotFound."""
    row = session.get(ProfileRow, profile_id)
    if row is None:
        raise ProfileNotFound(
            f"There is no profile {profile_id[:64]!r}. `costeer profiles list` shows those that exist."
        )
    return row
