"""The Pydantic schema of preferences, the same in files, on the command line and in requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.profiles.fields import FILLED, NOT_BLANK, Wire
from app.profiles.profile import Preference

MAX_PREFERENCES = 20
MAX_LENGTH = 1000

# Descriptions say what is expected: in the API's documentation, and in error messages about a file.
PREFERENCES = "a list of at most 20 preferences: how replies should be"
PREFERENCE = "a text, or a table with a text and perhaps its opposite"
TEXT = "text of 1 to 1,000 characters, not blank"
OPPOSITE = "text of at most 1,000 characters that is not blank, or none"

Text = Annotated[str, Field(max_length=MAX_LENGTH), FILLED, NOT_BLANK]


def _none(value: object) -> object:
    return None if value == "" else value


class PreferenceTable(Wire):
    """A preference; an `opposite` that is left out, null or empty is none."""

    text: Text = Field(description=TEXT)
    opposite: Annotated[Text | None, BeforeValidator(_none)] = Field(None, description=OPPOSITE)

    def preference(self) -> Preference:
        return Preference(self.text, self.opposite or "")


def _table(value: object) -> object:
    """A text alone as a table. An error of its own for other types, as pydantic's knows of tables only."""
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        raise PydanticCustomError("preference", "neither text nor a table")
    return value


def _opposed(table: PreferenceTable) -> PreferenceTable:
    """An opposite that says the same would steer nothing, at the cost of two prompts."""
    if table.opposite is not None and table.opposite.strip() == table.text.strip():
        raise PydanticCustomError("opposed", "an opposite that is the text itself")
    return table


def _distinct(given: list[PreferenceTable]) -> list[PreferenceTable]:
    """Refuses a text that stands twice, at the place of the second."""
    first: dict[str, int] = {}
    for number, one in enumerate(given):
        if (before := first.setdefault(one.text, number)) != number:
            repeated = PydanticCustomError("repeated", "the text of [{first}] again", {"first": before})
            raise ValidationError.from_exception_data(
                "preferences",
                [{"type": repeated, "loc": (number,), "input": None}],
                hide_input=True,  # as all errors here quote no value
            )
    return given


# As it is sent and written: a text alone, or a table.
PreferenceIn = Annotated[
    PreferenceTable,
    BeforeValidator(_table),
    AfterValidator(_opposed),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": MAX_LENGTH, "pattern": r"\S"},
                PreferenceTable.model_json_schema(),
            ]
        }
    ),
]
Preferences = Annotated[list[PreferenceIn], Field(max_length=MAX_PREFERENCES), AfterValidator(_distinct)]


def preferences(given: Sequence[PreferenceTable]) -> tuple[Preference, ...]:
    return tuple(one.preference() for one in given)


def preference_fields(preference: Preference) -> dict[str, str]:
    """The preference as a dict that PreferenceTable accepts."""
    return {"text": preference.text, "opposite": preference.opposite}
