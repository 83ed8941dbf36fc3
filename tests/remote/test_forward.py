"""Requests that are passed on: what goes along, what comes back, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import orjson
import pytest
import respx

from app.errors import (
    ContextLengthExceeded,
    CoSteerError,
    ModelNotFound,
    NotFound,
    RateLimited,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
    RemoteUnreachable,
)
from app.remote.interface import Forward, Forwarded
from app.remote.vllm import VLLMRemote
from remote.loopback import Connection, active, loopback, until
from remote.recordings import BASE, KEY, RECORDINGS, recording, stream

ASKED = Forward("POST", "embeddings", "/v1/embeddings", body=b'{"a": 1.10}', content_type="application/json")
OPENAI = {"error": {"message": "No.", "type": "invalid_request_error", "param": "a", "code": None}}


async def taken(answer: Forwarded) -> bytes:
    try:
        return b"".join([chunk async for chunk in answer.body()])
    finally:
        await answer.aclose()


async def test_bytes_go_as_they_are_with_the_remote_s_key_and_two_headers(
    router: respx.Router, remote: VLLMRemote
) -> None:
    route = router.post(f"{BASE}/embeddings?a=%2F&b").respond(200, json={"data": []})
    asked = Forward("POST", "embeddings", "x", "a=%2F&b", ASKED.body, "application/json", "text/event-stream")
    assert await taken(await remote.forward(asked)) == b'{"data":[]}'
    request = route.calls.last.request
    assert request.content == ASKED.body
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "text/event-stream"
    assert str(request.url) == f"{BASE}/embeddings?a=%2F&b"


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_without_a_body_there_is_no_type(router: respx.Router, remote: VLLMRemote, method: str) -> None:
    route = router.request(method, f"{BASE}/files/f-1").respond(200, json={})
    await taken(await remote.forward(Forward(method, "files/f-1", "x")))
    request = route.calls.last.request
    assert request.content == b"" and "content-type" not in request.headers


async def test_of_the_answer_s_headers_two_come_back(router: respx.Router, remote: VLLMRemote) -> None:
    headers = {
        "Content-Type": "audio/mpeg",
        "Retry-After": "3",
        "Set-Cookie": "id=1",
        "Server": "uvicorn",
        "Connection": "keep-alive",
        "Content-Length": "3",
        "Authorization": KEY,
    }
    router.post(f"{BASE}/embeddings").respond(202, headers=headers, content=b"abc")
    answer = await remote.forward(ASKED)
    assert answer.status == 202
    assert answer.headers == {"content-type": "audio/mpeg", "retry-after": "3"}
    assert await taken(answer) == b"abc"


async def test_pieces_arrive_while_the_remote_still_writes() -> None:
    go_on = asyncio.Event()

    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(b"data: 1\n\n")
        await go_on.wait()
        connection.chunk(b"data: [DONE]\n\n")
        connection.chunk(b"")

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        answer = await remote.forward(ASKED)
        body = answer.body()
        assert await anext(aiter(body)) == b"data: 1\n\n"
        go_on.set()
        assert b"".join([chunk async for chunk in body]) == b"data: [DONE]\n\n"
        await answer.aclose()


async def test_closing_the_answer_closes_its_connection() -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(b"data: 1\n\n")
        await connection.gone()

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        answer = await remote.forward(ASKED)
        assert await anext(aiter(answer.body())) == b"data: 1\n\n"
        await answer.aclose()
        assert not active(remote)
        await until(lambda: server.open == 0)


async def test_an_answer_that_is_cancelled_between_two_pieces_leaves_no_connection() -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(b"data: 1\n\n")
        await connection.gone()

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        with anyio.CancelScope() as scope:
            answer = await remote.forward(ASKED)
            try:
                async for _ in answer.body():
                    scope.cancel()
                    await asyncio.sleep(0)  # as a client does that is slow to take it
            finally:
                await answer.aclose()
        assert scope.cancelled_caught
        assert not active(remote)
        await until(lambda: server.open == 0)


@pytest.mark.parametrize(("path", "tries"), [("embeddings", 2), ("files", 1), ("batches/b/cancel", 1)])
async def test_only_what_leaves_nothing_behind_is_asked_twice(path: str, tries: int) -> None:
    async def serve(connection: Connection) -> None:
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        with pytest.raises(RemoteError, match="connection to the remote broke"):
            await remote.forward(Forward("POST", path, "x", body=b"{}"))
        assert [asked for _, asked in server.paths] == [f"/v1/{path}"] * tries


# Refusals


async def test_openai_s_own_error_object_comes_back_as_it_is(
    router: respx.Router, remote: VLLMRemote
) -> None:
    body = orjson.dumps(OPENAI, option=orjson.OPT_INDENT_2)
    headers = {"Content-Type": "application/json", "Retry-After": "2"}
    for status in (400, 404, 409, 422, 429, 500, 503):
        router.post(f"{BASE}/embeddings").respond(status, content=body, headers=headers)
        answer = await remote.forward(ASKED)
        assert (answer.status, await taken(answer)) == (status, body)
        assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("error_auth", RemoteError, 502),
        ("error_bad_param", RemoteRejected, 400),
        ("error_chat_logprobs_cap", RemoteRejected, 400),
        ("error_context_length", ContextLengthExceeded, 400),
        ("error_model_not_found", ModelNotFound, 404),
        ("error_overloaded", RemoteUnavailable, 503),
    ],
)
async def test_a_vllm_s_refusal_becomes_openai_s_object(
    router: respx.Router, remote: VLLMRemote, name: str, kind: type[CoSteerError], status: int
) -> None:
    recorded = recording(name)
    router.post(f"{BASE}/embeddings").respond(recorded["status"], json=recorded["response"])
    with pytest.raises(CoSteerError) as caught:
        await remote.forward(ASKED)
    assert (type(caught.value), caught.value.status) == (kind, status)


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (401, OPENAI, RemoteError, 502),
        (403, OPENAI, RemoteError, 502),
        (404, {"detail": "Not Found"}, NotFound, 404),
        (405, {"detail": "Method Not Allowed"}, RemoteRejected, 405),
        (408, None, RemoteTimeout, 408),
        (409, None, RemoteRejected, 409),
        (422, {"detail": []}, RemoteRejected, 422),
        (429, None, RateLimited, 429),
        (500, None, RemoteError, 502),
        (502, None, RemoteError, 502),
        (503, None, RemoteUnavailable, 503),
        (504, None, RemoteTimeout, 504),
        (400, {"error": {**OPENAI["error"], "code": 400}}, RemoteRejected, 400),
    ],
)
async def test_any_other_refusal_is_one_of_ours(  # noqa: PLR0917
    router: respx.Router,
    remote: VLLMRemote,
    status: int,
    body: Any,
    kind: type[CoSteerError],
    told: int,
) -> None:
    router.post(f"{BASE}/embeddings").respond(status, json=body)
    with pytest.raises(CoSteerError) as caught:
        await remote.forward(ASKED)
    assert (type(caught.value), caught.value.status) == (kind, told)


async def test_a_page_for_people_is_no_answer_but_where_a_file_is_one(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router.post(f"{BASE}/embeddings").respond(200, html="<title>Sign in</title>")
    router.get(f"{BASE}/files/f/content").respond(200, html="<title>Mine</title>")
    with pytest.raises(RemoteError, match="a web page, as a gateway's to sign in"):
        await remote.forward(ASKED)
    assert b"Mine" in await taken(await remote.forward(Forward("GET", "files/f/content", "x")))


async def test_a_refusal_that_quotes_the_remote_s_key_is_told_without_it(
    router: respx.Router, remote: VLLMRemote
) -> None:
    for status in (400, 401, 500):
        error = {"message": f"Wrong: {KEY}", "type": "t", "param": None, "code": None}
        router.post(f"{BASE}/embeddings").respond(status, json={"error": error})
        with pytest.raises(CoSteerError) as caught:
            await remote.forward(ASKED)
        assert KEY not in caught.value.message and "Wrong: ***" in caught.value.message


async def test_a_redirect_is_refused_and_the_key_stays() -> None:
    async def nothing(connection: Connection) -> None:
        raise AssertionError("nobody comes here")

    async with loopback(nothing) as elsewhere:

        async def serve(connection: Connection) -> None:
            target = f"Location: {elsewhere.base_url}/embeddings\r\n"
            connection.send(b"", status="307 Temporary Redirect", headers=target)

        async with (
            loopback(serve) as server,
            aclosing(VLLMRemote(server.base_url, api_key=KEY)) as remote,
        ):
            with pytest.raises(RemoteError, match="redirects are not followed"):
                await remote.forward(ASKED)
            assert not active(remote)
        assert elsewhere.paths == []


# Connections


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("x"), RemoteUnreachable),
        (httpx.ConnectTimeout("x"), RemoteUnreachable),
        (httpx.ReadTimeout("x"), RemoteTimeout),
        (httpx.ReadError("x"), RemoteError),
    ],
)
async def test_a_connection_that_fails_is_an_error_of_ours(
    router: respx.Router, remote: VLLMRemote, failure: Exception, kind: type[CoSteerError]
) -> None:
    router.post(f"{BASE}/embeddings").mock(side_effect=failure)
    with pytest.raises(CoSteerError) as caught:
        await remote.forward(ASKED)
    assert type(caught.value) is kind


async def test_a_recorded_stream_that_is_cut_is_an_error_behind_its_bytes() -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(stream("truncated_server_killed"))
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        answer, came = await remote.forward(ASKED), b""
        with pytest.raises(RemoteError, match="connection to the remote broke"):
            async for chunk in answer.body():
                came += chunk
        await answer.aclose()
        assert came == stream("truncated_server_killed")
        assert not active(remote)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("*.sse")), ids=lambda path: path.stem)
async def test_every_recorded_stream_comes_back_byte_for_byte(path: Any) -> None:
    body = path.read_bytes()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 37):
            yield body[start : start + 37]

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=pieces()))
    async with aclosing(VLLMRemote(BASE, transport=transport)) as remote:
        assert await taken(await remote.forward(ASKED)) == body
