"""Schemas of the routes for responses that are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Lenient(BaseModel):
    """Query parameters; OpenAI's other ones are about what there is none of here, and ignored."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class RetrieveQuery(_Lenient):
    stream: bool = False
    starting_after: int = -1


class ItemsQuery(_Lenient):
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


class ResponseDeleted(BaseModel):
    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True
