"""By what id a router knows the conversation of a chat request that is passed on."""

from __future__ import annotations

import asyncio
from typing import Any

from app.api.auth import Caller
from app.api.body import validated
from app.api.chat.turned_back import TurningBack, named
from app.api.dependencies import Parts
from app.api.schemas.chat import ChatMessage
from app.errors import InvalidRequest
from app.prompts.message import Message


async def session_of(
    asked: dict[str, Any], parts: Parts, caller: Caller, profile_header: str | None
) -> str | None:
    """The id of the replies that the request goes on from, as far as they were written here, else a new one;
    None where no router is told. `asked` is the request as the client has sent it."""
    if not parts.generator.names_sessions:
        return None
    profile = await TurningBack(parts, caller, profile_header).profile(*named(asked))
    return await asyncio.to_thread(lambda: parts.generator.session(profile, _beginning(asked)))


def _beginning(asked: dict[str, Any]) -> list[Message]:
    """The messages before the first that the small model could not read, as an image."""
    messages, read = asked.get("messages"), []
    for message in messages if isinstance(messages, list) else ():
        try:
            read.append(validated(ChatMessage, message).message())
        except InvalidRequest:
            break
    return read
