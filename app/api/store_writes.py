"""Runs database writes in separate threads, so that waiting for the write lock delays no reply."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

T = TypeVar("T")
Given = TypeVarTuple("Given")


async def write(work: Callable[[Unpack[Given]], T], *given: *Given) -> T:
    """Runs `work` in a thread; it may wait long for other writers, of this process and of others.

    It uses anyio's threads: asyncio's default executor has few, and every reply needs one now and then.
    """
    return await anyio.to_thread.run_sync(work, *given)
