"""Runs a conversation, or one question, with the server on a port or in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.cli.chat.client import Client
from app.cli.chat.conversation import Conversation
from app.cli.chat.one_shot import answer
from app.cli.chat.screen import Screen
from app.settings.settings import Settings


def talk(
    settings: Settings,
    address: str | None,
    key: str,
    conversation: Conversation,
    question: str,
    *,
    plain: bool,
    as_json: bool,
) -> bool:
    """Answers the question, or if it is empty has a conversation. False: it was interrupted. Raises
    CoSteerError. `address` is None for the models in this process."""
    return asyncio.run(_talk(settings, address, key, conversation, question, plain=plain, as_json=as_json))


async def _talk(
    settings: Settings,
    address: str | None,
    key: str,
    conversation: Conversation,
    question: str,
    *,
    plain: bool,
    as_json: bool,
) -> bool:
    screen = Screen(plain=plain)
    async with _connected(settings, address, key) as client:
        if question:
            return await answer(client, conversation, question, screen, as_json=as_json)
        from app.cli.chat.session import Session  # noqa: PLC0415  # prompt_toolkit, for conversations only

        await Session(client, conversation, screen).run()
        return True


@asynccontextmanager
async def _connected(settings: Settings, address: str | None, key: str) -> AsyncIterator[Client]:
    if address is None:
        from app.cli.chat.in_process import opened  # noqa: PLC0415  # torch, for seconds

        async with opened(settings) as client:
            yield client
        return
    client = Client(address, key)
    try:
        yield client
    finally:
        await client.aclose()
