"""Schemas of the keys routes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.base import Query
from app.errors import InvalidRequest
from app.profiles.fields import STORABLE, Listed, Wire
from app.profiles.store.keys import MAX_LABEL, Key

KEY_PREFIX = "key_"
KEY_ID = re.compile(f"{KEY_PREFIX}([1-9][0-9]{{0,18}})", re.ASCII)


class KeyIn(Wire):
    """A new key: of one profile, or an admin key."""

    profile: str | None = Field(None, description="The only profile that the key opens.")
    admin: bool = Field(False, description="A key that opens and manages all profiles.")
    label: Annotated[str, Field(max_length=MAX_LABEL), STORABLE] = Field(
        "", description="A note: which app has it."
    )

    def profile_id(self) -> str | None:
        """The profile's id; None for an admin key. Raises InvalidRequest unless it is one of the two."""
        if self.admin == (self.profile is not None):
            raise InvalidRequest(
                "Send either profile, the one that the key opens, or admin: true.", param="profile"
            )
        return self.profile


class KeyOut(Listed):
    """A key, without its secret. `current`: the request came with it."""

    id: str
    object: Literal["key"] = "key"
    label: str
    profile: str | None
    admin: bool
    current: bool
    created_at: datetime
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: Key, current: int | None, **more: Any) -> Self:
        return cls(
            id=f"{KEY_PREFIX}{key.id}",
            label=key.label,
            profile=key.profile_id,
            admin=key.is_admin,
            current=key.id == current,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            **more,
        )


class KeyCreated(KeyOut):
    """A new key. `secret` is shown this once only; with `closes` every request needs a key from now on."""

    secret: str = Field(repr=False)
    closes: bool


class DeleteQuery(Query):
    open: bool = Field(False, description="Delete it even if it is the last admin key.")


class KeyDeleted(BaseModel):
    """With `opens`, requests without a key open all profiles from now on."""

    id: str
    object: Literal["key.deleted"] = "key.deleted"
    deleted: Literal[True] = True
    opens: bool
