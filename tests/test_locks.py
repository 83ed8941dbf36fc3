"""A turn is one process's at a time, and ends with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.api.turns import Turns
from app.locks import FileTurn


async def test_a_turn_waits_for_the_one_before(tmp_path: Path) -> None:
    first, second = FileTurn(tmp_path / "turn"), FileTurn(tmp_path / "turn")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    first.release()
    await asyncio.wait_for(waiting, 10)
    second.release()
    assert (tmp_path / "turn").stat().st_mode & 0o777 == 0o600


async def test_who_leaves_while_waiting_takes_none(tmp_path: Path) -> None:
    first, second = FileTurn(tmp_path / "turn"), FileTurn(tmp_path / "turn")
    async with first.taken():
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with first.taken():
        pass


async def test_a_profile_has_one_turn_among_processes_and_others_do_not_wait(tmp_path: Path) -> None:
    here, there = Turns(tmp_path), Turns(tmp_path)
    order: list[str] = []

    async def read(turns: Turns, profile_id: str, name: str) -> None:
        async with turns.of(profile_id) as turn:
            order.append(f"{name} begins")
            await turn.run(lambda: None)
            await asyncio.sleep(0.1)
            order.append(f"{name} ends")

    async with here.of("anna"):
        waiting = asyncio.create_task(read(there, "anna", "second"))
        await read(there, "ben", "other")
        order.append("first ends")
    await read(here, "anna", "third")
    await waiting
    assert order[:3] == ["other begins", "other ends", "first ends"]
    assert [one.partition(" ")[0] for one in order[3:]] in (
        ["second", "second", "third", "third"],
        ["third", "third", "second", "second"],
    )
