"""Connections that are opened before they are wanted: in time, without the key, and none when all is over."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from itertools import count
from typing import Any

import httpx
import pytest

from app.errors import RemoteError
from app.network.outgoing import IDLE_SECONDS
from app.remote.spare_connections import PAUSE_SECONDS, REPLACED_SECONDS, Spares
from app.remote.vllm import VLLMRemote
from remote.loopback import Connection, Loopback, drafted_event, loopback, until
from remote.recordings import GREEDY, KEY, PROMPT

DRAFT, SPARE = "/v1/completions", "/health"


class Imitation:
    """A vLLM that drafts until the client has gone, and answers other requests as `health` says."""

    def __init__(self, health: str = "empty") -> None:
        self.health = health
        self.server: Loopback

    async def serve(self, connection: Connection) -> None:
        if self.server.paths[-1][1] == DRAFT:
            await self._draft(connection)
        elif self.health == "empty":
            connection.send(b"")
        elif self.health == "not found":
            connection.send(b'{"detail": "Not Found"}', status="404 Not Found")
        elif self.health == "silence":
            await connection.gone()
        else:
            raise ConnectionError

    async def _draft(self, connection: Connection) -> None:
        gone = asyncio.ensure_future(connection.gone())
        connection.start()
        for token_id in count():
            connection.chunk(drafted_event(token_id))
            await asyncio.wait([gone], timeout=0.002)
            if gone.done():
                raise ConnectionError

    def numbers(self, path: str) -> list[int]:
        """The connections that were asked for `path`, in order."""
        return [number for number, asked in self.server.paths if asked == path]


async def rejected(remote: VLLMRemote, tokens: int, *, ready: int | None = None) -> None:
    """A draft that is closed after some tokens, and once so many spares are ready."""
    positions = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000)
    assert [(await anext(positions)).token_id for _ in range(tokens)] == list(range(tokens))
    if ready is not None:
        await until(lambda: remote._spares.ready == ready)
    await positions.aclose()


async def test_a_draft_after_a_rejected_one_finds_an_open_connection() -> None:
    fake = Imitation()
    async with (
        loopback(fake.serve) as fake.server,
        aclosing(VLLMRemote(fake.server.base_url, spare=True)) as remote,
    ):
        await rejected(remote, 3, ready=2)
        for _ in range(5):
            opened = fake.server.connections
            positions = remote.draft(PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=10_000)
            await anext(positions)
            assert fake.numbers(DRAFT)[-1] < opened
            await until(lambda: remote._spares.ready == 2)
            await positions.aclose()
        drafts, spares = fake.numbers(DRAFT), fake.numbers(SPARE)
    assert len(set(drafts)) == len(drafts) == 6, "closing one had closed its connection"
    assert set(drafts[1:]) <= set(spares)


async def test_a_draft_that_is_rejected_at_once_finds_one_as_well() -> None:
    fake = Imitation()
    async with (
        loopback(fake.serve) as fake.server,
        aclosing(VLLMRemote(fake.server.base_url, spare=True)) as remote,
    ):
        await rejected(remote, 1, ready=2)
        fake.health = "silence"  # no further one is ready in time
        for _ in range(2):
            await rejected(remote, 1)
        assert set(fake.numbers(DRAFT)[1:]) <= set(fake.numbers(SPARE))


@pytest.mark.parametrize("spare", [None, False])
async def test_next_door_nothing_is_opened_before_it_is_wanted(spare: bool | None) -> None:
    fake = Imitation()
    async with (
        loopback(fake.serve) as fake.server,
        aclosing(VLLMRemote(fake.server.base_url, spare=spare)) as remote,
    ):
        for _ in range(3):
            await rejected(remote, 20)
        assert {path for _, path in fake.server.paths} == {"/v1/models", DRAFT}


def test_elsewhere_it_is() -> None:
    assert VLLMRemote("http://10.0.0.1/v1")._spares._count > 0


async def test_the_key_is_not_sent_for_them() -> None:
    fake = Imitation()
    async with (
        loopback(fake.serve) as fake.server,
        aclosing(VLLMRemote(fake.server.base_url, api_key=KEY, spare=True)) as remote,
    ):
        await rejected(remote, 3, ready=2)
        sent = {path: key for (_, path), key in zip(fake.server.paths, fake.server.keys, strict=True)}
    assert sent[SPARE] is None and sent[DRAFT] == f"Bearer {KEY}"


async def test_a_gateway_s_headers_are() -> None:
    came: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        came.append(request.headers["X-Access"])
        return httpx.Response(200)

    options: dict[str, Any] = {"transport": httpx.MockTransport(answer), "headers": {"X-Access": "pass"}}
    async with aclosing(VLLMRemote("http://vllm.test/v1", **options)) as remote:
        await (await remote._open_spare()).aclose()
    assert came == ["pass"]


@pytest.mark.parametrize("health", ["not found", "silence", "cut off"])
async def test_a_remote_that_has_none_to_give_drafts_all_the_same(health: str) -> None:
    fake = Imitation(health)
    async with (
        loopback(fake.serve) as fake.server,
        aclosing(VLLMRemote(fake.server.base_url, spare=True)) as remote,
    ):
        for _ in range(3):
            await rejected(remote, 20)
        assert len(fake.numbers(SPARE)) <= 2 * len(fake.numbers(DRAFT)), "not asked at every token"


@pytest.mark.parametrize("health", ["empty", "silence"])
async def test_closing_the_remote_leaves_no_task_and_no_connection(health: str) -> None:
    fake, moments = Imitation(health), random.Random(3)
    async with loopback(fake.serve) as fake.server:
        for _ in range(20):
            remote = VLLMRemote(fake.server.base_url, spare=True)
            before = asyncio.all_tasks()
            await rejected(remote, 1)
            await asyncio.sleep(moments.uniform(0, 0.01))
            await remote.aclose()
            await until(lambda: fake.server.open == 0)
            await until(lambda: asyncio.all_tasks() <= before)  # noqa: B023  # waited for in this round


class Held:
    """An answer, and what became of it."""

    became = "held"

    async def read(self) -> bytes:
        self.became = "released"
        return b""

    async def aclose(self) -> None:
        self.became = "closed"


class Bench:
    """Spares over answers that come when `arrive` is called, by a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[asyncio.Future[Any]] = []
        self.spares = Spares(self._ask, 2, lambda: self.now)

    async def _ask(self) -> Any:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    async def keep(self) -> int:
        """How many are being opened then."""
        self.spares.keep()
        await asyncio.sleep(0)
        return len(self.waiting)

    @property
    def waiting(self) -> list[asyncio.Future[Any]]:
        return [one for one in self.asked if not one.done()]

    async def arrive(self, failure: Exception | None = None) -> list[Held]:
        held = []
        for one in self.waiting:
            if failure is not None:
                one.set_exception(failure)
            else:
                held.append(Held())
                one.set_result(held[-1])
        await until(lambda: not self.spares._opening)
        return held


