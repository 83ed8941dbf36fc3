"""Requests of two kinds are apart as soon as that is needed, and nobody waits for ever."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from app.local.trusted.apart import Apart

KINDS = ("tops", "values")


async def test_what_runs_when_it_is_first_needed_is_waited_for() -> None:
    apart, done = Apart(), asyncio.Event()

    async def early() -> None:
        async with apart.turn("values"):
            await done.wait()

    async def late() -> None:
        async with apart.turn("tops"):
            assert done.is_set()

    first = asyncio.create_task(early())
    await asyncio.sleep(0)
    async with apart.turn("tops"):
        assert not done.is_set(), "all run together as long as nothing is needed"
    apart.needed = True
    second = asyncio.create_task(late())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done()
    done.set()
    await asyncio.gather(first, second)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 4), st.integers(0, 4)), max_size=12),
    st.integers(0, 6),
)
def test_kinds_never_meet_once_they_are_kept_apart_and_all_get_their_turn(
    asked: list[tuple[str, int, int]], needed_after: int
) -> None:
    """Each begins after some steps and takes some."""

    async def told() -> list[tuple[str, ...]]:
        apart, running, met = Apart(), list[str](), list[tuple[str, ...]]()

        async def one(kind: str, begins: int, takes: int) -> None:
            for _ in range(begins):
                await asyncio.sleep(0)
            early = not apart.needed
            async with apart.turn(kind):
                running.append(kind)
                if not early:
                    met.append(tuple(running))
                for _ in range(takes):
                    await asyncio.sleep(0)
                running.remove(kind)

        async def need() -> None:
            for _ in range(needed_after):
                await asyncio.sleep(0)
            apart.needed = True

        async with asyncio.timeout(10):
            await asyncio.gather(need(), *(one(*each) for each in asked))
        return met

    assert all(len(set(kinds)) == 1 for kinds in asyncio.run(told()))
