"""What reads requests: their framing, their bounds, and clients that end their half of a connection."""

from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import urlsplit

import pytest
from conftest import Proxy
from fakes import PRIVATE
from raw_requests import faults, made

HOST = b"Host: localhost\r\n"
SMUGGLED = b"GET /v1/profiles HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHAT = (
    b'{"model":"fake-model","temperature":0,"profile":"loud","messages":[{"role":"user","content":"Hello"}]}'
)
PATIENCE = 30


async def exchange(url: str, *parts: bytes, end: bool = False) -> bytes:
    """All that comes for `parts`, sent a packet each, until the server closes; `end` ends our half."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    came = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            while piece := await reader.read(65536):
                came += piece
    except OSError:  # the connection is gone; what came counts
        pass
    finally:
        writer.close()
    return came


def statuses(came: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([2-9]\d\d) ", came)]


def chat(*headers: bytes, version: bytes = b"1.1", body: bytes = CHAT) -> bytes:
    lines = b"".join(line + b"\r\n" for line in (b"Content-Type: application/json", *headers))
    return b"POST /v1/chat/completions HTTP/" + version + b"\r\n" + HOST + lines + b"\r\n" + body


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"TLS/1.0", b"foo/2"])
async def test_an_upgrade_is_ignored_and_the_body_is_the_body(base_url: str, protocol: bytes) -> None:
    upgrade = b"Connection: close, Upgrade\r\nUpgrade: " + protocol
    head = chat(upgrade, b"Content-Length: %d" % len(SMUGGLED), body=b"")
    came = await exchange(base_url, head, SMUGGLED)
    assert statuses(came) == [400]
    assert [text for text in PRIVATE if text.encode() in came] == []
    came = await exchange(base_url, chat(upgrade, b"Content-Length: %d" % len(CHAT)))
    assert statuses(came) == [200]
    assert b"HELLO WORLD" in came


ENDLESS = {
    "header": (b"GET /health HTTP/1.1\r\n" + HOST + b"X: ", b"a"),
    "headers": (b"GET /health HTTP/1.1\r\n" + HOST, b"X: a\r\n"),
    "request line": (b"GET /", b"a"),
    "chunk extension": (chat(b"Transfer-Encoding: chunked", body=b"1;"), b"a"),
    "trailer": (chat(b"Transfer-Encoding: chunked", body=b"0\r\n"), b"X: a\r\n"),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_nothing_endless_is_read_past_64_kib(base_url: str, what: str) -> None:
    start, more = ENDLESS[what]
    came = await exchange(base_url, start, more * (300_000 // len(more)))
    assert statuses(came) == [431]
    assert b"64 KiB" in came


async def test_the_bound_is_on_all_headers_together_and_leaves_room(base_url: str) -> None:
    line = b"X-Name: " + b"a" * 990 + b"\r\n"
    for count, status in ((60, 200), (66, 431)):
        head = b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + line * count + b"\r\n"
        assert statuses(await exchange(base_url, head)) == [status]


REFUSED = {
    "no Host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /health HTTP/1.1\r\n" + HOST * 2 + b"\r\n", 400),
    "no host in Host": (b"GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "two lengths": (chat(b"Content-Length: 2", b"Content-Length: 3"), 400),
    "length and chunks": (chat(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "chunks of 1.0": (chat(b"Transfer-Encoding: chunked", version=b"1.0", body=b"0\r\n\r\n"), 400),
    "another coding": (chat(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501),
    "a signed length": (chat(b"Content-Length: +2", body=b"{}"), 400),
    "a huge length": (chat(b"Content-Length: " + b"9" * 30, body=b"{}"), 400),
    "a huge chunk": (chat(b"Transfer-Encoding: chunked", body=b"f" * 40 + b"\r\n"), 400),
    "no chunk": (chat(b"Transfer-Encoding: chunked", body=b"zz\r\n"), 400),
    "a chunk's wrong end": (chat(b"Transfer-Encoding: chunked", body=b"1\r\nab\r\n"), 400),
    "space before a colon": (b"GET /health HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", 400),
    "NUL": (b"GET /health HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n", 400),
    "CR": (b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    "no path": (b"GET health HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /health\r\n\r\n", 400),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_request_is_refused_as_any_other(base_url: str, what: str) -> None:
    """With OpenAI's error object and an id, after which nothing more is read."""
    sent, status = REFUSED[what]
    came = await exchange(base_url, sent + SMUGGLED)
    assert statuses(came) == [status]
    head, _, body = came.partition(b"\r\n\r\n")
    assert re.search(rb"\r\nx-request-id: \w{32}\r\n", head)
    assert b"\r\nconnection: close" in head
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


