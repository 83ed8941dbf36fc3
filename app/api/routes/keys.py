"""/v1/keys: routes to list, make and delete API keys, for whoever may do everything."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.api.auth import KeyKeeperDep
from app.api.body import JSON, described, receive_json, schema
from app.api.dependencies import PartsDep
from app.api.middleware.origins import KeylessAccess
from app.api.schemas.base import Listing
from app.api.schemas.keys import KEY_ID, DeleteQuery, KeyCreated, KeyDeleted, KeyIn, KeyOut
from app.api.store_writes import write
from app.errors import KeyNotFound, LastAdminKey

router = APIRouter(prefix="/v1/keys", tags=["Keys"])

# Where requests without a key are refused anyway, since others reach the port.
LOCKS_OUT = (
    "It is the last admin key: without one nobody manages profiles and keys over HTTP, until `costeer keys "
    "create --admin` makes another."
)


@router.get("", summary="List the keys")
async def list_keys(parts: PartsDep, caller: KeyKeeperDep) -> Listing[KeyOut]:
    """All keys, oldest first; what they are cannot be shown again."""
    found = await asyncio.to_thread(parts.store.keys.list)
    return Listing[KeyOut].of([KeyOut.of(key, caller.key_id) for key in found])


@router.post("", status_code=201, summary="Make a key", openapi_extra=described((JSON, schema(KeyIn))))
async def create_key(request: Request, parts: PartsDep, caller: KeyKeeperDep) -> KeyCreated:
    """Answers with the key's `secret` this once only: its hash alone is kept. The first admin key `closes`:
    from then on every request needs a key."""
    body = await receive_json(request, KeyIn)
    profile_id = body.profile_id()
    open_before = _keyless(request) and not await asyncio.to_thread(parts.store.keys.required)
    key, secret = await write(parts.store.keys.create, body.label, profile_id)
    return KeyCreated.of(key, caller.key_id, secret=secret, closes=key.is_admin and open_before)


@router.delete("/{key_id}", summary="Delete a key")
async def delete_key(
    key_id: str,
    query: Annotated[DeleteQuery, Query()],
    request: Request,
    parts: PartsDep,
    caller: KeyKeeperDep,
) -> KeyDeleted:
    """It opens nothing from then on. The last admin key is deleted with `open=true` only: without
    one, requests without a key open all profiles, or none where others reach the port."""
    delete = partial(parts.store.keys.delete, _number(key_id), last_admin=query.open)
    try:
        last = await write(delete)
    except LastAdminKey as refused:
        consequence = refused.message if _keyless(request) else LOCKS_OUT
        words = f"{consequence} To delete it all the same, add ?open=true."
        raise LastAdminKey(words, param="open") from None
    return KeyDeleted(id=key_id, opens=last and _keyless(request))


def _keyless(request: Request) -> bool:
    """Whether requests without a key are answered as long as there is no admin key."""
    access: KeylessAccess = request.app.state.access
    return access.keyless


def _number(key_id: str) -> int:
    """The number of a key's id: 7 for key_7. Raises KeyNotFound."""
    match = KEY_ID.fullmatch(key_id)
    if match is None:
        raise KeyNotFound("There is no such key. `GET /v1/keys` lists those that exist.")
    return int(match[1])
