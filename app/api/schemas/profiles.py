"""Schemas of the profiles routes: patches, queries and responses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.base import Query
from app.profiles.document import (
    FIELDS,
    FLAG,
    MAX_FIELDS,
    NAME,
    FieldName,
    FieldText,
    Name,
    _profile,
)
from app.profiles.fields import STRENGTH, Listed, Patch, StrengthIn
from app.profiles.preferences import PREFERENCES, Preferences, preferences
from app.profiles.profile import Profile, StoredProfile
from app.steering.strength import Strength


class ProfilePatch(Patch):
    """A JSON merge patch (RFC 7396) of a profile; fields that are left out stay as they are.

    In `fields`, a key with null is removed, and a new key comes last. `preferences` replaces all of them,
    and null removes them. `strength: null` means the setting's strength.
    """

    name: Name = Field("", description=NAME)
    default: bool = Field(False, description=FLAG)
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    record_history: bool = Field(False, description=FLAG)
    fields: dict[FieldName, FieldText | None] = Field({}, description=FIELDS)
    preferences: Preferences | None = Field(None, description=PREFERENCES)

    def applied(self, profile: Profile) -> Profile:
        """The patched profile. Raises ValueError if it has too many fields."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "default" in given:
            given["is_default"] = given.pop("default")
        if "preferences" in given:
            given["preferences"] = preferences(self.preferences or ())
        if "fields" in given:
            merged = {**dict(profile.fields), **self.fields}
            given["fields"] = tuple((key, text) for key, text in merged.items() if text is not None)
            if len(given["fields"]) > MAX_FIELDS:
                raise ValueError(f"a profile has at most {MAX_FIELDS} fields")
        return replace(profile, **given)


class ImportQuery(Query):
    replace: bool = Field(False, description="Replace a profile of the same id with its whole history.")


class PreferenceOut(BaseModel):
    """A preference; an empty `opposite` is none."""

    text: str
    opposite: str


class ProfileOut(Listed):
    """A profile, without its history."""

    id: str
    object: Literal["profile"] = "profile"
    name: str
    default: bool
    strength: Strength | None
    record_history: bool
    fields: dict[str, str]
    preferences: list[PreferenceOut]
    history_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, stored: StoredProfile) -> Self:
        return cls(
            **_profile(stored.profile),
            history_count=stored.history_count,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
        )


class ProfileDeleted(BaseModel):
    id: str
    object: Literal["profile.deleted"] = "profile.deleted"
    deleted: Literal[True] = True
