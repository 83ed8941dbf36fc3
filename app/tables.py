"""The rows of the database, profile and history; a change here needs a migration (a test compares them)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, Index, Text, UniqueConstraint, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time; SQLite keeps no zone, so it is written as UTC and read back as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class _Row(SQLModel):
    """A row that prints its key only: pydantic would print every value into a log."""

    def __repr__(self) -> str:
        # __dict__: reading an attribute of an expired row would ask the database.
        return f"{type(self).__name__}(id={self.__dict__.get('id')!r})"

    __str__ = __repr__


class ProfileRow(_Row, table=True):
    """`fields` is a JSON object in text, so that the person's own order of keys is kept."""

    __tablename__ = "profile"
    # At most one row can have the flag: the index holds only the rows that have it.
    __table_args__: ClassVar[Any] = (
        Index("one_default_profile", "is_default", unique=True, sqlite_where=text("is_default")),
    )

    id: str = Field(primary_key=True)
    name: str
    fields: str = Field(sa_type=Text)
    is_default: bool = False
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class HistoryRow(_Row, table=True):
    """`position` orders a profile's items, from 0; an `id` is never used twice."""

    __tablename__ = "history"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("profile_id", "position", name="history_position"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    profile_id: str = Field(foreign_key="profile.id", ondelete="CASCADE")
    position: int
    title: str
    text: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
