"""VLLMRemote against recordings of a real vLLM, and against servers that misbehave on the socket."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import itertools
import random
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

import app.remote
from app.draft import Draft, Drafted, RemoteCard
from app.errors import (
    ContextLengthExceeded,
    CoSteerError,
    ModelNotFound,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
)
from app.prompts import Message, PrivateMessage, PrivatePrompt
from app.remote import VLLMRemote
from app.sampling import Sampling

RECORDINGS = Path(__file__).parent / "fixtures" / "vllm-0.32"
BASE = "http://vllm.test:8001/v1"
KEY = "sk-only-for-this-host"
PROMPT = [151644, 8948, 198]
GREEDY = Sampling(temperature=0.0)


def stream(name: str) -> bytes:
    return (RECORDINGS / f"{name}.sse").read_bytes()


def recording(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads((RECORDINGS / f"{name}.json").read_bytes())
    return loaded


def events(sse: bytes) -> list[dict[str, Any]]:
    """The JSON of a recording's events."""
    lines = [line.removeprefix(b"data: ") for line in sse.split(b"\n") if line]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def as_sse(chunks: Sequence[dict[str, Any]], *, done: bool = True) -> bytes:
    lines = [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
    return b"".join([*lines, b"data: [DONE]\n\n"] if done else lines)


async def draft(remote: VLLMRemote, sampling: Sampling = GREEDY, top_logprobs: int = 5) -> list[Drafted]:
    drafted = remote.draft(PROMPT, sampling=sampling, top_logprobs=top_logprobs, max_tokens=6)
    async with aclosing(drafted) as positions:
        return [position async for position in positions]


async def failing_draft(remote: VLLMRemote) -> tuple[list[int], CoSteerError]:
    """The token ids that came before the error, and the error."""
    ids = []
    with pytest.raises(CoSteerError) as caught:
        async with aclosing(remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=6)) as positions:
            async for position in positions:
                ids.append(position.token_id)  # noqa: PERF401  # kept when the iteration fails
    return ids, caught.value


def same(left: Sequence[Drafted], right: Sequence[Drafted]) -> bool:
    return len(left) == len(right) and all(
        (a.token_id, a.ends) == (b.token_id, b.ends)
        and np.array_equal(a.candidates, b.candidates)
        and np.array_equal(a.logprobs, b.logprobs)
        for a, b in zip(left, right, strict=True)
    )


