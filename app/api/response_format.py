"""What becomes of a request for JSON: who writes the reply."""

from __future__ import annotations

import asyncio

from app.api.dependencies import Parts
from app.api.tool_use import written_by_itself
from app.decoding.grammar import ResponseFormat
from app.prompts.context import PersonalContext


async def left_by_its_format(
    parts: Parts, context: PersonalContext, wanted: ResponseFormat, name: str
) -> str | None:
    """Why a reply of this format, that of the field `name`, is the remote's to write: nothing steers it, and
    the remote takes requests as they are, or it cannot be held to the schema. None if it is written here."""
    if (reason := written_by_itself(parts, context)) is not None:
        return reason
    refused = await asyncio.to_thread(wanted.refused)
    return f"{name}: {refused}" if refused is not None else None
