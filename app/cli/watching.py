"""`costeer history sync --watch`: reads files as they change, and prints a line for each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from app.cli.findings import say_left_out, summary
from app.cli.intake import brought_in, surveyed
from app.cli.terminal import counted, one_line, say, write
from app.errors import CoSteerError, ProfileNotFound
from app.profiles.origin import Root
from app.profiles.profile import Profile
from app.profiles.store import Store
from app.sources.place import path_of
from app.sources.survey import Survey, Wanted
from app.sources.sync import Plan
from app.sources.watch import changes

# Seconds until what has vanished is erased. Programs delete and empty files that they write anew, and copy
# before they delete what they move.
GRACE = 5.0

WantedOf = Callable[[Profile, Sequence[Root]], list[Wanted]]


def watched(
    store: Store,
    profile_id: str,
    roots: Sequence[Root],
    wanted_of: WantedOf,
    *,
    relevel: bool,
    prune: bool,
    stop: threading.Event | None = None,
) -> None:
    """Reads the folders, and then what changes in them, until Ctrl-C or `stop`.

    What cannot be stored, as while another program keeps the database, is tried again. With `prune` what has
    vanished is erased once all folders have been read again after a while: other files may say it. Raises
    ProfileNotFound if the profile is erased.
    """
    folders = [path_of(root.path) for root in roots]
    waiting: set[str] = set()
    said, first, due = "", True, float("inf")
    try:
        for changed in changes(folders, stop or threading.Event()):
            waiting |= changed
            whole = first or time.monotonic() >= due
            if not waiting and not whole:
                continue
            try:
                wanted = wanted_of(store.profiles.get(profile_id), roots)
                only = None if whole else waiting
                # The level given is for what is stored already; what comes later brings its root's.
                left = _step(
                    store, profile_id, wanted, only, first, relevel=relevel and first, prune=prune and whole
                )
            except ProfileNotFound:
                raise
            except CoSteerError as error:
                if str(error) != said:
                    say(f"error: {error}")
                said = str(error)
                continue
            waiting, said, first = set(), "", False
            if whole:
                due = float("inf")
            elif left and prune:
                due = time.monotonic() + GRACE
    except KeyboardInterrupt:
        say("Watching has ended.")


def _step(
    store: Store,
    profile_id: str,
    wanted: Sequence[Wanted],
    only: set[str] | None,
    first: bool,
    *,
    relevel: bool,
    prune: bool,
) -> int:
    """Reads what changed, or all. Returns how many items have vanished and stay."""
    stored = store.sources.known(profile_id)
    found = surveyed(wanted, stored, only=only)
    plan = found.plan(stored, relevel=relevel)
    lines = [] if first else _lines(found, plan, prune=prune)
    outcome = brought_in(store, profile_id, found, plan, relevel=relevel, prune=prune)
    if first:
        write(f"profile {profile_id}: {summary(outcome)}")
        write(f"Watching {counted(len(wanted), 'folder')}; Ctrl-C ends it.")
    for one in lines:
        write(one)
    if first or only is not None:
        say_left_out(found)
    return outcome.vanished


def _lines(found: Survey, plan: Plan, *, prune: bool) -> list[str]:
    """What is done, a line for each file."""
    done: Counter[tuple[str, str]] = Counter()
    done.update((now.origin.file, "added") for now in plan.add)
    done.update((now.origin.file, "updated") for _, now in (*plan.replace, *plan.relevel))
    done.update((now.origin.file, "moved") for _, now in plan.move)
    done.update((one.origin.file, "removed" if prune else "vanished") for one in plan.vanished)
    return [
        f"{verb:<9}{one_line(found.name(path_of(file)))}{f' ({number:,} items)' if number > 1 else ''}"
        for (file, verb), number in done.items()
    ]
