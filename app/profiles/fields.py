"""Pydantic types of the fields, validated the same way in files, on the command line and over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from app.steering.strength import Strength

STRENGTH = 'a number from 0 to 4, or "auto"'


def _either(value: object, checked: ValidatorFunctionWrapHandler) -> Strength:
    """One error for the whole union; pydantic itself would report one for each branch."""
    try:
        strength: Strength = checked(value)
    except ValidationError:
        raise PydanticCustomError("strength", "must be {expected}", {"expected": STRENGTH}) from None
    return strength


StrengthIn = Annotated[Annotated[float, Field(ge=0, le=4)] | Literal["auto"], WrapValidator(_either)]


def wrong(predicate: str) -> PydanticCustomError:
    """A validation error; `predicate` completes a sentence about the field, see api/validation_errors.py."""
    return PydanticCustomError("costeer", "{predicate}", {"predicate": predicate})


class Wire(BaseModel):
    """A strict model: unknown fields are rejected by name, never ignored, and errors quote no value."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class Patch(Wire):
    """A partial update: fields that are left out stay as they are. The schema documents no defaults, since
    /docs would put them into its example request, and sending that would overwrite stored values."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Listed(BaseModel):
    """Base of all objects that a list response can hold."""

    id: str


def _whole(text: str) -> str:
    """Rejects lone surrogates: JSON can escape one, but it has no UTF-8 for a tokenizer or a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_unicode", "lone surrogate") from None
    return text


def _storable(text: str) -> str:
    """Rejects NUL characters too, since SQLite's tools end a text at a NUL."""
    if "\0" in _whole(text):
        raise PydanticCustomError("nul", "a NUL character")
    return text


def _filled(text: str) -> str:
    if not _storable(text).strip():
        raise PydanticCustomError("blank", "nothing but blanks")
    return text


# Text without lone surrogates; also without NUL; also not blank. In an Annotated type they come after the
# length limit, so that pydantic measures the length in characters.
WHOLE = AfterValidator(_whole)


STORABLE = AfterValidator(_storable)


FILLED = AfterValidator(_filled)


# The same for the OpenAPI schema, where a length limit alone would suggest that blanks are accepted.
NOT_BLANK = Field(json_schema_extra={"pattern": r"\S"})


def _time(value: object) -> object:
    """Parses a time and converts it to UTC: TOML has its own time values, JSON writes them as ISO 8601."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise PydanticCustomError("time", "text that is no time") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise PydanticCustomError("time", "a time without a zone")
        try:
            return value.astimezone(UTC)
        except OverflowError:  # in the first or the last hours that a calendar has
            raise PydanticCustomError("time", "a time out of range") from None
    return value


Time = Annotated[datetime, BeforeValidator(_time)]


TIME = "a time with its zone, like 2026-01-31T09:30:00Z"
