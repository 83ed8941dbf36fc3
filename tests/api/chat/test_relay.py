"""The remote's answer on its way to the client: byte for byte, and no longer than someone waits for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from contextlib import aclosing
from dataclasses import replace
from typing import Any, NoReturn

import httpx
import openai
import pytest
from conftest import Proxy
from fakes import FakeAnswer, FakeRemote
from hypothesis import given
from hypothesis import strategies as st
from remote.loopback import Connection, active, loopback, until

from api.routes.test_chat import error_of
from app.api.chat.relay import Relay
from app.errors import RemoteError
from app.remote.interface import Forward
from app.remote.vllm import VLLMRemote

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
SSE = {"content-type": "text/event-stream; charset=utf-8"}
ASKED = Forward("POST", "embeddings", "/v1/embeddings")
EVENTS = [b'data: {"choi', b'ces":[]}\n\nda', b"ta: \xc3", b"\xa9\n\n: ping\n\n", b"data: [DONE]\n\n"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def waiting() -> NoReturn:
    """A client that stays."""
    await asyncio.Event().wait()
    raise AssertionError


async def relayed(answer: FakeAnswer) -> bytes:
    """What goes out to a client."""
    remote, pieces = FakeRemote(), []
    remote.answer = answer

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))

    await Relay(remote, ASKED, "x")({"type": "http"}, waiting, send)
    return b"".join(pieces)


async def test_a_stream_comes_back_byte_for_byte(proxy: Proxy, base_url: str) -> None:
    proxy.remote.answer = FakeAnswer(*EVENTS, headers=SSE)
    body = {"model": "fake-model", "messages": [], "stream": True, "tools": TOOLS}
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{base_url}/chat/completions", json=body)
    assert response.content == b"".join(EVENTS)
    assert response.headers["content-type"] == SSE["content-type"]
    assert response.headers["x-costeer-reason"] == "tools"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
async def test_however_a_stream_is_cut_its_bytes_stay_the_same(body: bytes, cuts: list[int]) -> None:
    marks = [0, *sorted(cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(marks)]
    whole = b"".join(pieces)
    assert await relayed(FakeAnswer(*pieces, headers=SSE)) == whole


async def test_a_stream_that_breaks_ends_with_an_error_event_and_never_half_a_line(proxy: Proxy) -> None:
    gone = RemoteError("The connection to the remote broke (ReadError). Try again.")
    proxy.remote.answer = FakeAnswer(b'data: {"a":1}\n\ndata: {"b"', headers=SSE, failure=gone)
    response = await proxy.chat(tools=TOOLS, stream=True)
    assert response.status_code == 200
    lines = [line for line in response.text.split("\n") if line]
    assert lines[0] == 'data: {"a":1}'
    assert json.loads(lines[1].removeprefix("data: ")) == gone.body()
    assert len(lines) == 2, "and no [DONE]"
    assert response.text.endswith("\n\n")


async def test_openai_s_client_raises_what_breaks_a_stream(proxy: Proxy, base_url: str) -> None:
    chunk = b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    proxy.remote.answer = FakeAnswer(chunk, b"data: {", headers=SSE, failure=RemoteError("Broke."))
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="fake-model",
            messages=[{"role": "user", "content": "x"}],
            stream=True,
            extra_body={"steering": "off"},
        )
        with pytest.raises(openai.APIError, match="Broke"):
            _ = [chunk async for chunk in stream]


async def test_a_whole_answer_that_breaks_is_an_error(proxy: Proxy) -> None:
    proxy.remote.answer = FakeAnswer(b'{"a":', failure=RemoteError("Broke."))
    response = await proxy.chat(tools=TOOLS)
    assert (response.status_code, error_of(response)["message"]) == (502, "Broke.")
    assert proxy.remote.answer.closed.is_set()


@pytest.mark.parametrize("reason", ["tools\r\nSet-Cookie: a=b", "t\u00f6\u4e2d", "x" * 5000])
async def test_a_reason_is_a_plain_header_value(proxy: Proxy, reason: str) -> None:
    proxy.app.add_api_route("/try", lambda: Relay(proxy.remote, ASKED, reason), response_model=None)
    value = (await proxy.client.get("/try")).headers["x-costeer-reason"]
    assert value.isascii() and value.isprintable() and 1 < len(value) <= 200


async def test_a_page_of_the_remote_is_none_of_this_server(proxy: Proxy) -> None:
    proxy.remote.answer = FakeAnswer(b"<script>", headers={"content-type": "text/html"})
    response = await proxy.client.get("/v1/files/f/content")
    assert response.headers["content-security-policy"].startswith("sandbox")
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_bytes_of_any_kind_come_back_as_they_are(proxy: Proxy, base_url: str) -> None:
    pieces = [bytes(range(256)), b"", b"\n\r\x00"]
    proxy.remote.answer = FakeAnswer(*pieces, headers={"content-type": "audio/mpeg"})
    async with httpx.AsyncClient() as client:
        response = await client.post(f"{base_url}/audio/speech", json={"input": "x"})
    assert (response.content, response.headers["content-type"]) == (b"".join(pieces), "audio/mpeg")


async def test_bytes_that_break_off_are_no_whole_answer(proxy: Proxy, base_url: str) -> None:
    headers = {"content-type": "audio/mpeg"}
    proxy.remote.answer = FakeAnswer(b"half", headers=headers, failure=RemoteError("Broke."))
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(f"{base_url}/audio/speech", json={"input": "x"})


async def test_an_answer_without_a_body_comes_back(proxy: Proxy, base_url: str) -> None:
    proxy.remote.answer = FakeAnswer(status=204, headers={"retry-after": "1"})
    async with httpx.AsyncClient() as client:
        response = await client.delete(f"{base_url}/files/f")
    assert (response.status_code, response.content) == (204, b"")


# Clients that leave


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"model": "fake-model", "messages": [], "tools": TOOLS}),
        ("embeddings", {"input": "x"}),
    ],
)
async def test_a_client_that_leaves_before_the_first_byte_ends_the_remote_s_request(
    proxy: Proxy, base_url: str, path: str, body: dict[str, Any]
) -> None:
    proxy.remote.stalled = True
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.post(f"{base_url}/{path}", json=body))
        async with asyncio.timeout(30):
            await proxy.remote.asked.wait()
            asking.cancel()
            await proxy.remote.given_up.wait()


async def test_a_client_that_leaves_while_the_whole_is_awaited_ends_it_too(
    proxy: Proxy, base_url: str
) -> None:
    answer = proxy.remote.answer = FakeAnswer(b'{"a":', endless=True)
    async with httpx.AsyncClient() as client, asyncio.timeout(30):
        asking = asyncio.create_task(client.post(f"{base_url}/embeddings", json={}))
        await proxy.remote.asked.wait()
        asking.cancel()
        await answer.closed.wait()


@pytest.mark.parametrize("kind", ["text/event-stream", "audio/mpeg"])
async def test_a_client_that_leaves_a_stream_ends_it(proxy: Proxy, base_url: str, kind: str) -> None:
    answer = proxy.remote.answer = FakeAnswer(b"1\n\n", headers={"content-type": kind}, endless=True)
    async with httpx.AsyncClient() as client, asyncio.timeout(30):
        async with client.stream("POST", f"{base_url}/audio/speech", json={}) as response:
            assert await anext(response.aiter_bytes()) == b"1\n\n"
            assert not answer.closed.is_set()
        await answer.closed.wait()


async def test_clients_that_leave_at_any_moment_leave_no_connection_to_the_remote(
    proxy: Proxy, base_url: str
) -> None:
    moments = random.Random(7)

    async def serve(connection: Connection) -> None:
        gone = asyncio.ensure_future(connection.gone())
        await asyncio.wait([gone], timeout=moments.choice([0, 0.01]))
        connection.writer.write(HEAD)
        while not gone.done():
            connection.chunk(b"data: x\n\n")
            await asyncio.wait([gone], timeout=0.002)
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        proxy.app.state.parts = replace(proxy.app.state.parts, remote=remote)
        async with httpx.AsyncClient() as client:
            body = {"model": "qwen", "messages": [], "stream": True, "steering": "off"}
            for _ in range(30):
                asking = asyncio.create_task(client.post(f"{base_url}/chat/completions", json=body))
                await asyncio.sleep(moments.uniform(0, 0.03))
                asking.cancel()
                await asyncio.wait([asking])
            await until(lambda: not active(remote) and server.serving == 0)
        assert len(server.paths) > 10, "most of them came as far as the remote"


async def test_a_server_that_shuts_down_says_so_in_the_stream(proxy: Proxy) -> None:
    pieces: list[bytes] = []
    remote = FakeRemote()
    remote.answer = FakeAnswer(b"data: 1\n\nda", headers=SSE, endless=True)
    begun = asyncio.Event()

    async def send(message: Any) -> None:
        pieces.append(message.get("body", b""))
        if pieces[-1]:
            begun.set()

    relaying = asyncio.create_task(Relay(remote, ASKED, "x")({"type": "http"}, waiting, send))
    await begun.wait()
    relaying.cancel()
    await asyncio.wait([relaying])
    error = json.loads(pieces[-1].strip().removeprefix(b"data: "))["error"]
    assert "shutting down" in error["message"]
    assert remote.answer.closed.is_set()
