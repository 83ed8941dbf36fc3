"""Schemas of the history routes: items, patches, queries and responses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from app.api.schemas.base import Query
from app.errors import InvalidRequest
from app.profiles.disclosure import Level
from app.profiles.document import KIND, REQUEST, TEXT, TITLE, ItemRequest, ItemText, Title, item_fields
from app.profiles.fields import FILLED, NOT_BLANK, STORABLE, TIME, Listed, Patch, Time, wrong
from app.profiles.levels import LEVEL, LevelIn
from app.profiles.profile import MAX_REQUEST, HistoryItem, Hit, StoredItem, longest_request

ITEM_PREFIX = "item_"


ITEM_ID = re.compile(f"{ITEM_PREFIX}([1-9][0-9]{{0,17}})")  # SQLite's integers have 63 bits


def _item_id(value: str) -> str:
    if ITEM_ID.fullmatch(value) is None:
        raise wrong(f"must be the id of an item, like {ITEM_PREFIX}7")
    return value


ItemId = Annotated[
    str, AfterValidator(_item_id), Field(json_schema_extra={"pattern": f"^{ITEM_ID.pattern}$"})
]


class ItemPatch(Patch):
    """A partial update of an item; fields that are left out stay as they are."""

    text: ItemText = Field("", description=TEXT)
    title: Title = Field("", description=TITLE)
    kind: Literal["document", "turn"] = Field("document", description=KIND)
    request: ItemRequest = Field("", description=REQUEST)
    source: Title = Field("", description=TITLE)
    created_at: Time = Field(datetime.min, description=TIME)
    disclosure: LevelIn = Field("open", description=LEVEL)

    def applied(self, item: HistoryItem) -> HistoryItem:
        """The patched item. Raises InvalidRequest if its request is too long for its kind."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        patched = replace(item, **given)
        if len(patched.request) > (longest := longest_request(patched.kind)):
            raise InvalidRequest(
                f"request must have at most {longest:,} characters in a {patched.kind}.", param="request"
            )
        return patched


class PageQuery(Query):
    """Which page of a history to list."""

    after: ItemId | None = Field(None, description="An item's id; the list goes on behind it.")
    limit: int = Field(20, ge=1, le=100)
    order: Literal["desc", "asc"] = Field("desc", description="desc: newest first.")


class SearchQuery(Query):
    """A search query: items match if they contain any of the words, in any language; it has no operators."""

    q: Annotated[str, FILLED, NOT_BLANK]
    limit: int = Field(10, ge=1, le=100)


class UploadQuery(Query):
    """Metadata of an uploaded plain text or Markdown file, which has no fields of its own."""

    title: Title = Field(
        "",
        description="Of plain text and Markdown: at most 1,000 characters. Markdown without it has the title "
        "of its front matter, else its first heading.",
    )
    request: Annotated[str, Field(max_length=MAX_REQUEST), STORABLE] = Field(
        "", description="What plain text or Markdown answers: at most 10,000 characters."
    )
    source: Title = Field("", description="Where plain text or Markdown comes from.")
    disclosure: LevelIn = Field(
        "open", description=f"Of plain text and Markdown: what replies may tell the remote of it, {LEVEL}."
    )


class Item(Listed):
    """A history item."""

    id: str
    object: Literal["profile.history_item"] = "profile.history_item"
    kind: Literal["document", "turn"]
    title: str
    request: str
    text: str
    source: str
    created_at: datetime
    disclosure: Level

    @classmethod
    def of(cls, stored: StoredItem) -> Self:
        return cls(id=f"{ITEM_PREFIX}{stored.id}", **item_fields(stored.item))


class FoundItem(Item):
    """A search hit: an item, its BM25 score (higher is better) and its best matching passage."""

    score: float
    passage: str

    @classmethod
    def of_hit(cls, hit: Hit) -> Self:
        item = Item.of(hit.stored).model_dump()
        return cls(**item, score=hit.score, passage=hit.passage)


class CreatedItem(Listed):
    """The id of a new item, without its text."""

    id: str
    object: Literal["profile.history_item.created"] = "profile.history_item.created"
    created_at: datetime

    @classmethod
    def of(cls, stored: StoredItem) -> Self:
        return cls(id=f"{ITEM_PREFIX}{stored.id}", created_at=stored.item.created_at)


class ItemDeleted(BaseModel):
    id: str
    object: Literal["profile.history_item.deleted"] = "profile.history_item.deleted"
    deleted: Literal[True] = True


class HistoryDeleted(BaseModel):
    """The result of erasing a history; `deleted` is the number of items."""

    object: Literal["profile.history.deleted"] = "profile.history.deleted"
    deleted: int
