"""The database tables as SQLModel classes; a change here needs a migration (a test compares them)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, Float, Index, Text, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, Session, SQLModel

from app.errors import ProfileNotFound
from app.steering.strength import Strength


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; SQLite stores no time zone, so it is written and read as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class NumberOrWord(Float[float]):
    """A number or a word; SQLite stores text that is not a number unchanged, even in a REAL column."""

    def bind_processor(self, dialect: Dialect) -> None:
        """No conversion: SQLAlchemy's own would convert every value to a number."""


class _Row(SQLModel):
    """A row whose repr shows its key only: pydantic's would put every value into a log."""

    def __repr__(self) -> str:
        # __dict__, since reading an attribute of an expired row would query the database.
        return f"{type(self).__name__}(id={self.__dict__.get('id')!r})"

    __str__ = __repr__


class ProfileRow(_Row, table=True):
    """A profile. `fields` is a JSON object as text, which keeps the person's own order of keys, and
    `preferences` a JSON list of objects, `disclosure` an object. `uid` is never reused, whereas an id may be
    once its profile is erased; `version` counts the profile's changes, and those of its history that change
    or remove an item."""

    __tablename__ = "profile"
    # A partial unique index: at most one row can have the flag.
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
    preferences: str = Field(default="[]", sa_type=Text)
    disclosure: str = Field(default="{}", sa_type=Text)


class HistoryRow(_Row, table=True):
    """A history item. `id` orders a profile's items and is never reused. Its full-text index: index.py.

    `hash` is of its content, the others say where it was read; see app.profiles.origin.
    """

    __tablename__ = "history"
    __table_args__: ClassVar[Any] = (
        Index("history_hash", "profile_id", "hash"),
        Index("history_origin", "profile_id", "origin", "part"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    profile_id: str = Field(foreign_key="profile.id", ondelete="CASCADE", index=True)
    kind: str
    title: str
    text: str = Field(sa_type=Text)
    source: str
    request: str = Field(default="", sa_type=Text)
    disclosure: str = Field(default="open", sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    hash: str = Field(default="", sa_type=Text)
    origin: str = Field(default="", sa_type=Text)
    part: str = Field(default="", sa_type=Text)
    read_hash: str = Field(default="", sa_type=Text)


class SourceRootRow(_Row, table=True):
    """A folder that is kept in step with a profile's history. `me` is a JSON list of texts; an empty `kind`
    or `level` is none."""

    __tablename__ = "source_root"
    __table_args__: ClassVar[Any] = (Index("source_root_path", "profile_id", "path", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    profile_id: str = Field(foreign_key="profile.id", ondelete="CASCADE")
    path: str = Field(sa_type=Text)
    me: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    level: str = Field(sa_type=Text)


class ApiKeyRow(_Row, table=True):
    """An API key, stored as the hash of its secret; without a profile it is an admin key."""

    __tablename__ = "api_key"
    __table_args__: ClassVar[Any] = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True)
    hash: str = Field(unique=True)
    label: str
    profile_id: str | None = Field(default=None, foreign_key="profile.id", ondelete="CASCADE", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


def profile_row(session: Session, profile_id: str) -> ProfileRow:
    """The row of a profile. Raises ProfileNotFound."""
    row = session.get(ProfileRow, profile_id)
    if row is None:
        raise ProfileNotFound(
            f"There is no profile {profile_id[:64]!r}. `costeer profiles list` shows those that exist."
        )
    return row
