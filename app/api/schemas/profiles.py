"""Schemas of the profiles routes: patches, queries and responses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from app.api.schemas.base import Query
from app.errors import InvalidRequest
from app.profiles.disclosure import Disclosure, Identifier, Level
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
from app.profiles.levels import DISCLOSURE, DisclosureIn, no_field, unknown_fields
from app.profiles.preferences import PREFERENCES, Preferences, preferences
from app.profiles.profile import Profile, StoredProfile
from app.steering.strength import Strength


class ProfilePatch(Patch):
    """A JSON merge patch (RFC 7396) of a profile; fields that are left out stay as they are.

    In `fields`, a key with null is removed, with its level, and a new key comes last; a patch that names all
    the keys that are left puts them into its own order. `preferences` replaces all of them, and null removes
    them; so does `disclosure`. `strength: null` means the setting's strength.
    """

    name: Name = Field("", description=NAME)
    default: bool = Field(False, description=FLAG)
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    record_history: bool = Field(False, description=FLAG)
    fields: dict[FieldName, FieldText | None] = Field({}, description=FIELDS)
    preferences: Preferences | None = Field(None, description=PREFERENCES)
    disclosure: DisclosureIn | None = Field(None, description=DISCLOSURE)

    def applied(self, profile: Profile) -> Profile:
        """The patched profile. Raises ValueError if it has too many fields, and InvalidRequest for the level
        of a field that it has not."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "default" in given:
            given["is_default"] = given.pop("default")
        if "preferences" in given:
            given["preferences"] = preferences(self.preferences or ())
        if "fields" in given:
            given["fields"] = _merged(profile.fields, self.fields)
            if len(given["fields"]) > MAX_FIELDS:
                raise ValueError(f"a profile has at most {MAX_FIELDS} fields")
        given["disclosure"] = self._disclosure(profile.disclosure, dict(given.get("fields", profile.fields)))
        return replace(profile, **given)

    def _disclosure(self, before: Disclosure, known: Collection[str]) -> Disclosure:
        """The disclosure that is sent, as a whole; else the one before, without levels of removed fields."""
        if "disclosure" not in self.model_fields_set:
            return before.for_fields(known)
        given = self.disclosure or DisclosureIn()
        for key in unknown_fields(given.fields, known):
            path = f"disclosure.fields.{key}"
            raise InvalidRequest(f"{path} {no_field(known)}.", param=path)
        return given.disclosure()


def _merged(
    stored: Sequence[tuple[str, str]], patch: Mapping[str, str | None]
) -> tuple[tuple[str, str], ...]:
    """The fields with the patch, in its order if it names all that are left, else in theirs."""
    merged = {**dict(stored), **patch}
    left = {key: text for key, text in merged.items() if text is not None}
    named = [key for key in patch if key in left]
    return tuple((key, left[key]) for key in (named if len(named) == len(left) else left))


class ImportQuery(Query):
    replace: bool = Field(False, description="Replace a profile of the same id with its whole history.")


class PreferenceOut(BaseModel):
    """A preference; an empty `opposite` is none."""

    text: str
    opposite: str


class DisclosureOut(BaseModel):
    """What replies may tell the remote; of what is not named the defaults hold."""

    least: Level
    identifiers: dict[Identifier, Level]
    fields: dict[str, Level]
    budget: float | None


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
    disclosure: DisclosureOut
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