async def test_requests_that_are_sent_at_once_are_answered_in_turn(base_url: str) -> None:
    sent = b"".join(
        b"GET /health HTTP/1.1\r\n" + HOST + b"X-Request-Id: number-%d\r\n\r\n\r\n" % number
        for number in range(5)
    )
    came = await exchange(base_url, sent + b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert statuses(came) == [200] * 6
    assert re.findall(rb"x-request-id: number-(\d)", came) == [b"0", b"1", b"2", b"3", b"4"]


async def test_an_absolute_target_says_which_host_is_meant(base_url: str) -> None:
    end = b"Connection: close\r\n\r\n"
    here = await exchange(
        base_url, b"GET http://localhost/v1/models HTTP/1.1\r\nHost: evil.example\r\n" + end
    )
    other = await exchange(base_url, b"GET http://evil.example/v1/models HTTP/1.1\r\n" + HOST + end)
    assert (statuses(here), statuses(other)) == ([200], [403])


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(base_url: str) -> None:
    headers = (b"Expect: 100-continue", b"Connection: close", b"Content-Length: %d" % len(CHAT))
    came = await exchange(base_url, chat(*headers, body=b""), CHAT)
    assert came.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("keep", [(), (b"Connection: keep-alive",)])
async def test_a_stream_for_http_1_0_is_unframed_and_ends_with_the_connection(
    base_url: str, keep: tuple[bytes, ...]
) -> None:
    body = CHAT[:-1] + b',"stream":true}'
    came = await exchange(base_url, chat(b"Content-Length: %d" % len(body), *keep, version=b"1.0", body=body))
    head, _, events = came.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    lines = [line for line in events.splitlines() if line]
    assert all(line.startswith(b"data: ") for line in lines)
    assert lines[-1] == b"data: [DONE]"


@pytest.mark.parametrize("stream", [b"false", b"true"])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_client_that_has_ended_its_half_gets_its_answer(
    base_url: str, stream: bytes, version: bytes
) -> None:
    body = CHAT[:-1] + b',"stream":' + stream + b"}"
    sent = chat(b"Content-Length: %d" % len(body), version=version, body=body)
    came = await exchange(base_url, sent, end=True)
    assert statuses(came) == [200]
    assert (b"[DONE]" if stream == b"true" else b"HELLO WORLD") in came


async def test_so_does_one_that_has_sent_several_requests(base_url: str) -> None:
    sent = (b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n") * 3
    assert statuses(await exchange(base_url, sent, end=True)) == [200] * 3


async def test_one_that_has_not_sent_all_of_its_body_is_told_so(base_url: str) -> None:
    came = await exchange(base_url, chat(b"Content-Length: 5000"), end=True)
    assert statuses(came) == [400]
    assert b"The connection ended before the body did." in came


@pytest.mark.parametrize("stream", [b"false", b"true"])
async def test_a_client_that_has_left_frees_the_remote(proxy: Proxy, base_url: str, stream: bytes) -> None:
    proxy.remote.endless, proxy.remote.max_model_len = True, 10**9
    body = CHAT[:-1] + b',"stream":' + stream + b"}"
    _, writer = await asyncio.open_connection(urlsplit(base_url).hostname, urlsplit(base_url).port)
    writer.write(chat(b"Content-Length: %d" % len(body), body=body))
    writing = proxy.app.state.limiters.writing
    async with asyncio.timeout(PATIENCE):
        while not writing.running:  # noqa: ASYNC110 - what runs is no event
            await asyncio.sleep(0.01)
        writer.close()
        while writing.running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", [b"/health", b"/ready", b"/v1/models", b"/docs", b"/v1/files", b"/no/such"])
async def test_head_has_the_headers_of_get_and_no_body(base_url: str, path: bytes) -> None:
    end = b" HTTP/1.1\r\nConnection: close\r\nX-Request-Id: same\r\n" + HOST + b"\r\n"
    got, headed = [await exchange(base_url, method + path + end) for method in (b"GET ", b"HEAD ")]

    def headers(came: bytes) -> set[bytes]:
        lines = came.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
        return {line for line in lines if not line.startswith(b"date:")}

    if path != b"/no/such":  # whose message names the method
        assert headers(headed) == headers(got)
    assert headed.endswith(b"\r\n\r\n")
    assert headed.count(b"\r\n\r\n") == 1


async def test_no_bytes_bring_an_answer_to_what_is_no_request(base_url: str) -> None:
    """`tests/clients/raw_fuzz.py` sends many more."""
    for seed in range(150):
        sent = made(seed)
        assert faults(sent, await exchange(base_url, sent, end=True)) == [], (seed, sent)


async def test_endless_empty_lines_are_refused_and_a_few_are_not(base_url: str) -> None:
    came = await exchange(base_url, b"\r\n" * 100_000, end=True)
    assert statuses(came) == [400]
    health = b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    assert statuses(await exchange(base_url, b"\r\n\r\n" + health)) == [200]


async def test_an_empty_line_that_comes_in_two_packets_is_skipped(base_url: str) -> None:
    reader, writer = await asyncio.open_connection(urlsplit(base_url).hostname, urlsplit(base_url).port)
    health = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
    for first, second in ((b"\r", b"\n" + health), (health + b"\r", b"\n" + health)):
        writer.write(first)
        await writer.drain()
        if first != b"\r":
            assert b"200" in await reader.readuntil(b"}")
        await asyncio.sleep(0.05)  # so that the two are two packets; as one they would be right as well
        writer.write(second)
        assert b"200" in await reader.readuntil(b"}")
    writer.close()


async def test_a_body_of_the_smallest_chunks_is_refused_and_one_of_usual_ones_is_not(base_url: str) -> None:
    head = chat(b"Transfer-Encoding: chunked", b"Connection: close", body=b"")
    assert statuses(await exchange(base_url, head + b"1\r\n \r\n" * 5000 + b"0\r\n\r\n")) == [400]
    spaces = b"40\r\n" + b" " * 64 + b"\r\n"
    body = spaces * 2000 + b"%x\r\n" % len(CHAT) + CHAT + b"\r\n0\r\n\r\n"
    assert statuses(await exchange(base_url, head + body)) == [200]
