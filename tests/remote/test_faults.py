"""Streams that are cut, stall, or turn to garbage on the socket, and replies that go on all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import orjson
import pytest

from app.decoding.retry import RetryingRemote, RetryPolicy
from app.decoding.stats import Stats
from app.errors import RemoteTimeout
from app.remote.vllm import VLLMRemote
from remote.loopback import Connection, Loopback, drafted_event, loopback
from remote.recordings import GREEDY

PROMPT = [1, 2, 3]
IDS = [40, 41, 42, 43, 44, 45]
PATIENT = RetryPolicy(30.0, first_wait=0.0)


def answer(prompt: Sequence[int]) -> bytes:
    """The chunked stream of what comes after the prompt; a token follows its predecessor."""
    left = IDS[len(prompt) - len(PROMPT) :]
    chunks = [drafted_event(token_id) for token_id in left]
    last = orjson.loads(chunks[-1][6:])
    last["choices"][0]["finish_reason"] = "length"
    chunks[-1] = b"data: " + orjson.dumps(last) + b"\n\n"
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in [*chunks, b"data: [DONE]\n\n", b""])


def told(status: int) -> bytes:
    """The chunk with which a vLLM tells that its engine has died."""
    data = b'data: {"error": {"message": "EngineDeadError", "code": %d}}\n\n' % status
    return b"%x\r\n%s\r\n" % (len(data), data)


def given_up(reason: str) -> bytes:
    """The chunk with which a vLLM ends a reply that it does not finish: no token stands in it."""
    event = orjson.loads(drafted_event(0)[6:])
    event["choices"][0] |= {"text": "", "token_ids": [], "logprobs": None, "finish_reason": reason}
    data = b"data: " + orjson.dumps(event) + b"\n\ndata: [DONE]\n\n"
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def reply(server: Loopback, **timeouts: float) -> tuple[list[int], Stats]:
    stats = Stats()
    async with aclosing(VLLMRemote(server.base_url, **timeouts)) as remote:  # type: ignore[arg-type]
        stream = RetryingRemote(remote, PATIENT, stats).draft(
            PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=len(IDS)
        )
        async with asyncio.timeout(20):
            return [position.token_id async for position in stream], stats


def prompts(server: Loopback) -> list[list[int]]:
    return [orjson.loads(body)["prompt"] for path, body in server.bodies if path == "/v1/completions"]


# The first event has come by the byte at FIRST; before it there is nothing to go on from.
WHOLE = HEAD + answer(PROMPT)
FIRST = len(HEAD) + len(answer(PROMPT).split(b"\r\n")[0]) + 2 + len(drafted_event(IDS[0]))


@pytest.mark.parametrize("offset", [FIRST + n * (len(WHOLE) - FIRST) // 50 for n in range(50)])
async def test_cut_at_any_byte_every_token_comes_once(offset: int) -> None:
    async def serve(connection: Connection) -> None:
        body = HEAD + answer(prompts(server)[-1])
        connection.writer.write(body[:offset] if len(prompts(server)) == 1 else body)
        await connection.writer.drain()
        if len(prompts(server)) == 1:
            connection.writer.close()

    async with loopback(serve) as server:
        got, _ = await reply(server)
        assert got == IDS
        for prompt in prompts(server):  # what was received and not a token more
            assert prompt == [*PROMPT, *IDS[: len(prompt) - len(PROMPT)]]


@pytest.mark.parametrize(
    "garbage",
    [
        b"5\r\nhello\r\nnot a chunk size\r\n",
        b"14\r\ndata: {not any JSON}\n\r\n",
        b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
        told(500),
        told(400),
        b"ffffff\r\ndata: {",
        given_up("abort"),
        given_up("error"),
    ],
    ids=[
        "chunk size",
        "JSON",
        "done too soon",
        "error in the stream",
        "called a bad request",
        "truncated chunk",
        "aborted",
        "finished in an error",
    ],
)
async def test_after_garbage_the_reply_goes_on(garbage: bytes) -> None:
    async def serve(connection: Connection) -> None:
        if len(prompts(server)) == 1:
            connection.writer.write(HEAD)
            for token_id in IDS[:3]:
                connection.chunk(drafted_event(token_id))
            connection.writer.write(garbage)
            await connection.writer.drain()
            connection.writer.close()
        else:
            connection.writer.write(HEAD + answer(prompts(server)[-1]))

    async with loopback(serve) as server:
        got, stats = await reply(server)
        assert got == IDS
        assert stats.resumed == 1


async def test_failures_with_a_status_are_asked_again_as_well() -> None:
    async def serve(connection: Connection) -> None:
        number = len(prompts(server))
        if number == 1:
            connection.writer.write(HEAD)
            connection.chunk(drafted_event(IDS[0]))
            connection.writer.close()
        elif number < 5:
            status = ("500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests")
            connection.send(b"", status=status[number - 2], headers="Retry-After: 0\r\n")
        else:
            connection.writer.write(HEAD + answer(prompts(server)[-1]))

    async with loopback(serve) as server:
        got, stats = await reply(server)
        assert got == IDS
        assert stats.resumed == 4


async def test_a_stream_that_stalls_is_left_and_asked_again() -> None:
    async def serve(connection: Connection) -> None:
        if len(prompts(server)) == 1:
            connection.writer.write(HEAD)
            connection.chunk(drafted_event(IDS[0]))
            await connection.gone()
        else:
            connection.writer.write(HEAD + answer(prompts(server)[-1]))

    async with loopback(serve) as server:
        got, stats = await reply(server, token_timeout=0.05)
        assert got == IDS
        assert stats.resumed == 1


async def test_a_slow_first_token_is_no_stall() -> None:
    async def serve(connection: Connection) -> None:
        connection.writer.write(HEAD)
        await asyncio.sleep(0.2)
        connection.writer.write(answer(prompts(server)[-1]))

    async with loopback(serve) as server:
        got, stats = await reply(server, token_timeout=0.05)
        assert (got, stats.resumed) == (IDS, 0)


async def test_a_stall_says_what_to_change() -> None:
    async def serve(connection: Connection) -> None:
        connection.writer.write(HEAD)
        connection.chunk(drafted_event(IDS[0]))
        await connection.gone()

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url, token_timeout=0.05)) as remote:
        with pytest.raises(RemoteTimeout, match="COSTEER_REMOTE_TOKEN_TIMEOUT"):
            async for _ in remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=6):
                pass
