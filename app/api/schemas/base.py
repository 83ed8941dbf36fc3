"""Base schemas: strict query parameters, list responses, and OpenAI's error object."""

from __future__ import annotations

from typing import Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from app.profiles.fields import Listed


class Query(BaseModel):
    """Query parameters: text is converted to numbers, but unknown names are rejected."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


T = TypeVar("T", bound=Listed)


class Listing(BaseModel, Generic[T]):
    """OpenAI's list object; if `has_more`, the next page begins after `last_id`."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, data: list[T], *, has_more: bool = False) -> Self:
        first, last = (data[0].id, data[-1].id) if data else (None, None)
        return cls(data=data, first_id=first, last_id=last, has_more=has_more)


class Mistake(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class Failure(BaseModel):
    """OpenAI's error object: `message` says what to change, `param` where."""

    error: Mistake
