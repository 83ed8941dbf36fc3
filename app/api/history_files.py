"""Files that were sent become part of a history; one that is refused stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from app.api.body import validated
from app.api.dependencies import Parts
from app.api.form_files import FILE, Received
from app.api.schemas.history_files import FileRead, FilesIn, FilesProgress, FilesRead
from app.api.store_writes import write
from app.api.tally import Tally
from app.api.validation_errors import LENGTH
from app.disclosure.person import person_of
from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.profiles.store import Store
from app.sources.sent import Step, hashes, read_sent


def given(received: Received) -> FilesIn:
    """The fields of the form. Raises InvalidRequest, also if there is no file."""
    several = [name[:LENGTH] for name, values in received.fields.items() if len(values) > 1 and name != "me"]
    if several:
        raise InvalidRequest(f"{several[0]} may stand in the form once.", param=several[0])
    if not received.files:
        raise InvalidRequest(f"The form has no file; send at least one, as {FILE}.", param=FILE)
    fields = {name: values if name == "me" else values[0] for name, values in received.fields.items()}
    return validated(FilesIn, fields)


async def bring_in(
    parts: Parts, profile: Profile, received: Received, wanted: FilesIn
) -> AsyncGenerator[FilesProgress | FileRead | FilesRead, None]:
    """Reads the files in order, and stores what is new of them unless that is not wanted.

    Each step stores whole items, or none. What somebody sends again, or at the same time, is stored once:
    the steps of all uploads of a profile come one after another. Those of others do not wait for a file that
    takes long. Raises ProfileNotFound once the profile is erased or replaced.
    """
    person = person_of(profile, wanted.me)
    stored = _Stored(parts.store, profile.id)
    done = []
    for number, sent in enumerate(received.files):
        tally = Tally(number, sent.label)
        steps = read_sent(sent, person, wanted.disclosure, stored.hashes)
        while True:
            async with parts.reading.of(profile.id) as turn:
                await asyncio.to_thread(stored.refresh)
                step = await turn.run(partial(next, steps, None))
                if step is None:
                    break
                await _take(parts.store, profile, step, tally, dry_run=wanted.dry_run)
            yield tally.progress()
        done.append(tally.read())
        yield done[-1]
    yield FilesRead.of(done, dry_run=wanted.dry_run)


async def _take(store: Store, profile: Profile, step: Step, tally: Tally, *, dry_run: bool) -> None:
    items = [one.item for one in step.new]
    if dry_run:
        tally.take(step.known, step.left, [], items)
        return
    origins = [one.origin for one in step.new]
    added = await write(store.history.add, profile.id, items, origins, profile.uid) if items else []
    tally.take(step.known, step.left, added, [])


class _Stored:
    """The hashes of what a history says, which others may change meanwhile."""

    def __init__(self, store: Store, profile_id: str) -> None:
        self._store, self._profile_id = store, profile_id
        self._version: int | None = None
        self.hashes: set[str] = set()

    def refresh(self) -> None:
        version = self._store.version()
        if version != self._version:
            self._version = version
            self.hashes |= hashes(self._store.sources.known(self._profile_id))
