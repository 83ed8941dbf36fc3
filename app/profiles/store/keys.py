"""API keys in the database, stored by the hash of their secret."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import func
from sqlmodel import Session, col, exists, select

from app.errors import KeyNotFound, LastAdminKey, StoreError
from app.profiles.store.database import Database
from app.profiles.store.tables import ApiKeyRow, profile_row

# last_used_at is written at most once a minute: a write on every request would wait for the disk.
LAST_USED_STEP = timedelta(minutes=1)
# Characters of a label.
MAX_LABEL = 200
OPENS_ALL = "It is the last admin key: without one, requests without a key open all profiles again."


class KeyStore:
    """The API keys. Only the hash of a secret is stored, so a lost secret cannot be recovered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._required: tuple[int, bool] | None = None  # database version, and whether a key was required

    def list(self) -> list[Key]:
        """All keys, oldest first."""
        with self._database.reading() as session:
            return [_key(row) for row in session.exec(select(ApiKeyRow).order_by(col(ApiKeyRow.id)))]

    def create(self, label: str, profile_id: str | None) -> tuple[Key, str]:
        """Creates a key and its secret; without a profile an admin key. Raises ProfileNotFound."""
        secret = new_secret()
        with self._database.writing() as session:
            if profile_id is not None:
                profile_row(session, profile_id)
            row = ApiKeyRow(
                hash=hashed(secret), label=label, profile_id=profile_id, created_at=datetime.now(UTC)
            )
            session.add(row)
            session.flush()
            return _key(row), secret

    def delete(self, key_id: int, *, last_admin: bool = False) -> bool:
        """Deletes the key, which is invalid from then on; returns whether it was the last admin key.

        That one is deleted only with `last_admin`, since no request needs a key from then on. Raises
        KeyNotFound and LastAdminKey.
        """
        with self._database.erasing() as session:
            row = session.get(ApiKeyRow, key_id) if 0 < key_id < 2**63 else None
            if row is None:
                raise KeyNotFound(f"There is no key {key_id}. `costeer keys list` shows those that exist.")
            last = row.profile_id is None and _admins(session) == 1
            if last and not last_admin:
                raise LastAdminKey(OPENS_ALL)
            session.delete(row)
            return last

    def identify(self, secret: str) -> Key | None:
        """The key of this secret, or None; updates its time of last use."""
        with self._database.reading() as session:
            row = session.exec(select(ApiKeyRow).where(col(ApiKeyRow.hash) == hashed(secret))).first()
            if row is None:
                return None
            key = _key(row)
        now = datetime.now(UTC)
        if key.last_used_at is None or now - key.last_used_at > LAST_USED_STEP:
            # A valid key is accepted even if its time cannot be written, and never waits for that.
            with suppress(StoreError), self._database.writing(patience=0) as session:
                used = session.get(ApiKeyRow, key.id)
                if used is not None:
                    used.last_used_at = now
        return key

    def required(self) -> bool:
        """Whether every request needs a key, which is so once an admin key exists."""
        version = self._database.version()
        with self._database.reading() as session:
            query = select(exists().where(col(ApiKeyRow.profile_id).is_(None)))
            required = bool(session.exec(query).one())
        self._required = version, required
        return required

    def still_required(self) -> bool | None:
        """The cached answer of `required`, for the event loop; None if the database has changed since."""
        if self._required is None or self._required[0] != self._database.version():
            return None
        return self._required[1]


def _admins(session: Session) -> int:
    query = select(func.count()).select_from(ApiKeyRow).where(col(ApiKeyRow.profile_id).is_(None))
    return session.exec(query).one()


def _key(row: ApiKeyRow) -> Key:
    return Key(cast(int, row.id), row.label, row.profile_id, row.created_at, row.last_used_at)


# The prefix tells our keys from the placeholders that SDKs require.
PREFIX = "costeer-"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret. It gives access to one profile, or to all if `profile_id` is None."""

    id: int
    label: str
    profile_id: str | None
    created_at: datetime
    last_used_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        return self.profile_id is None


def new_secret() -> str:
    """A secret of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """SHA-256 in hexadecimal; a random secret of this length needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
