"""What is in memory of a profile goes when the profile changes or goes, whoever has changed it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from app.errors import StoreError
from app.local.engine.owner import Owner
from app.profiles.store import Store
from app.prompts.retrieval import Retriever

# Between two looks at whether another process, as the command line is one, has written to the database.
SECONDS = 1.0


class Caches(Protocol):
    """The KV caches of a model, as a ModelRunner has them."""

    def owners(self) -> frozenset[Owner]:
        """Whose there are."""
        ...

    def forget(self, owners: Collection[Owner]) -> None:
        """Drop those of these owners."""
        ...


class Sweeper:
    """Compares whose caches there are with the profiles as they stand now, and drops the others.

    Whoever changes a profile here sweeps before answering. In the background it is done as often as anybody
    has written to the database, and as caches of another owner have appeared: a reply that had read a profile
    just before it was changed ends after the sweep, and leaves caches behind.
    """

    def __init__(
        self, store: Store, caches: Sequence[Caches], retriever: Retriever, warm: Callable[[str], None]
    ) -> None:
        """`warm` is told the ids of profiles that have lost their caches and are still there."""
        self._store = store
        self._caches = caches
        self._retriever = retriever
        self._warm = warm
        self._lock = threading.Lock()
        self._swept: tuple[int, frozenset[Owner]] | None = None
        self._uids: dict[str, str] = {}  # of the profiles at the last sweep, by their ids

    async def sweep(self) -> None:
        """Drop what is of no profile any more; all there is where the database does not say what that is. A
        change that was made is no failure then; what was dropped is computed again when it is wanted."""
        try:
            await self._drop()
        except StoreError:
            for caches in self._caches:
                caches.forget(caches.owners())
            self._retriever.keep_only(())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep within this block, whenever there may be something to drop."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            with suppress(StoreError):  # whoever needs the database says so; here it is tried again
                if await asyncio.to_thread(self._due):
                    await self._drop()
            await asyncio.sleep(SECONDS)

    async def _drop(self) -> None:
        for profile_id in await asyncio.to_thread(self._sweep):
            self._warm(profile_id)

    def _due(self) -> bool:
        return self._swept != (self._store.version(), self._held())

    def _held(self) -> frozenset[Owner]:
        return frozenset().union(*(caches.owners() for caches in self._caches))

    def _sweep(self) -> list[str]:
        """The ids of the profiles that are still there and have lost their caches."""
        with self._lock:
            # In this order: whoever holds caches had read the profile before it is read here.
            version, held = self._store.version(), self._held()
            profiles = self._store.profiles.all()
            gone = held - {Owner.of(profile) for profile in profiles}
            for caches in self._caches:
                caches.forget(gone)
            uids = {profile.id: profile.uid for profile in profiles}
            # One of the same id may be another person's.
            before = [*self._uids.items(), *((owner.profile_id, owner.uid) for owner in gone)]
            replaced = {profile_id for profile_id, uid in before if uids.get(profile_id) != uid}
            self._retriever.keep_only(uids.keys() - replaced)
            self._swept, self._uids = (version, held - gone), uids
            return sorted({owner.profile_id for owner in gone} & uids.keys())
