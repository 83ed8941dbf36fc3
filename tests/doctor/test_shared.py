"""Whoever asks for an examination shares the one that runs, and for a while the one that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest

from app.doctor.check import Check, Verdict, ok
from app.doctor.shared import KEPT_SECONDS, SharedExamination


class Examined:
    """Two checks; the second waits until it is let. Counts examinations, and those that are closed."""

    def __init__(self) -> None:
        self.now, self.began, self.closed = 0.0, 0, 0
        self.first, self.let = asyncio.Event(), asyncio.Event()
        self.shared = SharedExamination(self._checks, lambda: self.now)

    def _checks(self, stack: AsyncExitStack) -> list[Check]:
        self.began += 1
        number = self.began

        def close() -> None:
            self.closed += 1

        async def first() -> Verdict:
            self.first.set()
            return ok(f"first of {number}")

        async def second() -> Verdict:
            await self.let.wait()
            return ok(f"second of {number}")

        stack.callback(close)
        return [Check("first", first), Check("second", second)]

    async def seen(self) -> list[str]:
        return [finding.seen async for finding in self.shared.findings()]


@pytest.fixture
async def examined() -> AsyncIterator[Examined]:
    examined = Examined()
    yield examined
    await examined.shared.aclose()


async def test_findings_come_as_soon_as_they_are_there(examined: Examined) -> None:
    async with aclosing(examined.shared.findings()) as findings:
        assert (await anext(findings)).seen == "first of 1"
        examined.let.set()
        assert (await anext(findings)).seen == "second of 1"
        assert [one async for one in findings] == []
    assert (examined.began, examined.closed) == (1, 1)


async def test_those_who_come_meanwhile_share_it_from_its_beginning(examined: Examined) -> None:
    async with aclosing(examined.shared.findings()) as early:
        await anext(early)
        late = [asyncio.create_task(examined.seen()) for _ in range(5)]
        await asyncio.sleep(0)
        examined.let.set()
        assert [one.seen async for one in early] == ["second of 1"]
    assert await asyncio.gather(*late) == [["first of 1", "second of 1"]] * 5
    assert examined.began == 1


async def test_it_is_given_again_for_a_while_and_then_made_anew(examined: Examined) -> None:
    examined.let.set()
    assert await examined.seen() == ["first of 1", "second of 1"]
    examined.now = KEPT_SECONDS
    assert await examined.seen() == ["first of 1", "second of 1"]
    examined.now += 0.1
    assert await examined.seen() == ["first of 2", "second of 2"]


async def test_an_examination_that_runs_for_long_is_not_begun_again(examined: Examined) -> None:
    first = asyncio.create_task(examined.seen())
    await examined.first.wait()
    examined.now = 10 * KEPT_SECONDS
    second = asyncio.create_task(examined.seen())
    await asyncio.sleep(0)
    examined.let.set()
    assert await first == await second == ["first of 1", "second of 1"]


async def test_who_leaves_does_not_stop_it_for_others(examined: Examined) -> None:
    leaving = asyncio.create_task(examined.seen())
    await examined.first.wait()
    leaving.cancel()
    staying = asyncio.create_task(examined.seen())
    await asyncio.sleep(0)
    examined.let.set()
    assert await staying == ["first of 1", "second of 1"]
    assert examined.began == 1


async def test_at_the_server_s_end_it_is_stopped_and_closes_what_it_opened(examined: Examined) -> None:
    asking = asyncio.create_task(examined.seen())
    await examined.first.wait()
    await examined.shared.aclose()
    assert examined.closed == 1
    with pytest.raises(asyncio.CancelledError):
        await asking
    await examined.shared.aclose()


async def test_checks_that_cannot_be_made_are_an_error_for_all_and_made_anew_later() -> None:
    now = 0.0

    def broken(_: AsyncExitStack) -> list[Check]:
        raise ZeroDivisionError

    shared = SharedExamination(broken, lambda: now)
    for now in (0.0, 1.0, 20.0):  # noqa: B007  # read by the clock
        with pytest.raises(ZeroDivisionError):
            assert [one async for one in shared.findings()] == []


async def test_of_several_servers_one_examines_at_a_time() -> None:
    turn, running = asyncio.Lock(), 0

    async def only() -> Verdict:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return ok("alone")

    @asynccontextmanager
    async def taken() -> AsyncIterator[None]:
        async with turn:
            yield

    shared = [SharedExamination(lambda _: [Check("only", only)], turn=taken) for _ in range(3)]
    found = await asyncio.gather(*(_all(one) for one in shared))
    assert found == [["alone"]] * 3


async def _all(shared: SharedExamination) -> list[str]:
    async with aclosing(shared.findings()) as findings:
        return [finding.seen async for finding in findings]
