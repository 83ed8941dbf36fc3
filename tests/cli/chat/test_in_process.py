"""The application in this process: its answers come while they are written, and it hears who leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from conftest import Proxy

from app.api.auth import Caller, caller_of
from app.cli.chat.client import Client
from app.cli.chat.conversation import Conversation, Wishes
from app.cli.chat.in_process import URL, InProcess
from app.cli.chat.reply import Reply


@pytest.fixture
def client(proxy: Proxy) -> Client:
    proxy.app.dependency_overrides[caller_of] = Caller
    return Client(URL, "", InProcess(proxy.app))


def body(**wishes: Any) -> dict[str, Any]:
    wished = Wishes(profile="loud", temperature=0, **wishes)
    return Conversation(wished).request("Say hello.", 1, ())


async def test_a_reply_is_steered_and_told_token_by_token(client: Client) -> None:
    reply = Reply(1)
    pieces = [piece async for piece in client.write(body(), reply)]
    assert reply.text == "HELLO WORLD"
    assert [piece.changed for piece in pieces] == [letter != " " for letter in "HELLO WORLD"]
    assert all(piece.steered_by > 0.5 for piece in pieces if piece.changed)
    assert (reply.finish_reason, reply.totals["changed"]) == ("stop", 10)
    (candidates,) = [token["candidates"] for token in pieces[0].tokens]
    assert [one["token"] for one in candidates] == ["H", "h"]


async def test_an_endless_reply_comes_as_it_is_written_and_ends_when_nobody_reads(
    client: Client, proxy: Proxy
) -> None:
    proxy.remote.endless = True
    proxy.remote.max_model_len = 10**9
    pieces = client.write(body(), Reply(1))
    assert (await anext(pieces)).text == "H"
    assert proxy.remote.drafts_open == 1
    await pieces.aclose()
    assert (proxy.remote.drafts_open, proxy.local.sessions_open) == (0, 0)


async def test_leaving_before_the_first_word_ends_the_work_as_well(client: Client, proxy: Proxy) -> None:
    proxy.local.stalled.set()
    task = asyncio.ensure_future(anext(client.write(body(), Reply(1))))
    while not proxy.local.sessions_open:  # noqa: ASYNC110  # the fake tells nobody
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    while proxy.local.sessions_open:  # noqa: ASYNC110  # the loop closes the generator, some time later
        await asyncio.sleep(0.01)


async def test_profiles_and_previews_need_no_key_even_where_keys_are_in_use(
    client: Client, proxy: Proxy
) -> None:
    proxy.store.keys.create("an admin's", None)
    assert [one.id for one in await client.profiles()] == ["joined", "loud"]
    shown = await client.preview("loud", {"messages": [{"role": "user", "content": "Hello."}]})
    assert "LOUD" in shown["prompts"][0]["context_aware"]["prompt"]


async def test_an_application_that_ends_without_an_answer_is_a_broken_connection() -> None:
    async def silent(*_: object) -> None:
        pass

    async with httpx.AsyncClient(transport=InProcess(silent), base_url=URL) as asking:  # type: ignore[arg-type]
        with pytest.raises(httpx.RemoteProtocolError):
            await asking.get("/")
