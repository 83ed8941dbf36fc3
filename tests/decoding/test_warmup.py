"""Profiles are read ahead, in the background: at the start, and when they change."""

import asyncio
from dataclasses import replace

import pytest
from conftest import Proxy
from fakes import JOINED, LOUD

from app.decoding.warmup import AT_START, Warmer
from app.errors import ProfileNotFound
from app.profiles.profile import Profile


async def test_at_the_start_the_default_profile_goes_first_and_many_are_too_many() -> None:
    warmed: list[str] = []
    profiles = {f"p{n}": replace(LOUD, id=f"p{n}", is_default=n == 20) for n in range(30)}

    async def warm(profile: Profile) -> None:
        warmed.append(profile.id)

    warmer = Warmer(profiles.__getitem__, warm)
    async with warmer.running(profiles.values()):
        await warmer.idle()
    assert warmed == ["p20", *(f"p{n}" for n in range(AT_START - 1))]


@pytest.mark.parametrize("failure", [ProfileNotFound("gone"), RuntimeError("a bug")])
async def test_one_that_fails_does_not_keep_the_next_from_being_warmed(failure: Exception) -> None:
    warmed: list[str] = []

    def read(profile_id: str) -> Profile:
        if profile_id == "gone":
            raise failure
        return LOUD

    async def warm(profile: Profile) -> None:
        warmed.append(profile.id)

    warmer = Warmer(read, warm)
    async with warmer.running([]):
        warmer.soon("gone")
        warmer.soon("loud")
        await warmer.idle()
    assert warmed == ["loud"]


async def test_ending_does_not_wait_for_what_is_being_warmed() -> None:
    begun = asyncio.Event()

    async def warm(profile: Profile) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with Warmer(lambda _: JOINED, warm).running([JOINED]):
        await begun.wait()


async def test_a_profile_that_is_new_or_has_changed_is_warmed(proxy: Proxy) -> None:
    fields = {"name": "Nora", "fields": {"writing_style": "terse"}}
    await proxy.client.post("/v1/profiles", json={"id": "nora", **fields})
    await proxy.client.patch("/v1/profiles/nora", json={"fields": {"occupation": "pilot"}})
    exported = (await proxy.client.get("/v1/profiles/nora/export")).json()
    await proxy.client.post("/v1/profiles/import", json={**exported, "id": "twin"})
    await asyncio.wait_for(proxy.warmer.idle(), 10)
    assert [("pilot" in text, "terse" in text) for text in proxy.local.warmed] == [
        (False, True),
        (True, True),
        (True, True),
    ]


async def test_what_is_refused_is_not_warmed(proxy: Proxy) -> None:
    await proxy.client.post("/v1/profiles", json={"id": "loud", "name": "Again"})
    await proxy.client.patch("/v1/profiles/nobody", json={"name": "N"})
    await asyncio.wait_for(proxy.warmer.idle(), 10)
    assert proxy.local.warmed == []
