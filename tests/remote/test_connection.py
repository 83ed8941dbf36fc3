"""Connections that break, stall or go stale, on real sockets; none is left behind."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from contextlib import aclosing

import pytest
import respx

from app.decoding.draft import DraftStream
from app.decoding.pace import Pace
from app.errors import (
    RemoteError,
    RemoteTimeout,
    RemoteUnavailable,
)
from app.remote.vllm import VLLMRemote
from remote.loopback import Connection, active, drafted_event, loopback, until
from remote.recordings import (
    BASE,
    GREEDY,
    KEY,
    PROMPT,
    failing_draft,
    stream,
)


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_cut_in_the_middle_of_a_chunk(reset: bool) -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(drafted_event(7))
        connection.writer.write(b"fff\r\ndata: {")
        await connection.writer.drain()
        await asyncio.sleep(0.05)  # a reset would overtake what was written
        if reset:
            connection.writer.transport.abort()
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        ids, error = await failing_draft(remote)
        assert ids == [7]
        assert type(error) is RemoteError and "connection to the remote broke" in error.message
        assert [path for _, path in server.paths].count("/v1/completions") == 1, "nothing is asked twice"
        assert not active(remote)


async def test_a_killed_server_is_an_error_after_what_it_sent() -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(stream("truncated_server_killed"))
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        ids, error = await failing_draft(remote)
    assert ids == [8420, 594, 264, 825]
    assert type(error) is RemoteError


async def test_a_stream_that_ends_in_good_order_but_too_soon(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("truncated_server_killed"))
    ids, error = await failing_draft(remote)
    assert ids == [8420, 594, 264, 825]
    assert type(error) is RemoteError and "before the reply was finished" in error.message


async def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    async def serve(connection: Connection) -> None:
        connection.send(b'{"tokens": [1]}')
        await connection.writer.drain()
        raise ConnectionError  # it closes while the client keeps the connection in its pool

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        for _ in range(3):
            assert await remote.tokenize_text("a") == [1]
            await until(lambda: server.open == 0)
        assert [path for _, path in server.paths].count("/tokenize") == 3


async def test_a_connection_that_goes_stale_under_the_request_is_tried_once_more() -> None:
    async def serve(connection: Connection) -> None:
        if connection.number == 0:  # the pooled one: the request meets its close
            raise ConnectionError
        connection.send(b'{"tokens": [1]}')

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        assert await remote.tokenize_text("a") == [1]
        assert server.paths == [(0, "/v1/models"), (0, "/tokenize"), (1, "/tokenize")]


async def test_a_server_that_never_answers_is_tried_twice_and_no_more() -> None:
    async def serve(connection: Connection) -> None:
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        with pytest.raises(RemoteError, match="connection to the remote broke"):
            await remote.tokenize_text("a")
        assert [path for _, path in server.paths] == ["/v1/models", "/tokenize", "/tokenize"]


@pytest.mark.parametrize("begun", [False, True])
async def test_a_server_that_sends_nothing_runs_out_of_time(begun: bool) -> None:
    async def serve(connection: Connection) -> None:
        if begun:
            connection.start()
            connection.chunk(drafted_event(7))
        await connection.gone()

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url, read_timeout=0.1)) as remote:
        ids, error = await failing_draft(remote)
        assert ids == ([7] if begun else [])
        assert type(error) is RemoteTimeout
        assert (error.status, error.code) == (504, "remote_timeout")
        assert "COSTEER_REMOTE_READ_TIMEOUT" in error.message
        await until(lambda: server.open == 0)
        assert not active(remote)


async def test_a_refused_connection_is_a_server_to_start() -> None:
    async def serve(connection: Connection) -> None:
        raise AssertionError("nobody connects")

    async with loopback(serve) as server:
        closed = server.base_url
    async with aclosing(VLLMRemote(closed)) as remote:
        with pytest.raises(RemoteUnavailable, match=r"Start it.*COSTEER_REMOTE_BASE_URL") as caught:
            await remote.card()
    assert (caught.value.status, caught.value.code) == (503, "remote_unavailable")


async def endless(connection: Connection) -> None:
    """Draft until the client has gone."""
    gone = asyncio.ensure_future(connection.gone())
    connection.start()
    for token_id in itertools.count():
        connection.chunk(drafted_event(token_id))
        await asyncio.wait([gone], timeout=0.002)
        if gone.done():
            raise ConnectionError


async def test_closing_a_draft_closes_its_connection() -> None:
    async with loopback(endless) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        positions = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000)
        assert [(await anext(positions)).token_id for _ in range(3)] == [0, 1, 2]
        assert len(active(remote)) == 1 and server.open == 1
        await positions.aclose()
        assert not active(remote)
        await until(lambda: server.open == 0)


async def test_drafts_closed_at_any_moment_leave_no_connection_behind() -> None:
    moments = random.Random(7)
    events_read = []

    async def serve(connection: Connection) -> None:
        await asyncio.sleep(moments.choice([0, 0.002, 0.01]))  # so that some are closed before the headers
        await endless(connection)

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        for number in range(50):
            stream = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000)
            drafting = DraftStream(stream, asyncio.Event(), Pace(), time.perf_counter)
            if number % 5:
                await asyncio.sleep(moments.uniform(0, 0.02))
            await drafting.close()
            events_read.append(drafting.read)
            assert not active(remote), f"after draft {number}"
        assert 0 in events_read and max(events_read) > 0, "closed both before and while they were read"
        await until(lambda: server.serving == 0)
        assert (await remote.card()).id == "qwen"


async def test_drafts_closed_while_they_end_by_themselves_leave_no_connection_behind() -> None:
    async def serve(connection: Connection) -> None:
        connection.start()
        for event in stream("stream_greedy").split(b"\n\n"):
            connection.chunk(event + b"\n\n")
        connection.chunk(b"")

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        for number in range(50):
            news = asyncio.Event()
            drafts = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=6)
            drafting = DraftStream(drafts, news, Pace(), time.perf_counter)
            while drafting.read < 6:
                news.clear()
                await news.wait()
            for _ in range(number % 10):
                await asyncio.sleep(0)  # one step further into the end of the stream
            await drafting.close()
            assert not active(remote), f"after draft {number}"


async def test_a_drafts_reader_that_is_cancelled_leaves_no_connection_behind() -> None:
    async with loopback(endless) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        await remote.card()

        async def read() -> None:
            stream = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000)
            drafting = DraftStream(stream, asyncio.Event(), Pace(), time.perf_counter)
            try:
                await asyncio.Event().wait()
            finally:
                await drafting.close()

        for seconds in (0, 0.001, 0.005, 0.02, 0.05):
            reading = asyncio.create_task(read())
            await asyncio.sleep(seconds)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await until(lambda: not active(remote) and server.serving == 0)


async def test_redirects_are_not_followed_and_the_key_stays_with_its_host() -> None:
    async def nothing(connection: Connection) -> None:
        connection.send(b'{"tokens": [1]}')

    async with loopback(nothing) as elsewhere:

        async def serve(connection: Connection) -> None:
            target = elsewhere.base_url + "/completions"
            connection.send(b"", status="307 Temporary Redirect", headers=f"Location: {target}\r\n")

        async with (
            loopback(serve) as server,
            aclosing(VLLMRemote(server.base_url, api_key=KEY)) as remote,
        ):
            for failing in (failing_draft(remote), remote.tokenize_text("a")):
                try:
                    await failing
                except RemoteError as error:
                    assert "COSTEER_REMOTE_BASE_URL" in error.message
            tokenizers = ["/tokenize", "/v1/tokenize", "/v1/completions"]  # each that might answer
            assert [path for _, path in server.paths] == ["/v1/models", "/v1/completions", *tokenizers]
            assert server.keys == [f"Bearer {KEY}"] * 5
        assert elsewhere.paths == []


async def test_without_a_key_no_authorization_is_sent(router: respx.Router) -> None:
    async with aclosing(VLLMRemote(BASE)) as remote:
        await remote.card()
    assert "authorization" not in router["models"].calls.last.request.headers


@pytest.mark.parametrize(
    ("base_url", "here"),
    [
        ("http://127.0.0.1:8001/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://localhost:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example.com/v1", False),
        ("https://127.example.com/v1", False),
    ],
)
def test_on_this_machine_is_loopback(base_url: str, here: bool) -> None:
    assert VLLMRemote(base_url).on_this_machine is here
