"""Writes to the database, in threads of their own: who waits for its lock there holds up no reply."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

T = TypeVar("T")
Given = TypeVarTuple("Given")


async def write(work: Callable[[Unpack[Given]], T], *given: *Given) -> T:
    """What `work` returns, which may wait for other writers, of this process and of others, for long.

    asyncio's own threads are few, and every reply needs one now and then. These are anyio's.
    """
    return await anyio.to_thread.run_sync(work, *given)
