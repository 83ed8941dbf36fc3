"""Bounds on load: so many replies at once, so many who wait, and 429 for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from conftest import Proxy
from fakes import FakeAnswer

from api.routes.test_chat import HELLO, error_of
from app.api.admission import Limiters
from app.api.limiter import ConcurrencyLimiter
from app.errors import RemoteError


@pytest.fixture
def limiters(proxy: Proxy) -> Limiters:
    """One reply at once, and one who waits; the same of what is passed on."""
    limiters = Limiters(ConcurrencyLimiter(1, 1), ConcurrencyLimiter(1, 1))
    proxy.app.state.limiters = limiters
    return limiters


async def until(places: ConcurrencyLimiter, *, running: int, waiting: int) -> None:
    async with asyncio.timeout(10):
        while (places.running, places.waiting) != (running, waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
async def held(proxy: Proxy, base_url: str, limiters: Limiters) -> AsyncIterator[httpx.Response]:
    """A stream that goes on for ever, and holds the only place until it is closed."""
    proxy.remote.endless, proxy.remote.max_model_len = True, 10**9
    body = {"model": "fake-model", "messages": HELLO, "stream": True}
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", f"{base_url}/chat/completions", json=body) as response,
    ):
        lines = response.aiter_lines()  # dropping it would close the stream
        await anext(lines)
        assert (limiters.writing.running, limiters.writing.waiting) == (1, 0)
        yield response


async def test_past_both_bounds_the_answer_is_429_in_openai_s_shape(
    proxy: Proxy, limiters: Limiters, held: httpx.Response
) -> None:
    waits = asyncio.create_task(proxy.chat(max_tokens=3))
    await until(limiters.writing, running=1, waiting=1)
    refused = await proxy.chat()
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    error = error_of(refused)
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    await held.aclose()
    assert (await waits).status_code == 200
    await until(limiters.writing, running=0, waiting=0)


async def test_openai_s_package_takes_it_for_a_rate_limit(
    proxy: Proxy, base_url: str, limiters: Limiters, held: httpx.Response
) -> None:
    waits = asyncio.create_task(proxy.chat(max_tokens=3))
    await until(limiters.writing, running=1, waiting=1)
    async with openai.AsyncOpenAI(base_url=base_url, api_key="unused", max_retries=0) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model="fake-model", messages=[{"role": "user", "content": "Hi"}]
            )
    await held.aclose()
    await waits


async def test_a_client_that_leaves_the_queue_frees_its_seat(
    proxy: Proxy, base_url: str, limiters: Limiters, held: httpx.Response
) -> None:
    body = {"model": "fake-model", "messages": HELLO}
    async with httpx.AsyncClient() as client:
        leaver = asyncio.create_task(client.post(f"{base_url}/chat/completions", json=body))
        await until(limiters.writing, running=1, waiting=1)
        leaver.cancel()
        await until(limiters.writing, running=1, waiting=0)
    assert not held.is_closed


async def test_wrong_requests_and_other_routes_need_no_place(
    proxy: Proxy, limiters: Limiters, held: httpx.Response
) -> None:
    waits = asyncio.create_task(proxy.chat(max_tokens=3))
    await until(limiters.writing, running=1, waiting=1)
    assert (await proxy.chat(strength=5)).status_code == 400
    for path in ("/health", "/v1/models", "/v1/profiles"):
        assert (await proxy.client.get(path)).status_code == 200
    assert (await proxy.client.post("/v1/embeddings", json={"input": "x"})).status_code == 200
    assert (await proxy.chat(response_format={"type": "json_object"})).status_code == 200
    await held.aclose()
    await waits


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failing", [None, 0, 3])
async def test_a_place_is_left_however_a_reply_ends(
    proxy: Proxy, limiters: Limiters, failing: int | None, stream: bool
) -> None:
    if failing is not None:
        proxy.remote.failure, proxy.remote.failing_after = RemoteError("It broke."), failing
    for profile in ("loud", None, "nobody"):
        await proxy.chat(stream=stream, profile=profile)
        assert (limiters.writing.running, limiters.writing.waiting) == (0, 0)


async def test_what_is_passed_on_has_places_of_its_own(
    proxy: Proxy, base_url: str, limiters: Limiters
) -> None:
    proxy.remote.answer = FakeAnswer(
        b"data: 1\n\n", headers={"content-type": "text/event-stream"}, endless=True
    )
    url = f"{base_url}/completions"
    async with httpx.AsyncClient() as client, client.stream("POST", url, json={"stream": True}) as response:
        lines = response.aiter_lines()
        await anext(lines)
        assert (limiters.passing.running, limiters.writing.running) == (1, 0)
        waits = asyncio.create_task(client.post(url, json={}))
        await until(limiters.passing, running=1, waiting=1)
        refused = await client.post(f"{base_url}/embeddings", json={"input": "x"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert await proxy.text() == "hello world"
        proxy.remote.answer = FakeAnswer(b"{}")
        await response.aclose()
        assert (await waits).json() == {}
    await until(limiters.passing, running=0, waiting=0)


@pytest.mark.parametrize("answer", [FakeAnswer(b"{}"), FakeAnswer(b"x", failure=RemoteError("It broke."))])
async def test_a_place_is_left_however_an_answer_ends(
    proxy: Proxy, limiters: Limiters, answer: FakeAnswer
) -> None:
    proxy.remote.answer = answer
    await proxy.client.post("/v1/embeddings", json={"input": "x"})
    proxy.remote.answer = RemoteError("It is not there.")
    await proxy.client.post("/v1/embeddings", json={"input": "x"})
    await proxy.client.post("/v1/embeddings", content=b"{", headers={"Content-Type": "application/json"})
    assert (limiters.passing.running, limiters.passing.waiting) == (0, 0)


async def test_more_than_run_at_once_are_all_answered_in_the_end(proxy: Proxy) -> None:
    proxy.app.state.limiters = Limiters(ConcurrencyLimiter(2, 30), ConcurrencyLimiter(1, 0))
    texts = await asyncio.gather(*(proxy.text(profile=profile) for profile in ["loud", None] * 15))
    assert texts == ["HELLO WORLD", "hello world"] * 15
