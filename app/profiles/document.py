"""Pydantic schemas of a profile and its history, for files, the command line and HTTP requests."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.profiles.fields import (
    FILLED,
    NOT_BLANK,
    STORABLE,
    STRENGTH,
    TIME,
    StrengthIn,
    Time,
    Wire,
)
from app.profiles.levels import (
    DISCLOSURE,
    LEVEL,
    DisclosureIn,
    LevelIn,
    disclosure_fields,
    of_fields_only,
)
from app.profiles.preferences import PREFERENCES, Preferences, preference_fields, preferences
from app.profiles.profile import (
    MAX_QUESTION,
    MAX_TEXT,
    HistoryItem,
    Profile,
    ProfileDocument,
    longest_request,
    split_turn,
)

MAX_FIELDS = 100
MAX_TITLE = 1000


FieldName = Annotated[str, Field(max_length=100), FILLED]


FieldText = Annotated[str, Field(max_length=10_000), FILLED, NOT_BLANK]


Name = Annotated[str, Field(max_length=200), FILLED, NOT_BLANK]


# Descriptions say what is expected: in the API's documentation, and in error messages about a file.
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
    preferences: Preferences = Field([], description=PREFERENCES)
    disclosure: DisclosureIn = Field(default_factory=DisclosureIn, description=DISCLOSURE)

    @field_validator("disclosure")
    @classmethod
    def _of_its_fields(cls, given: DisclosureIn, info: ValidationInfo) -> DisclosureIn:
        known = info.data.get("fields")  # None where they are wrong themselves
        return given if known is None else of_fields_only(given, known)

    def profile(self) -> Profile:
        return Profile(
            id=self.id,
            name=self.name,
            fields=tuple(self.fields.items()),
            is_default=self.default,
            strength=self.strength,
            record_history=self.record_history,
            preferences=preferences(self.preferences),
            disclosure=self.disclosure.disclosure(),
        )


class DocumentIn(ProfileIn):
    """A profile with its history, oldest first: an export, or a profile file."""

    created_at: Time | None = Field(None, description=TIME)
    updated_at: Time | None = Field(None, description=TIME)
    history: list[ItemIn] = Field([], description=HISTORY)

    def document(self) -> ProfileDocument:
        history = tuple(item.item() for item in self.history)
        return ProfileDocument(self.profile(), history, self.created_at, self.updated_at)


def exported(document: ProfileDocument) -> dict[str, Any]:
    """The document as a dict that DocumentIn accepts; times are datetimes."""
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
        "preferences": [preference_fields(one) for one in profile.preferences],
        "disclosure": disclosure_fields(profile.disclosure),
    }


Title = Annotated[str, Field(max_length=MAX_TITLE), STORABLE]


ItemRequest = Annotated[str, Field(max_length=MAX_QUESTION), STORABLE]


ItemText = Annotated[str, Field(max_length=MAX_TEXT), FILLED, NOT_BLANK]


# Descriptions say what is expected: in the API's documentation, and in error messages about a file.
TITLE = "text of at most 1,000 characters"


TEXT = "text that is not blank, of at most 1,000,000 characters"


KIND = '"document" or "turn"'


REQUEST = "text of at most 10,000 characters, or 100,000 in a turn: what the text answers"


class ItemIn(Wire):
    """An item of the history: text that the person wrote, or an exchange with a model.

    A turn without the key `request` whose text is "User: ...", an empty line and "Assistant: ...", as earlier
    versions exported it, is taken apart.
    """

    text: ItemText = Field(description=TEXT)
    title: Title = Field("", description=TITLE)
    kind: Literal["document", "turn"] = Field("document", description=KIND)
    request: ItemRequest = Field("", description=REQUEST)
    source: Title = Field("", description=TITLE)
    created_at: Time | None = Field(None, description=TIME)
    disclosure: LevelIn = Field("open", description=LEVEL)

    @field_validator("request")
    @classmethod
    def _fits_its_kind(cls, request: str, info: ValidationInfo) -> str:
        longest = longest_request(info.data.get("kind", "turn"))
        if len(request) > longest:
            raise PydanticCustomError("string_too_long", "too long", {"max_length": longest})
        return request

    def item(self) -> HistoryItem:
        item = HistoryItem(
            self.title,
            self.text,
            self.kind,
            self.source,
            self.created_at,
            self.request,
            self.disclosure,
        )
        return item if "request" in self.model_fields_set else split_turn(item)


def item_fields(item: HistoryItem) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "title": item.title,
        "request": item.request,
        "text": item.text,
        "source": item.source,
        "created_at": item.created_at,
        "disclosure": item.disclosure,
    }
