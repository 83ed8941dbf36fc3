"""Schemas of the models routes: OpenAI's model object and list."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from app.api.schemas.base import Query
from app.remote.interface import ModelCard


class ModelOut(BaseModel):
    """OpenAI's model object."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        return cls(id=card.id, created=card.created, owned_by=card.owned_by)


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelOut]


class ModelsQuery(Query):
    """`aliases` adds `name@profile` for each profile that the caller may use. Unknown parameters, which
    clients send for other servers, such as their version, are harmless and ignored."""

    model_config = ConfigDict(extra="ignore")

    aliases: bool = False
