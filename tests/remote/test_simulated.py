"""The imitation of a far remote: when bytes leave, by a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import httpx
import orjson
import pytest

from app.remote.simulated import FarTransport, tokens
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from remote.loopback import Connection, drafted_event, loopback

RTT, PACE = 10.0, 3.0
STREAM = {"content-type": "text/event-stream; charset=utf-8"}


class Time:
    """A clock that sleeping moves, and nothing else."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        await asyncio.sleep(0)


class Body(httpx.AsyncByteStream):
    """Chunks, each `gap` seconds after the one before it."""

    def __init__(self, chunks: Sequence[bytes], time: Time, gap: float = 0.0) -> None:
        self._chunks, self._time, self._gap = chunks, time, gap
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            self._time.now += self._gap
            yield chunk

    async def aclose(self) -> None:
        self.closed = True


def event(*token_ids: int, end: bytes = b"\n\n") -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"token_ids": token_ids}]}) + end


async def departures(
    chunks: Sequence[bytes], *, pace: float = PACE, gap: float = 0.0, headers: dict[str, str] = STREAM
) -> list[tuple[float, bytes]]:
    """When each piece of the answer leaves, and what it is."""
    time = Time()
    inner = httpx.MockTransport(
        lambda _: httpx.Response(200, headers=headers, stream=Body(chunks, time, gap))
    )
    far = FarTransport(inner, rtt=RTT, pace=pace, clock=time, sleep=time.sleep)
    async with httpx.AsyncClient(transport=far) as client, client.stream("GET", "http://far/") as response:
        return [(time.now, piece) async for piece in response.aiter_raw()]


async def test_a_token_leaves_a_pace_after_the_one_before_and_the_first_after_the_request_arrived() -> None:
    left = await departures([event(1), event(2), event(3)])
    assert left == [(13.0, event(1)), (16.0, event(2)), (19.0, event(3))]


async def test_a_remote_that_is_slower_than_the_pace_is_not_slowed() -> None:
    assert [moment for moment, _ in await departures([event(1), event(2)], gap=5.0)] == [15.0, 20.0]


async def test_several_tokens_in_one_event_cost_several_paces() -> None:
    assert [moment for moment, _ in await departures([event(1, 2), event(3)])] == [16.0, 19.0]


async def test_what_holds_no_token_is_not_held_up() -> None:
    rest = [b": a comment\n\n", b'data: {"choices": [], "usage": {}}\n\n', b"data: [DONE]\n\n", b"data: cut"]
    assert [moment for moment, _ in await departures([event(1), *rest])] == [13.0] * 5


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_events_are_told_by_blank_lines_however_the_bytes_are_chunked(size: int, end: bytes) -> None:
    body = b"".join(event(number, end=end) for number in range(4))
    left = await departures([body[i : i + size] for i in range(0, len(body), size)])
    assert b"".join(piece for _, piece in left) == body
    assert [moment for moment, piece in left if b"data" in piece] == [13.0, 16.0, 19.0, 22.0]


async def test_an_answer_that_is_no_event_stream_is_delayed_by_the_rtt_alone() -> None:
    left = await departures([event(1), event(2)], headers={"content-type": "application/json"})
    assert left == [(10.0, event(1)), (10.0, event(2))]
    assert await departures([event(1), event(2)], pace=0.0) == left


@pytest.mark.parametrize(
    ("events", "moment"),
    [
        ((), 10.0),
        (("connection.connect_tcp.complete",), 20.0),
        (("connection.connect_tcp.complete", "connection.start_tls.complete"), 30.0),
        (("connection.connect_tcp.failed",), 10.0),
    ],
)
async def test_each_handshake_of_a_new_connection_costs_one_more_rtt(
    events: tuple[str, ...], moment: float
) -> None:
    time, heard = Time(), []

    async def hear(name: str, _info: dict[str, object]) -> None:
        heard.append(name)

    async def answer(request: httpx.Request) -> httpx.Response:
        for name in (*events, "http11.send_request_headers.started", "http11.send_request_headers.complete"):
            await request.extensions["trace"](name, {})
        assert time.now == moment
        return httpx.Response(200, headers=STREAM, stream=Body([event(1)], time))

    far = FarTransport(httpx.MockTransport(answer), rtt=RTT, pace=PACE, clock=time, sleep=time.sleep)
    async with httpx.AsyncClient(transport=far) as client:
        await client.get("http://far/", extensions={"trace": hear})
    assert time.now == moment + PACE
    assert heard[: len(events)] == list(events)


async def test_closing_reaches_the_server_at_once() -> None:
    time = Time()
    body = Body([event(1), event(2)], time)
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=STREAM, stream=body))
    far = FarTransport(inner, rtt=RTT, pace=PACE, clock=time, sleep=time.sleep)
    async with httpx.AsyncClient(transport=far) as client:
        async with client.stream("GET", "http://far/") as response:
            assert await anext(response.aiter_raw()) == event(1)
            moment = time.now
        assert body.closed
        assert time.now == moment


async def test_a_real_connection_pays_for_its_handshake_once_and_its_stream_is_paced() -> None:
    """Over httpcore itself, whose events these are: a later release may call them otherwise."""

    async def serve(connection: Connection) -> None:
        connection.send(
            drafted_event(7) + drafted_event(8).replace(b'"finish_reason":null', b'"finish_reason":"length"'),
            headers="Content-Type: text/event-stream\r\n",
        )

    time = Time()
    async with loopback(serve) as server:
        far = FarTransport(rtt=RTT, pace=PACE, clock=time, sleep=time.sleep)
        remote = VLLMRemote(server.base_url, transport=far)
        moments = []
        for _ in range(2):
            stream = remote.draft([1], sampling=SamplingParams(), top_logprobs=1, max_tokens=2)
            moments.append([time.now async for _ in stream])
        await remote.aclose()
    # Two round trips for the list of models, on a new connection; then one for each request on it.
    assert moments == [[33.0, 36.0], [49.0, 52.0]]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (event(), 0),
        (event(1, 2, 3), 3),
        (b'data: {"choices": [{"text": "a"}]}\r\n\r\n', 1),
        (b'data: {"choices": [{"text": "", "token_ids": null}]}\n\n', 1),
        (b"data: [1]\n\n", 0),
        (b"data: 5\n\n", 0),
        (b"\n\n", 0),
    ],
)
def test_tokens_are_counted_by_their_ids_where_there_are_any(data: bytes, count: int) -> None:
    assert tokens(data) == count
