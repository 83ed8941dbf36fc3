"""Types of the fields that people write, checked the same way in files, on the command line and over HTTP."""

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
    """Pydantic itself would report on every branch of the union."""
    try:
        strength: Strength = checked(value)
    except ValidationError:
        raise PydanticCustomError("strength", "must be {expected}", {"expected": STRENGTH}) from None
    return strength


StrengthIn = Annotated[Annotated[float, Field(ge=0, le=4)] | Literal["auto"], WrapValidator(_either)]


def wrong(predicate: str) -> PydanticCustomError:
    """A mistake in a field, as the predicate of a sentence about it; see api/failures.py."""
    return PydanticCustomError("costeer", "{predicate}", {"predicate": predicate})


class Wire(BaseModel):
    """A field that is not known is refused by name, never ignored; no value is quoted in an error."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class Patch(Wire):
    """What is to change; what is not named stays. So no default of a field is documented: whoever sent it,
    as /docs would propose, would overwrite what is there."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Listed(BaseModel):
    """What can stand in a listing."""

    id: str


def _whole(text: str) -> str:
    """JSON can escape half of a surrogate pair, which no tokenizer and no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_unicode", "lone surrogate") from None
    return text


def _storable(text: str) -> str:
    """SQLite's tools end a text at a NUL."""
    if "\0" in _whole(text):
        raise PydanticCustomError("nul", "a NUL character")
    return text


def _filled(text: str) -> str:
    if not _storable(text).strip():
        raise PydanticCustomError("blank", "nothing but blanks")
    return text


# Text that can be read; that can be stored; that is stored and not blank. They stand behind a length, for
# pydantic to measure it in characters.
WHOLE = AfterValidator(_whole)


STORABLE = AfterValidator(_storable)


FILLED = AfterValidator(_filled)


# The same for the API's document, where a length alone would promise that blanks are taken.
NOT_BLANK = Field(json_schema_extra={"pattern": r"\S"})


def _time(value: object) -> object:
    """TOML has times of its own; JSON writes them as ISO 8601."""
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
