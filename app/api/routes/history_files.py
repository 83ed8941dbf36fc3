"""POST /v1/profiles/{profile_id}/history/files: takes files as people have them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.auth import CallerDep
from app.api.body import JSON, described, schema
from app.api.dependencies import Parts, PartsDep
from app.api.disconnect import while_present
from app.api.event_stream import stream_of_steps
from app.api.form_files import FILE, Received, receive_files
from app.api.forms import MEDIA_TYPE
from app.api.history_files import bring_in, given
from app.api.schemas.history_files import FilesIn, FilesRead
from app.api.upload_folder import UploadFolderDep
from app.profiles.profile import Profile

router = APIRouter(prefix="/v1/profiles/{profile_id}/history", tags=["History"])


def _form() -> dict[str, Any]:
    fields = schema(FilesIn)
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    return {**fields, "properties": {FILE: files, **fields["properties"]}, "required": [FILE]}


@router.post(
    "/files",
    summary="Add files",
    openapi_extra=described((MEDIA_TYPE, _form())),
    responses={200: {"model": FilesRead, "description": "Or events, with `stream`."}},
)
async def add_files(
    profile_id: str, request: Request, parts: PartsDep, caller: CallerDep, folder: UploadFolderDep
) -> Response:
    """Reads files as people have them: documents, notes, mail, chats and exports. What is stored already is
    added no second time; a file that cannot be read is refused with the reason, and stops no other. It ends
    when the client leaves, with what is stored by then; the same files sent again add the rest."""
    caller.may_use(profile_id)
    profile = await asyncio.to_thread(parts.store.profiles.get, profile_id)
    received = await receive_files(request, folder)
    wanted = given(received)
    if wanted.stream:
        steps = bring_in(parts, profile, received, wanted)
        return stream_of_steps(steps, parts.generator.clock)
    read = await while_present(request, _whole(parts, profile, received, wanted))
    return Response(read.model_dump_json(), media_type=JSON)


async def _whole(parts: Parts, profile: Profile, received: Received, wanted: FilesIn) -> FilesRead:
    async with aclosing(bring_in(parts, profile, received, wanted)) as steps:
        async for one in steps:
            if isinstance(one, FilesRead):
                return one
    raise AssertionError("reading ends with what became of the files")
