"""API keys that apps identify themselves with: made once, shown once, and kept as a hash only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

# By this a key of ours is told from the placeholder that an SDK asks for.
PREFIX = "costeer-"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key without its secret. It opens one profile; with a `profile_id` of None, all of them."""

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
    """SHA-256 in hexadecimal: a random secret of this length needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
