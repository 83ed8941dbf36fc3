"""Places are taken in turn, no more of them than there are, and none is ever lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.api.limiter import ConcurrencyLimiter
from app.errors import TooManyRequests


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_finds_a_place_does_not_wait() -> None:
    places = ConcurrencyLimiter(2, 0)
    await places.take()
    assert places.take_free()
    assert not places.take_free()
    assert (places.running, places.waiting) == (2, 0)


async def test_those_who_wait_get_theirs_in_the_order_in_which_they_came() -> None:
    places, order = ConcurrencyLimiter(1, 10), list[int]()

    async def work(number: int) -> None:
        await places.take()
        order.append(number)
        await settled()
        places.leave()

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(work(number))
    assert order == list(range(10))
    assert (places.running, places.waiting) == (0, 0)


async def test_past_both_bounds_one_is_told_to_come_back() -> None:
    places = ConcurrencyLimiter(1, 1)
    await places.take()
    second = asyncio.create_task(places.take())
    await settled()
    with pytest.raises(TooManyRequests) as refused:
        await places.take()
    assert refused.value.status == 429
    assert refused.value.retry_after
    places.leave()
    await second
    assert (places.running, places.waiting) == (1, 0)


async def test_a_newcomer_does_not_go_before_those_who_wait() -> None:
    places = ConcurrencyLimiter(1, 1)
    await places.take()
    second = asyncio.create_task(places.take())
    await settled()
    places.leave()
    assert not places.take_free()
    await second


async def test_one_who_leaves_the_queue_holds_up_nobody() -> None:
    places = ConcurrencyLimiter(1, 2)
    await places.take()
    second, third = (asyncio.create_task(places.take()) for _ in range(2))
    await settled()
    second.cancel()
    await settled()
    assert places.waiting == 1
    places.leave()
    await third
    assert (places.running, places.waiting) == (1, 0)


async def test_one_who_leaves_as_the_turn_comes_hands_it_on() -> None:
    places = ConcurrencyLimiter(1, 2)
    await places.take()
    second, third = (asyncio.create_task(places.take()) for _ in range(2))
    await settled()
    places.leave()
    second.cancel()
    await third
    assert (places.running, places.waiting) == (1, 0)
    places.leave()
    assert places.running == 0


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_comes_and_goes_no_place_is_lost_and_none_is_made(seed: int) -> None:
    draw, places, inside = random.Random(seed), ConcurrencyLimiter(3, 5), 0

    async def work() -> None:
        nonlocal inside
        try:
            await places.take()
        except TooManyRequests:
            return
        inside += 1
        assert inside <= 3
        try:
            for _ in range(draw.randrange(4)):
                await asyncio.sleep(0)
        finally:
            inside -= 1
            places.leave()

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(work()))
        if draw.random() < 0.5:
            await asyncio.sleep(0)
        if draw.random() < 0.4:
            draw.choice(tasks).cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert result is None or isinstance(result, asyncio.CancelledError)
    assert (places.running, places.waiting, inside) == (0, 0, 0)