async def test_no_more_are_opened_than_are_missing() -> None:
    bench = Bench()
    assert await bench.keep() == 2
    assert await bench.keep() == 2
    await bench.arrive()
    assert await bench.keep() == 0
    await bench.spares.release()
    assert await bench.keep() == 1


async def test_those_that_the_server_will_soon_close_are_replaced_before_they_are_useless() -> None:
    bench = Bench()
    await bench.keep()
    old = await bench.arrive()
    bench.now = REPLACED_SECONDS + 0.1
    assert await bench.keep() == 2
    await bench.spares.release()
    assert [one.became for one in old] == ["released", "held"], "as good as any until then"
    bench.now = IDLE_SECONDS + 0.1
    new = await bench.arrive()
    assert [one.became for one in (*old, *new)] == ["released", "closed", "held", "held"]
    bench.now *= 3  # nothing has streamed meanwhile
    await bench.spares.release()
    assert {one.became for one in new} == {"closed"}


async def test_after_a_failure_it_takes_a_while_until_the_next_attempt() -> None:
    bench = Bench()
    await bench.keep()
    await bench.arrive(RemoteError("The connection to the remote broke (ReadError). Try again."))
    assert await bench.keep() == 0
    bench.now = PAUSE_SECONDS
    assert await bench.keep() == 2
    await bench.spares.aclose()


async def test_closing_cancels_what_is_being_opened_and_closes_what_is_held() -> None:
    bench = Bench()
    await bench.keep()
    held = await bench.arrive()
    await bench.spares.release()
    await bench.keep()
    await bench.spares.aclose()
    assert [one.became for one in held] == ["released", "closed"]
    assert bench.asked[-1].cancelled()
    assert await bench.keep() == 0, "nothing is begun afterwards"
