"""Profiles on the wire: JSON of the API, exports, and profile files (TOML)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from app.profile import Profile, ProfileDocument, StoredProfile
from app.schemas.history import ItemIn, item_fields
from app.schemas.strength import STRENGTH, StrengthIn
from app.schemas.wire import FILLED, NOT_BLANK, TIME, Listed, Patch, Query, Time, Wire
from app.strength import Strength

MAX_FIELDS = 100


FieldName = Annotated[str, Field(max_length=100), FILLED]
FieldText = Annotated[str, Field(max_length=10_000), FILLED, NOT_BLANK]
Name = Annotated[str, Field(max_length=200), FILLED, NOT_BLANK]

# Descriptions say what is expected: in the API's documentation, and in the message about a mistake in a file.
ID = "1 to 64 lowercase letters, digits, - and _, like isabel"
NAME = "text of 1 to 200 characters, not blank"
FLAG = "true or false"
FIELDS = "a table of at most 100 keys, each with text about the person"
HISTORY = "a list of items, oldest first; in TOML each under a line [[history]]"
FIELD = "a key of at most 100 characters and text of at most 10,000, neither of them blank"


class ProfileIn(Wire):
    """A new profile."""

    id: Annotated[str, Field(pattern="^[a-z0-9_-]{1,64}$")] = Field(description=ID)
    name: Name = Field(description=NAME)
    default: bool = Field(False, description=FLAG)
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    record_history: bool = Field(False, description=FLAG)
    fields: dict[FieldName, FieldText] = Field({}, description=FIELDS, max_length=MAX_FIELDS)

    def profile(self) -> Profile:
        return Profile(
            id=self.id,
            name=self.name,
            fields=tuple(self.fields.items()),
            is_default=self.default,
            strength=self.strength,
            record_history=self.record_history,
        )


class DocumentIn(ProfileIn):
    """A profile with its history, oldest first: an export, or a profile file."""

    created_at: Time | None = Field(None, description=TIME)
    updated_at: Time | None = Field(None, description=TIME)
    history: list[ItemIn] = Field([], description=HISTORY)

    def document(self) -> ProfileDocument:
        history = tuple(item.item() for item in self.history)
        return ProfileDocument(self.profile(), history, self.created_at, self.updated_at)


class ProfilePatch(Patch):
    """What is to change of a profile; what is not named stays.

    `fields` is merged (RFC 7396): a key with null is removed, a new one comes last. `strength: null` leaves
    the strength to the setting.
    """

    name: Name = Field("", description=NAME)
    default: bool = Field(False, description=FLAG)
    strength: StrengthIn | None = Field(None, description=STRENGTH)
    record_history: bool = Field(False, description=FLAG)
    fields: dict[FieldName, FieldText | None] = Field({}, description=FIELDS)

    def applied(self, profile: Profile) -> Profile:
        """Raises ValueError when there are too many fields then."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "default" in given:
            given["is_default"] = given.pop("default")
        if "fields" in given:
            merged = {**dict(profile.fields), **self.fields}
            given["fields"] = tuple((key, text) for key, text in merged.items() if text is not None)
            if len(given["fields"]) > MAX_FIELDS:
                raise ValueError(f"a profile has at most {MAX_FIELDS} fields")
        return replace(profile, **given)


class ImportQuery(Query):
    replace: bool = Field(False, description="Replace a profile of the same id with its whole history.")


class ProfileOut(Listed):
    """A profile, without its history."""

    id: str
    object: Literal["profile"] = "profile"
    name: str
    default: bool
    strength: Strength | None
    record_history: bool
    fields: dict[str, str]
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


def exported(document: ProfileDocument) -> dict[str, Any]:
    """The document as DocumentIn takes it; times are datetimes."""
    return {
        **_profile(document.profile),
        "created_at": document.created_at,
        "updated_at": document.updated_at,
        "history": [item_fields(item) for item in document.history],
    }


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "name": profile.name,
        "default": profile.is_default,
        "strength": profile.strength,
        "record_history": profile.record_history,
        "fields": dict(profile.fields),
    }
