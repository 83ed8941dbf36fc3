"""The Pydantic schema of levels of disclosure, the same in files, on the command line and in requests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, LiteralString

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

from app.profiles.disclosure import IDENTIFIERS, LEVELS, Disclosure, Identifier, Level
from app.profiles.fields import Wire

# As many as a profile may have fields.
MAX_LEVELS = 100
# Keys of a profile's fields that a message lists; there may be a hundred of them.
LISTED = 10


def either(names: Sequence[str]) -> str:
    """The names as words: a, b or c."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


# Descriptions say what is expected: in the API's documentation, and in error messages about a file.
LEVEL = either(LEVELS)
KINDS = either(IDENTIFIERS)
NATS = "a number of nats, 0 or more"
DISCLOSURE = "a table of what replies may tell the remote: least, identifiers, fields and budget"
LEAST = f"{LEVEL}: all is at least as strict"
OF_IDENTIFIERS = f"a table of levels by kind: {KINDS}"
OF_FIELDS = "a table of levels by key of the profile's fields"
BUDGET = f"{NATS}: how much a conversation may tell the remote; or null"


def _one_error(kind: LiteralString, message: LiteralString, expected: str) -> WrapValidator:
    """Turns whatever pydantic says of a value into one error, which says what is expected."""

    def check(value: object, checked: ValidatorFunctionWrapHandler) -> object:
        try:
            return checked(value)
        except ValidationError:
            raise PydanticCustomError(kind, message, {"expected": expected}) from None

    return WrapValidator(check)


LevelIn = Annotated[Level, _one_error("level", "must be {expected}", LEVEL)]
IdentifierIn = Annotated[
    Identifier, _one_error("identifier", "is no kind of identifier; there are {expected}", KINDS)
]
BudgetIn = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)], _one_error("budget", "must be {expected}", NATS)
]


class DisclosureIn(Wire):
    """What replies may tell the remote of a profile; what is left out has the defaults."""

    least: LevelIn = Field("open", description=LEAST)
    identifiers: dict[IdentifierIn, LevelIn] = Field({}, description=OF_IDENTIFIERS)
    fields: dict[str, LevelIn] = Field({}, description=OF_FIELDS, max_length=MAX_LEVELS)
    budget: BudgetIn | None = Field(None, description=BUDGET)

    def disclosure(self) -> Disclosure:
        identifiers, fields = tuple(self.identifiers.items()), tuple(self.fields.items())
        return Disclosure(self.least, identifiers, fields, self.budget)


def disclosure_fields(disclosure: Disclosure) -> dict[str, Any]:
    """The disclosure as a dict that DisclosureIn accepts."""
    return {
        "least": disclosure.least,
        "identifiers": dict(disclosure.identifiers),
        "fields": dict(disclosure.fields),
        "budget": disclosure.budget,
    }


def of_fields_only(given: DisclosureIn, known: Collection[str]) -> DisclosureIn:
    """What is given. Raises ValidationError at each level of a field that is not among the `known`."""
    mistake = PydanticCustomError("no_field", "{words}", {"words": no_field(known)})
    mistakes = [
        InitErrorDetails(type=mistake, loc=("fields", key), input=None)
        for key in unknown_fields(given.fields, known)
    ]
    if mistakes:
        # As all errors here quote no value.
        raise ValidationError.from_exception_data("disclosure", mistakes, hide_input=True)
    return given


def unknown_fields(given: Collection[str], known: Collection[str]) -> list[str]:
    """The keys with a level that are no fields of the profile."""
    return [key for key in given if key not in known]


def no_field(known: Collection[str]) -> str:
    """The predicate of a sentence about a key that is not among the profile's fields, which it names."""
    listed = list(known)[:LISTED]
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"is no field of the profile; it has {', '.join(listed) + more if listed else 'none'}"