def remote_answering(*pieces: bytes, headers: dict[str, str] | None = None) -> VLLMRemote:
    """A remote whose completions arrive as exactly these pieces."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=recording("models")["response"])
        return httpx.Response(200, content=body(), headers=headers)

    return VLLMRemote(BASE, transport=httpx.MockTransport(answer))


@pytest.fixture
def router() -> Iterator[respx.Router]:
    with respx.mock(assert_all_called=False) as mocked:
        models = recording("models")
        mocked.get(f"{BASE}/models", name="models").respond(models["status"], json=models["response"])
        mocked.post(f"{BASE}/completions", name="completions")
        yield mocked


@pytest.fixture
async def remote(router: respx.Router) -> AsyncIterator[VLLMRemote]:
    async with aclosing(VLLMRemote(BASE, api_key=KEY)) as opened:
        yield opened


def sent(route: respx.Route) -> Any:
    return orjson.loads(route.calls.last.request.content)


# Drafts, from recordings


@pytest.mark.parametrize(
    ("name", "ids", "ends"),
    [
        ("stream_greedy", [8420, 594, 264, 825, 2852, 10453], False),  # 594 and 264 came in one chunk
        ("stream_eos", [3263, 151645], True),
        ("stream_ignore_eos", [3263, 151645, 198, 151643, 334], False),
        ("stream_stop_token_id", None, True),
    ],
)
async def test_draft_reads_a_recorded_stream(
    router: respx.Router, remote: VLLMRemote, name: str, ids: list[int] | None, ends: bool
) -> None:
    router["completions"].respond(200, content=stream(name))
    positions = await draft(remote)
    choices = [choice for event in events(stream(name)) for choice in event["choices"]]
    assert [p.token_id for p in positions] == [i for choice in choices for i in choice["token_ids"]]
    assert ids is None or [p.token_id for p in positions] == ids
    assert [p.ends for p in positions] == [False] * (len(positions) - 1) + [ends]
    tops = [top for choice in choices for top in choice["logprobs"]["top_logprobs"]]
    for position, top in zip(positions, tops, strict=True):
        returned = dict(zip(position.candidates.tolist(), position.logprobs.tolist(), strict=True))
        assert {f"token_id:{i}": logprob for i, logprob in returned.items()} == top


async def test_a_token_outside_the_top_k_is_one_candidate_more(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("stream_sampled_outside_topk"))
    positions = await draft(remote, top_logprobs=2)
    assert [p.token_id for p in positions] == [10061, 13102, 128363, 100270, 44109]
    for position in positions:
        assert len(position.candidates) == len(position.logprobs) == 3
        assert position.token_id in position.candidates
        assert position.logprobs[position.candidates == position.token_id] == position.logprobs.min()


async def test_only_the_last_token_of_a_chunk_ends_the_reply() -> None:
    first, last, *_ = (event["choices"][0] for event in events(stream("stream_eos")) if event["choices"])
    for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        last["logprobs"][name] = first["logprobs"][name] + last["logprobs"][name]
    last["token_ids"] = first["token_ids"] + last["token_ids"]
    positions = await draft(remote_answering(as_sse([{"choices": [last]}])))
    assert [(p.token_id, p.ends) for p in positions] == [(3263, False), (151645, True)]


async def test_usage_chunks_draft_nothing() -> None:
    usage = [event for event in events(stream("stream_greedy")) if not event["choices"]]
    assert usage, "the recording holds a usage chunk"
    chunks = events(stream("stream_greedy"))
    body = as_sse([usage[0], *chunks])
    assert same(await draft(remote_answering(body)), await draft(remote_answering(as_sse(chunks[:-1]))))


async def test_ids_of_an_older_vllm_are_read_from_its_tokens() -> None:
    chunks = events(stream("stream_greedy"))
    for chunk in chunks:
        for choice in chunk["choices"]:
            del choice["token_ids"], choice["prompt_token_ids"]
    assert same(
        await draft(remote_answering(as_sse(chunks))), await draft(remote_answering(stream("stream_greedy")))
    )


# Bytes, however they are cut


async def test_events_survive_a_cut_at_every_byte() -> None:
    body = stream("stream_sampled_outside_topk")  # its text has characters of several bytes
    whole = await draft(remote_answering(body))
    for cut in range(1, len(body)):
        assert same(await draft(remote_answering(body[:cut], body[cut:])), whole), f"cut at {cut}"


@settings(deadline=None, max_examples=60)
@given(st.data())
async def test_events_survive_random_cuts(data: st.DataObject) -> None:
    body = stream(data.draw(st.sampled_from(["stream_greedy", "stream_ignore_eos"])))
    body = body.replace(b"\n", b"\r\n") if data.draw(st.booleans()) else body
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=40)))
    pieces = [body[a:b] for a, b in itertools.pairwise([0, *cuts, len(body)])]
    assert same(await draft(remote_answering(*pieces)), await draft(remote_answering(body)))


async def test_line_separators_inside_the_json_end_no_event() -> None:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["text"] = "a\u2028b\u2029c\u0085d"
    body = as_sse(chunks)
    assert "\u2028".encode() in body and "\u0085".encode() in body, "they stand in it unescaped"
    assert same(await draft(remote_answering(body)), await draft(remote_answering(stream("stream_greedy"))))


async def test_comments_between_events_are_no_events() -> None:
    body = stream("stream_greedy").replace(b"data: ", b": ping\n\ndata: ")
    assert same(await draft(remote_answering(body)), await draft(remote_answering(stream("stream_greedy"))))


# What is asked


async def test_a_draft_asks_for_ids_and_sets_every_sampling_field(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("stream_greedy"))
    await draft(remote, Sampling(), top_logprobs=7)
    assert sent(router["completions"]) == {
        "model": "qwen",
        "prompt": PROMPT,
        "max_tokens": 6,
        "logprobs": 7,
        "stream": True,
        "return_token_ids": True,
        "return_tokens_as_token_ids": True,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
    }


async def test_a_draft_sends_the_sampling_that_it_is_given(router: respx.Router, remote: VLLMRemote) -> None:
    router["completions"].respond(200, content=stream("stream_greedy"))
    sampling = Sampling(0.5, 0.9, 40, 0.05, 0.1, -0.2, 1.1, logit_bias={198: -100.0, 264: 1.5}, seed=0)
    await draft(remote, sampling)
    expected = dataclasses.asdict(sampling) | {"logit_bias": {"198": -100.0, "264": 1.5}}
    assert {name: sent(router["completions"])[name] for name in expected} == expected


async def test_tokenize_has_the_remote_render_the_conversation(
    router: respx.Router, remote: VLLMRemote
) -> None:
    recorded = recording("tokenize")
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=recorded["response"])
    messages = [Message(**message) for message in recorded["request"]["body"]["messages"]]
    assert await remote.tokenize(messages) == recorded["response"]["tokens"]
    asked = recorded["request"]["body"]
    assert sent(route) == {name: asked[name] for name in ("model", "messages", "add_generation_prompt")}


async def test_tokenize_text_adds_no_special_tokens(router: respx.Router, remote: VLLMRemote) -> None:
    recorded = recording("tokenize_prompt")
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=recorded["response"])
    assert await remote.tokenize_text("def f(x):\n  return x") == recorded["response"]["tokens"]
    asked = recorded["request"]["body"]
    assert sent(route) == {name: asked[name] for name in ("model", "prompt", "add_special_tokens")}


async def test_the_card_is_asked_for_once(router: respx.Router, remote: VLLMRemote) -> None:
    assert await remote.card() == await remote.card() == RemoteCard("qwen", 4096)
    assert router["models"].call_count == 1


async def test_the_named_model_is_taken_and_one_not_served_is_refused(router: respx.Router) -> None:
    two = {"data": [{"id": "first"}, {"id": "second", "max_model_len": 10}]}
    router["models"].respond(200, json=two)
    async with aclosing(VLLMRemote(BASE, model="second")) as remote:
        assert await remote.card() == RemoteCard("second", 10)
    async with aclosing(VLLMRemote(BASE)) as remote:
        assert await remote.card() == RemoteCard("first", None)
    async with aclosing(VLLMRemote(BASE, model="third")) as remote:
        with pytest.raises(ModelNotFound, match=r"first, second.*COSTEER_REMOTE_MODEL") as caught:
            await remote.card()
    assert (caught.value.status, caught.value.param) == (404, "model")


# Refusals


@pytest.mark.parametrize(
    ("name", "kind", "status", "param", "code", "says"),
    [
        ("error_auth", RemoteError, 502, None, "remote_unauthorized", ["COSTEER_REMOTE_API_KEY"]),
        ("error_auth_wrong_key", RemoteError, 502, None, "remote_unauthorized", ["COSTEER_REMOTE_API_KEY"]),
        ("error_bad_param", RemoteRejected, 400, "temperature", "remote_rejected", ["must be in [0, 2]"]),
        ("error_bad_type", RemoteRejected, 400, "body.max_tokens", "remote_rejected", ["valid integer"]),
        (
            "error_chat_logprobs_cap",
            RemoteError,
            502,
            None,
            "logprobs_cap",
            ["--max-logprobs", "COSTEER_TOP_LOGPROBS"],
        ),
        (
            "error_logprobs_cap",
            RemoteError,
            502,
            None,
            "logprobs_cap",
            ["--max-logprobs", "COSTEER_TOP_LOGPROBS", "max allowed: 50"],
        ),
        (
            "error_context_length",
            ContextLengthExceeded,
            400,
            "messages",
            "context_length_exceeded",
            ["reduce the length", "4096"],
        ),
        ("error_model_not_found", ModelNotFound, 404, "model", "model_not_found", ["COSTEER_REMOTE_MODEL"]),
        ("error_overloaded", RemoteUnavailable, 503, None, "remote_unavailable", ["Try again"]),
        ("error_scale_out_disabled", RemoteError, 502, None, "remote_unauthorized", ["--enable-scale-out"]),
        ("error_token_out_of_vocab", RemoteRejected, 400, None, "remote_rejected", ["9999999", "vocabulary"]),
    ],
)
async def test_a_recorded_refusal_says_what_to_change(  # noqa: PLR0917
    router: respx.Router,
    remote: VLLMRemote,
    name: str,
    kind: type[CoSteerError],
    status: int,
    param: str | None,
    code: str,
    says: list[str],
) -> None:
    recorded = recording(name)
    router["completions"].respond(recorded["status"], json=recorded["response"])
    ids, error = await failing_draft(remote)
    assert ids == []
    assert type(error) is kind
    assert (error.status, error.param, error.code) == (status, param, code)
    assert all(part in error.message for part in says), error.message


def test_every_recorded_refusal_is_tested() -> None:
    marks = test_a_recorded_refusal_says_what_to_change.pytestmark  # type: ignore[attr-defined]
    (table,) = [mark.args[1] for mark in marks if mark.name == "parametrize"]
    assert {row[0] for row in table} == {path.stem for path in RECORDINGS.glob("error_*.json")} - {
        "error_stream_logprobs_cap.request"
    }


@pytest.mark.parametrize(
    ("answer", "kind", "status", "says"),
    [
        (httpx.Response(404, json={"detail": "Not Found"}), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
        (httpx.Response(404, html="<h1>404</h1>"), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
        (httpx.Response(429, json={"error": {"message": "slow down"}}), RemoteUnavailable, 429, "Try again"),
        (httpx.Response(500, html="<h1>Oops</h1>"), RemoteError, 502, "status 500"),
        (httpx.Response(502, content=b""), RemoteError, 502, "status 502"),
        (httpx.Response(503, json=["not an object"]), RemoteUnavailable, 503, "Try again"),
        (httpx.Response(307, headers={"Location": BASE}), RemoteError, 502, "COSTEER_REMOTE_BASE_URL"),
    ],
)
async def test_any_other_refusal_is_ours_too(  # noqa: PLR0917
    router: respx.Router,
    remote: VLLMRemote,
    answer: httpx.Response,
    kind: type[CoSteerError],
    status: int,
    says: str,
) -> None:
    router["completions"].mock(return_value=answer)
    _, error = await failing_draft(remote)
    assert (type(error), error.status) == (kind, status)
    assert says in error.message


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<!doctype html><title>It works</title>"),
        httpx.Response(200, content=b""),
        httpx.Response(200, json=["a list"]),
        httpx.Response(200, json={"data": "no list"}),
        httpx.Response(200, json={"data": [{"name": "no id"}]}),
    ],
)
async def test_what_is_no_vllm_is_named_so(
    router: respx.Router, remote: VLLMRemote, answer: httpx.Response
) -> None:
    router["models"].mock(return_value=answer)
    with pytest.raises(RemoteError, match=r"not a vLLM's.*COSTEER_REMOTE_BASE_URL"):
        await remote.tokenize([Message("user", "Hello")])


@pytest.mark.parametrize(
    "base_url", ["http://", "http:///v1", "http://host:port/v1", "http://[::1/v1", "ftp://host/v1"]
)
async def test_a_url_that_cannot_be_asked_is_a_setting_to_correct(base_url: str) -> None:
    async with aclosing(VLLMRemote(base_url)) as remote:
        with pytest.raises(RemoteUnavailable, match="COSTEER_REMOTE_BASE_URL"):
            await remote.card()


# Streams that fail


async def test_a_cap_that_is_said_in_the_stream_is_the_same_refusal(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("error_stream_logprobs_cap"))
    ids, error = await failing_draft(remote)
    assert (ids, type(error), error.code) == ([], RemoteError, "logprobs_cap")
    assert "--max-logprobs" in error.message and "COSTEER_TOP_LOGPROBS" in error.message


async def test_positions_before_an_error_event_are_delivered(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].respond(200, content=stream("error_midstream_shutdown"))
    ids, error = await failing_draft(remote)
    assert ids == [8420, 594, 264, 825]
    assert (type(error), error.status) == (RemoteError, 502)
    assert "EngineCore encountered an issue" in error.message


async def test_done_without_a_finish_reason_is_no_success() -> None:
    chunks = events(stream("stream_greedy"))[:-2]  # without the last choice and the usage
    ids, error = await failing_draft(remote_answering(as_sse(chunks)))
    assert ids == [8420, 594, 264, 825, 2852]
    assert type(error) is RemoteError and "before the reply was finished" in error.message


def without_logprobs() -> bytes:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["logprobs"] = None
    return as_sse(chunks)


def with_text_tokens() -> bytes:
    chunks = events(stream("stream_greedy"))
    chunks[0]["choices"][0]["logprobs"]["top_logprobs"] = [{"Here": -0.65, "Sure": -1.9}]
    return as_sse(chunks)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (without_logprobs(), "without logprobs"),
        (with_text_tokens(), "tokens as ids"),
        (b"data: {not json\n\n", "not a vLLM's"),
        (as_sse([{"choices": [{"index": 0}]}]), "not a vLLM's"),
        (b"<!doctype html>\n<title>It works</title>\n", "before the reply was finished"),
    ],
)
async def test_a_stream_that_is_no_vllms_is_refused(body: bytes, says: str) -> None:
    ids, error = await failing_draft(remote_answering(body))
    assert (ids, type(error)) == ([], RemoteError)
    assert says in error.message


async def test_bytes_that_do_not_decompress_are_an_error_of_the_remote() -> None:
    _, error = await failing_draft(remote_answering(b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert type(error) is RemoteError


async def test_a_connection_that_takes_too_long_counts_as_unreachable(
    router: respx.Router, remote: VLLMRemote
) -> None:
    router["completions"].mock(side_effect=httpx.ConnectTimeout)
    _, error = await failing_draft(remote)
    assert type(error) is RemoteUnavailable


# Sockets


class Connection:
    """One connection to the imitated vLLM, as its server sees it."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self.writer = writer

    async def request(self) -> tuple[str, dict[str, str]] | None:
        """Path and headers of the next request; None when the client has gone."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode().strip().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        await self._reader.readexactly(int(headers.get("content-length", 0)))
        return first.split()[1], headers

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(1024):
                pass

    def send(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.writer.write(head.encode() + body)

    def start(self) -> None:
        self.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))


class Loopback:
    """A server on loopback that lists its model and leaves everything else to `serve`."""

    def __init__(self, serve: Callable[[Connection], Awaitable[None]]) -> None:
        self._serve = serve
        self.paths: list[tuple[int, str]] = []  # number of the connection, path
        self.keys: list[str | None] = []
        self.open = 0  # connections
        self.serving = 0  # requests that `serve` is busy with
        self.base_url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self._connections, reader, writer)
        self._connections += 1
        self.open += 1
        try:
            while (request := await connection.request()) is not None:
                path, headers = request
                self.paths.append((connection.number, path))
                self.keys.append(headers.get("authorization"))
                if path == "/v1/models":
                    connection.send(orjson.dumps(recording("models")["response"]))
                else:
                    self.serving += 1
                    try:
                        await self._serve(connection)
                    finally:
                        self.serving -= 1
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    _connections = 0


@asynccontextmanager
async def loopback(serve: Callable[[Connection], Awaitable[None]]) -> AsyncIterator[Loopback]:
    server = Loopback(serve)
    async with await asyncio.start_server(server.handle, "127.0.0.1", 0) as listener:
        server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
        yield server


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other tasks bring about; fails rather than hang."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # httpx's pool has no event to wait for
            await asyncio.sleep(0.01)


def active(remote: VLLMRemote) -> list[Any]:
    """Pooled connections that no request could use any more."""
    transport: Any = remote._client._transport
    return [c for c in transport._pool.connections if not c.is_idle() and not c.is_closed()]


def drafted_event(token_id: int) -> bytes:
    chunk = events(stream("stream_greedy"))[0]
    choice = chunk["choices"][0]
    choice["token_ids"] = [token_id]
    choice["logprobs"]["top_logprobs"] = [{f"token_id:{token_id}": -0.1}]
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


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
            drafting = Draft(remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000))
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
            drafting = Draft(remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=6))
            assert await drafting.gather(6)
            for _ in range(number % 10):
                await asyncio.sleep(0)  # one step further into the end of the stream
            await drafting.close()
            assert not active(remote), f"after draft {number}"


async def test_a_drafts_reader_that_is_cancelled_leaves_no_connection_behind() -> None:
    async with loopback(endless) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        await remote.card()

        async def read() -> None:
            drafting = Draft(remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000))
            try:
                await drafting.gather(1_000_000)
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
            assert [path for _, path in server.paths] == ["/v1/models", "/v1/completions", "/tokenize"]
            assert server.keys == [f"Bearer {KEY}"] * 3
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


# Privacy, by structure


def test_remote_imports_nothing_that_holds_private_data() -> None:
    tree = ast.parse(Path(app.remote.__file__).read_text())
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    names |= {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    assert "app.prompts" in names, "imports are seen"
    private = {"profile", "profile_file", "store", "tables", "local", "writer", "api"}
    assert not [n for n in names if n.startswith("app.") and n.split(".")[1] in private]
    taken = {
        a.name
        for n in ast.walk(tree)
        if isinstance(n, ast.ImportFrom) and n.module == "app.prompts"
        for a in n.names
    }
    assert taken == {"Message"}


def leaves(hint: Any) -> set[Any]:
    """The types that a value of type `hint` is made of."""
    if arguments := typing.get_args(hint):
        return set().union(*(leaves(a) for a in arguments if a is not ...))
    if dataclasses.is_dataclass(hint):
        fields = typing.get_type_hints(hint)
        return {hint}.union(*(leaves(f) for f in fields.values()))
    return {hint}


def test_no_parameter_of_the_remote_takes_private_data() -> None:
    public = {Message, Sampling, int, float, str, types.NoneType, httpx.AsyncBaseTransport}
    methods = [m for n, m in vars(VLLMRemote).items() if isinstance(m, types.FunctionType)]
    names = {method.__name__ for method in methods}
    assert {"__init__", "card", "tokenize", "tokenize_text", "draft"} <= names
    for method in methods:
        if method.__name__.startswith("_") and method.__name__ != "__init__":
            continue
        hints = typing.get_type_hints(method, {**vars(app.remote), "httpx": httpx})
        hints.pop("return")
        for name, hint in hints.items():
            assert leaves(hint) <= public, f"{method.__name__}({name})"
    assert PrivateMessage in leaves(Sequence[PrivateMessage]), "the check sees them"


async def test_tokenize_refuses_private_messages_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote
) -> None:
    class Lookalike(Message):
        pass

    private = PrivateMessage("system", "The user is Isabel.")
    for messages in ([private], [Message("user", "Hello"), private], [Lookalike("user", "Hello")]):
        with pytest.raises(TypeError):
            await remote.tokenize(messages)  # type: ignore[arg-type]
    assert not router.calls


@pytest.mark.parametrize(
    "prompt", [PrivatePrompt((1, 2)), [PrivatePrompt((1, 2))], "The user is Isabel.", ["Isabel"]]
)
async def test_draft_refuses_private_prompts_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote, prompt: Any
) -> None:
    with pytest.raises(TypeError):
        await anext(remote.draft(prompt, sampling=GREEDY, top_logprobs=5, max_tokens=6))
    assert not router.calls
