"""What is in memory of profiles is compared with them as they are, and what is nobody's is dropped."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import JOINED, LOUD, LOUD_DOCUMENT, FakeCaches

from app.decoding import cache_sweeper
from app.decoding.cache_sweeper import Sweeper
from app.errors import StoreError
from app.local.engine.owner import Owner
from app.profiles.profile import ProfileDocument
from app.profiles.store import Store
from app.prompts.retrieval import Retriever


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        store.profiles.put(LOUD_DOCUMENT)
        store.profiles.put(ProfileDocument(JOINED))
        yield store


def owner(store: Store, profile_id: str) -> Owner:
    return Owner.of(store.profiles.get(profile_id))


async def test_what_is_of_no_profile_as_it_is_now_is_dropped_and_who_is_there_is_warmed(store: Store) -> None:
    loud, joined = owner(store, "loud"), owner(store, "joined")
    local, embedded, warmed = FakeCaches(), FakeCaches(), list[str]()
    sweeper = Sweeper(store, [local, embedded], Retriever(store.history, 1), warmed.append)
    local.held = {loud, joined, Owner("nobody", "0", 0)}
    embedded.held = {loud, replace(joined, uid="another's")}
    await sweeper.sweep()
    assert (local.held, embedded.held, warmed) == ({loud, joined}, {loud}, ["joined"])
    store.profiles.update("loud", lambda old: replace(old, name="L."))
    store.profiles.delete("joined")
    await sweeper.sweep()
    assert (local.held, embedded.held, warmed[1:]) == (set(), set(), ["loud"])


async def test_a_sweep_is_due_when_somebody_has_written_or_another_owner_is_there(
    store: Store, tmp_path: Path
) -> None:
    caches = FakeCaches()
    sweeper = Sweeper(store, [caches], Retriever(store.history, 1), lambda _: None)
    assert sweeper._due()
    await sweeper.sweep()
    assert not sweeper._due()
    caches.held.add(owner(store, "loud"))
    assert sweeper._due()
    await sweeper.sweep()
    assert not sweeper._due()
    with Store.open(tmp_path / "data") as other:
        other.history.clear("loud")
    assert sweeper._due()
    await sweeper.sweep()
    assert (caches.held, sweeper._due()) == (set(), False)


async def test_a_database_that_cannot_be_read_for_a_while_is_read_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_sweeper, "SECONDS", 0.0)
    caches, tried = FakeCaches(), asyncio.Event()
    loop = asyncio.get_running_loop()
    read = store.profiles.all

    def locked() -> None:
        loop.call_soon_threadsafe(tried.set)
        raise StoreError("locked")

    monkeypatch.setattr(store.profiles, "all", locked)
    caches.held.add(Owner(LOUD.id, "gone", 0))
    warmed = asyncio.Event()
    async with Sweeper(store, [caches], Retriever(store.history, 1), lambda _: warmed.set()).running():
        await asyncio.wait_for(tried.wait(), 10)
        monkeypatch.setattr(store.profiles, "all", read)
        await asyncio.wait_for(warmed.wait(), 10)
    assert caches.held == set()


async def test_a_change_is_no_failure_where_the_database_cannot_be_read_and_nothing_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> None:
        raise StoreError("locked")

    caches = FakeCaches()
    caches.held |= {owner(store, "loud"), owner(store, "joined")}
    monkeypatch.setattr(store.profiles, "all", locked)
    await Sweeper(store, [caches], Retriever(store.history, 1), lambda _: None).sweep()
    assert caches.held == set()
