"""Drops what is cached for a profile when the profile changes or is deleted, whichever process does that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from app.errors import StoreError
from app.local.engine.owner import Owner
from app.profiles.shelf import MemoryShelves
from app.profiles.store import Store
from app.prompts.retrieval import Retriever

# Seconds between two checks whether another process, such as the command line, has written to the database.
SECONDS = 1.0


class Caches(Protocol):
    """A model's KV caches, as a ModelRunner has them."""

    def owners(self) -> frozenset[Owner]:
        """The owners that have KV caches."""
        ...

    def forget(self, owners: Collection[Owner]) -> None:
        """Drop the KV caches of these owners."""
        ...


class Kept(Protocol):
    """What is kept for profiles as long as there are those, in whatever version; see Shelves."""

    def owners(self) -> frozenset[str]:
        """The uids and ids of the profiles that something is kept for."""
        ...

    def keep_only(self, owners: Collection[str]) -> None:
        """Drop what is kept for any other profile."""
        ...


class Sweeper:
    """Compares the owners of cached data with the current profiles, and drops what belongs to none of them.

    Code in this process that changes a profile sweeps before it answers. A background task also sweeps
    whenever the database was written to or caches of another owner have appeared: a reply that read a profile
    just before it was changed ends after the sweep, and leaves caches behind.
    """

    def __init__(
        self,
        store: Store,
        caches: Sequence[Caches],
        retriever: Retriever,
        warm: Callable[[str], None],
        kept: Kept | None = None,
    ) -> None:
        """`warm` is called with the id of each profile that has lost its caches and still exists."""
        self._store = store
        self._caches = caches
        self._retriever = retriever
        self._warm = warm
        self._kept: Kept = kept or MemoryShelves()
        self._lock = threading.Lock()
        self._swept: tuple[int, frozenset[Owner], frozenset[str]] | None = None
        self._uids: dict[str, str] = {}  # profile id to uid, at the last sweep

    async def sweep(self) -> None:
        """Drop what belongs to no current profile; drop all caches if the database cannot be read. The change
        that was made has not failed then: what was dropped is computed again when it is needed."""
        try:
            await self._drop()
        except StoreError:
            for caches in self._caches:
                caches.forget(caches.owners())
            # What is kept would not be computed again; the background task drops that once it can.
            with suppress(StoreError):
                self._retriever.keep_only(())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep in the background within this block, whenever there may be something to drop."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            with suppress(StoreError):  # requests report the error; here it is retried
                if await asyncio.to_thread(self._due):
                    await self._drop()
            await asyncio.sleep(SECONDS)

    async def _drop(self) -> None:
        for profile_id in await asyncio.to_thread(self._sweep):
            self._warm(profile_id)

    def _due(self) -> bool:
        return self._swept != (self._store.version(), self._held(), self._kept.owners())

    def _held(self) -> frozenset[Owner]:
        return frozenset().union(*(caches.owners() for caches in self._caches))

    def _sweep(self) -> list[str]:
        """Drop what is out of date; the ids of the profiles that lost their caches and still exist."""
        with self._lock:
            # The order matters: an owner of caches has read its profile before the profiles are read here.
            version, held, kept_for = self._store.version(), self._held(), self._kept.owners()
            profiles = self._store.profiles.all()
            gone = held - {Owner.of(profile) for profile in profiles}
            for caches in self._caches:
                caches.forget(gone)
            uids = {profile.id: profile.uid for profile in profiles}
            owners = {*uids, *uids.values()}
            self._kept.keep_only(owners)
            # A profile with the same id may be a new one, of another person.
            before = [*self._uids.items(), *((owner.profile_id, owner.uid) for owner in gone)]
            replaced = {profile_id for profile_id, uid in before if uids.get(profile_id) != uid}
            self._retriever.keep_only(uids.keys() - replaced)
            self._swept = version, held - gone, kept_for & owners
            self._uids = uids
            return sorted({owner.profile_id for owner in gone} & uids.keys())
