"""/v1/profiles: routes to create, list, read, change, erase, export and import profiles."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.auth import Caller, CallerDep
from app.api.body import JSON, MERGE_PATCH, described, receive, receive_json, schema
from app.api.dependencies import PartsDep
from app.api.schemas.base import Listing
from app.api.schemas.profiles import ImportQuery, ProfileDeleted, ProfileOut, ProfilePatch
from app.api.store_writes import write
from app.errors import InvalidRequest, ProfileExists, ProfileNotFound
from app.profiles.document import DocumentIn, ProfileIn
from app.profiles.profile import Profile, ProfileDocument
from app.profiles.profile_file import Syntax, dump_profile, parse_profile
from app.profiles.store import Store

router = APIRouter(prefix="/v1/profiles", tags=["Profiles"])

TOML = "application/toml"


@router.get("", summary="List the profiles")
async def list_profiles(parts: PartsDep, caller: CallerDep) -> Listing[ProfileOut]:
    """All profiles, sorted by id; with the API key of a profile, that one only."""
    if caller.profile_id is None:
        found = await asyncio.to_thread(parts.store.profiles.list)
    else:
        found = [await asyncio.to_thread(parts.store.profiles.read, caller.profile_id)]
    return Listing[ProfileOut].of([ProfileOut.of(stored) for stored in found])


@router.post(
    "", status_code=201, summary="Create a profile", openapi_extra=described((JSON, schema(ProfileIn)))
)
async def create_profile(request: Request, parts: PartsDep, caller: CallerDep) -> ProfileOut:
    """A new default profile replaces the one before. Needs an admin key, if there is one."""
    caller.must_be_admin("create profiles")
    body = await receive_json(request, ProfileIn)
    stored = await write(parts.store.profiles.create, ProfileDocument(body.profile()))
    parts.warmer.soon(stored.profile.id)
    return ProfileOut.of(stored)


@router.post(
    "/import",
    status_code=201,
    summary="Import a profile",
    openapi_extra=described((JSON, schema(DocumentIn)), (TOML, {"type": "string"})),
    responses={200: {"model": ProfileOut, "description": "Replaced, or the same as before."}},
)
async def import_profile(
    query: Annotated[ImportQuery, Query()],
    request: Request,
    response: Response,
    parts: PartsDep,
    caller: CallerDep,
) -> ProfileOut:
    """Takes an export, or a profile file, with the whole history. A profile of the same id is replaced only
    with `replace=true`, and then as a whole: items that the document does not hold are erased."""
    body = await receive(request, JSON, TOML)
    syntax: Syntax = "toml" if body.media_type == TOML else "json"
    document = await asyncio.to_thread(parse_profile, body.data, "The body", syntax, caller.may_use)
    profile = document.profile
    if caller.profile_id is not None:
        _same_mark(caller, await asyncio.to_thread(parts.store.profiles.get, profile.id), profile)
    if query.replace:
        if await write(parts.store.profiles.put, document) != "created":
            response.status_code = 200
    else:
        await write(_create, parts.store, document)
    await parts.sweeper.sweep()
    parts.warmer.soon(profile.id)
    return ProfileOut.of(await asyncio.to_thread(parts.store.profiles.read, profile.id))


@router.get("/{profile_id}", summary="Read a profile")
async def read_profile(profile_id: str, parts: PartsDep, caller: CallerDep) -> ProfileOut:
    caller.may_use(profile_id)
    return ProfileOut.of(await asyncio.to_thread(parts.store.profiles.read, profile_id))


@router.patch(
    "/{profile_id}",
    summary="Change a profile",
    openapi_extra=described((JSON, schema(ProfilePatch)), (MERGE_PATCH, schema(ProfilePatch))),
)
async def patch_profile(profile_id: str, request: Request, parts: PartsDep, caller: CallerDep) -> ProfileOut:
    """A JSON merge patch (RFC 7396): what is left out stays, a field of null is removed, a new one comes
    last; fields that are all named take the patch's order. A list of preferences replaces the one before,
    null removes it. A strength of null means the setting's."""
    caller.may_use(profile_id)
    patch = await receive_json(request, ProfilePatch, also=(MERGE_PATCH,))

    def change(profile: Profile) -> Profile:
        try:
            changed = patch.applied(profile)
        except ValueError as error:
            raise InvalidRequest(f"fields would be too many: {error}.", param="fields") from None
        _same_mark(caller, profile, changed)
        return changed

    stored = await write(parts.store.profiles.update, profile_id, change)
    await parts.sweeper.sweep()
    parts.warmer.soon(profile_id)
    return ProfileOut.of(stored)


@router.delete("/{profile_id}", summary="Erase a profile")
async def delete_profile(profile_id: str, parts: PartsDep, caller: CallerDep) -> ProfileDeleted:
    """Erases the profile with its history and its API keys, from the database's files and the small model's
    memory as well."""
    caller.may_use(profile_id)
    await write(parts.store.profiles.delete, profile_id)
    await parts.sweeper.sweep()
    return ProfileDeleted(id=profile_id)


@router.get(
    "/{profile_id}/export",
    summary="Export a profile",
    response_class=Response,
    responses={200: {"content": {JSON: {"schema": schema(DocumentIn)}}, "description": "For an import."}},
)
async def export_profile(profile_id: str, parts: PartsDep, caller: CallerDep) -> Response:
    """The profile with its whole history, oldest first, as one JSON document; importing it gives the same
    profile, and exporting that the same bytes."""
    caller.may_use(profile_id)
    export = parts.store.profiles.export
    data = await asyncio.to_thread(lambda: dump_profile(export(profile_id)))
    # An existing profile's id is a slug, which needs no quoting.
    headers = {"Content-Disposition": f'attachment; filename="{profile_id}.json"'}
    return Response(data, media_type=JSON, headers=headers)


def _same_mark(caller: Caller, before: Profile, after: Profile) -> None:
    """Raises Forbidden if a profile's key changes which profile is the default, as that affects others."""
    if before.is_default != after.is_default:
        caller.must_be_admin("change which profile is the default one")


def _create(store: Store, document: ProfileDocument) -> None:
    """Stores the document; raises ProfileExists with what a replacement would erase."""
    try:
        store.profiles.create(document)
        return
    except ProfileExists:
        profile_id = document.profile.id
    try:
        count = store.profiles.read(profile_id).history_count
    except ProfileNotFound:  # deleted in between
        store.profiles.create(document)
        return
    items = f"{count} item{'' if count == 1 else 's'}"
    raise ProfileExists(
        f"There is a profile {profile_id!r} already. With ?replace=true this document replaces it and its "
        f"history of {items}."
    )
