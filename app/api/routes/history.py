"""/v1/profiles/{profile_id}/history: routes to add, list, search, correct and erase history items."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.api.auth import CallerDep
from app.api.body import JSON, MERGE_PATCH, described, receive, receive_json, schema
from app.api.dependencies import PartsDep
from app.api.history_upload import LINES, TEXT, TYPES, items_of
from app.api.schemas.base import Listing
from app.api.schemas.history import (
    ITEM_ID,
    ITEM_PREFIX,
    CreatedItem,
    FoundItem,
    HistoryDeleted,
    Item,
    ItemDeleted,
    ItemPatch,
    PageQuery,
    SearchQuery,
    UploadQuery,
)
from app.api.store_writes import write
from app.errors import HistoryItemNotFound
from app.profiles.document import ItemIn
from app.profiles.terms import terms

router = APIRouter(prefix="/v1/profiles/{profile_id}/history", tags=["History"])

ITEM = schema(ItemIn)
UPLOAD = described(
    (JSON, {"anyOf": [ITEM, {"type": "array", "items": ITEM, "minItems": 1}]}),
    *((name, {"type": "string", "description": "One item a line."}) for name in LINES),
    *((name, {"type": "string", "description": "One text."}) for name in TEXT),
)


@router.get("", summary="List the items")
async def list_items(
    profile_id: str, query: Annotated[PageQuery, Query()], parts: PartsDep, caller: CallerDep
) -> Listing[Item]:
    """A page of the history. For the next one send `last_id` as `after`; an item added later is never skipped
    in ascending order."""
    caller.may_use(profile_id)
    page = await asyncio.to_thread(
        parts.store.history.page,
        profile_id,
        after=_number(query.after) if query.after else None,
        limit=query.limit,
        newest_first=query.order == "desc",
    )
    return Listing[Item].of([Item.of(stored) for stored in page.items], has_more=page.has_more)


@router.post("", status_code=201, summary="Add items", openapi_extra=UPLOAD)
async def add_items(
    profile_id: str,
    query: Annotated[UploadQuery, Query()],
    request: Request,
    parts: PartsDep,
    caller: CallerDep,
) -> Listing[CreatedItem]:
    """Adds one item or many, all or none of them: an item or a list as JSON, one item per line as JSONL, or
    one plain text, whose line ends become line feeds. Answers with the new ids in the same order, always as a
    list and without the texts."""
    caller.may_use(profile_id)
    body = await receive(request, *TYPES)
    items = await asyncio.to_thread(items_of, body, query)
    stored = await write(parts.store.history.add, profile_id, items)
    return Listing[CreatedItem].of([CreatedItem.of(one) for one in stored])


@router.delete("", summary="Erase the whole history")
async def delete_items(profile_id: str, parts: PartsDep, caller: CallerDep) -> HistoryDeleted:
    """Erases every item; the profile stays."""
    caller.may_use(profile_id)
    deleted = await write(parts.store.history.clear, profile_id)
    await parts.sweeper.sweep()
    return HistoryDeleted(deleted=deleted)


@router.get("/search", summary="Search")
async def search_items(
    profile_id: str, query: Annotated[SearchQuery, Query()], parts: PartsDep, caller: CallerDep
) -> Listing[FoundItem]:
    """The best matching items, by BM25, each with its best passage."""
    caller.may_use(profile_id)
    hits = await asyncio.to_thread(
        lambda: parts.store.history.search(profile_id, [(1.0, terms(query.q))], query.limit)
    )
    return Listing[FoundItem].of([FoundItem.of_hit(hit) for hit in hits])


@router.get("/{item_id}", summary="Read an item")
async def read_item(profile_id: str, item_id: str, parts: PartsDep, caller: CallerDep) -> Item:
    caller.may_use(profile_id)
    return Item.of(await asyncio.to_thread(parts.store.history.get, profile_id, _number(item_id)))


@router.patch(
    "/{item_id}",
    summary="Correct an item",
    openapi_extra=described((JSON, schema(ItemPatch)), (MERGE_PATCH, schema(ItemPatch))),
)
async def patch_item(
    profile_id: str, item_id: str, request: Request, parts: PartsDep, caller: CallerDep
) -> Item:
    """Changes the fields that are sent; the others stay, and so does the item's position."""
    caller.may_use(profile_id)
    patch = await receive_json(request, ItemPatch, also=(MERGE_PATCH,))
    update = parts.store.history.update
    stored = await write(update, profile_id, _number(item_id), patch.applied)
    await parts.sweeper.sweep()
    return Item.of(stored)


@router.delete("/{item_id}", summary="Erase an item")
async def delete_item(profile_id: str, item_id: str, parts: PartsDep, caller: CallerDep) -> ItemDeleted:
    """Erases the item, from the search index, the database's files and the small model's memory as well."""
    caller.may_use(profile_id)
    await write(parts.store.history.delete, profile_id, [_number(item_id)])
    await parts.sweeper.sweep()
    return ItemDeleted(id=item_id)


def _number(item_id: str) -> int:
    """The number of an item's id: 7 for item_7. Raises HistoryItemNotFound."""
    match = ITEM_ID.fullmatch(item_id)
    if match is None:
        raise HistoryItemNotFound(f"There is no history item of that id; one looks like {ITEM_PREFIX}7.")
    return int(match[1])
