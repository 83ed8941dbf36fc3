"""The formats that a client may want a reply in: text, or JSON of a schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field

from app.decoding.grammar import ResponseFormat
from app.profiles.fields import WHOLE, Wire

# Of the formats' types, those that a reply can be held to here.
KINDS = ("text", "json_object", "json_schema")


class TextFormat(Wire):
    """The format `text`, which is the default and constrains nothing."""

    type: Literal["text"]

    def held_to(self) -> ResponseFormat | None:
        return None


class ObjectFormat(Wire):
    """Any JSON object."""

    type: Literal["json_object"]

    def held_to(self) -> ResponseFormat | None:
        return ResponseFormat({"type": "object"})


class NamedSchema(Wire):
    """A JSON Schema, which OpenAI wants named. A reply is held to it, `strict` or not, as in vLLM."""

    name: Annotated[str, WHOLE]
    description: Annotated[str, WHOLE] | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None

    def held_to(self) -> ResponseFormat | None:
        return ResponseFormat(self.schema_)


class SchemaFormat(Wire):
    """JSON of a schema, as chat completions have it."""

    type: Literal["json_schema"]
    json_schema: NamedSchema

    def held_to(self) -> ResponseFormat | None:
        return self.json_schema.held_to()


class FlatSchemaFormat(NamedSchema):
    """JSON of a schema, as responses have it."""

    type: Literal["json_schema"]


Format = Annotated[TextFormat | ObjectFormat | SchemaFormat, Discriminator("type")]
FlatFormat = Annotated[TextFormat | ObjectFormat | FlatSchemaFormat, Discriminator("type")]


def not_held_to(value: object, name: str, tools: object) -> str | None:
    """Why no reply is held here to the format `value` of the field `name`, if it is one; None if one can be.
    With tools, what is a call is the remote's to know."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not kind or kind == "text":
        return None
    if kind not in KINDS:
        return name
    return f"{name} with tools" if tools else None
