"""How large a body may be: said before it is read, and noticed while it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import Proxy

from api.routes.test_chat import error_of
from app.api.middleware.body_limits import BODY, MIB, UPLOAD

HISTORY = "/v1/profiles/loud/history"
IMPORT = "/v1/profiles/import"
CHAT = "/v1/chat/completions"
LIMITS = [
    (CHAT, BODY),
    ("/v1/profiles", BODY),
    (f"{HISTORY}/item_1", BODY),
    (HISTORY, UPLOAD),
    (IMPORT, UPLOAD),
]
TYPE = {"Content-Type": "application/json"}


class Counted:
    """A body of `size` bytes without a declared length, which counts how much of it was taken."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.taken < self.size:
            self.taken += MIB
            yield b" " * MIB


def refused_as_too_large(response: httpx.Response, limit: int) -> None:
    assert response.status_code == 413
    error = error_of(response)
    assert error["code"] == "request_too_large"
    assert f"larger than {limit // MIB} MiB" in error["message"]


@pytest.mark.parametrize(("path", "limit"), LIMITS)
async def test_a_body_that_is_declared_too_large_is_not_read(proxy: Proxy, path: str, limit: int) -> None:
    body = Counted(10**12)
    headers = {**TYPE, "Content-Length": str(limit + 1)}
    method = "PATCH" if "item_" in path else "POST"
    refused_as_too_large(await proxy.client.request(method, path, content=body, headers=headers), limit)
    assert body.taken == 0


@pytest.mark.parametrize(("path", "limit"), LIMITS)
async def test_a_body_that_says_nothing_of_its_length_is_read_up_to_the_limit(
    proxy: Proxy, path: str, limit: int
) -> None:
    body = Counted(2 * limit)
    method = "PATCH" if "item_" in path else "POST"
    refused_as_too_large(await proxy.client.request(method, path, content=body, headers=TYPE), limit)
    assert body.taken == limit + MIB


async def test_a_body_of_just_the_limit_is_taken(proxy: Proxy) -> None:
    response = await proxy.client.post(CHAT, content=Counted(BODY), headers=TYPE)
    assert response.status_code == 400
    assert "is empty" in error_of(response)["message"]


async def test_over_a_real_port_a_huge_upload_is_answered_before_it_is_sent(
    proxy: Proxy, base_url: str
) -> None:
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        head = [f"POST {HISTORY} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: text/plain"]
        writer.write("\r\n".join([*head, f"Content-Length: {140 * MIB}", "", "some"]).encode())
        async with asyncio.timeout(30):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    finally:
        writer.close()
    assert proxy.store.profiles.read("loud").history_count == 1


async def test_a_client_that_sends_it_all_first_hears_the_answer_as_well(proxy: Proxy, base_url: str) -> None:
    async with httpx.AsyncClient() as client:
        url = f"{base_url}/profiles/loud/history"
        headers = {"Content-Type": "text/plain", "Content-Length": str(140 * MIB)}
        response = await client.post(url, content=Counted(140 * MIB), headers=headers)
        refused_as_too_large(response, UPLOAD)
        refused_as_too_large(await client.post(url, content=Counted(140 * MIB), headers=TYPE), UPLOAD)
        assert (await client.get(f"{base_url}/profiles/loud")).json()["history_count"] == 1


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/jsonl"])
async def test_a_text_of_50_mb_is_refused_by_name_and_nothing_is_stored(
    proxy: Proxy, base_url: str, kind: str
) -> None:
    text = "word " * 10_000_000
    body = text if kind == "text/plain" else f'{{"text": "short"}}\n{{"text": "{text}"}}'
    body = f"[{body.replace('}', '},', 1)}]" if kind == "application/json" else body
    async with httpx.AsyncClient() as client:
        url = f"{base_url}/profiles/loud/history"
        response = await client.post(url, content=body.encode(), headers={"Content-Type": kind})
    assert response.status_code == 400
    error = error_of(response)
    place = {"text/plain": "", "application/json": "[1].", "application/jsonl": "Line 2: "}[kind]
    assert error["message"] == f"{place}text must have at most 1000000 characters."
    assert proxy.store.profiles.read("loud").history_count == 1
