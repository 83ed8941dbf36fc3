"""What routes are handed: the parts that main.py has put together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.errors import InvalidRequest
from app.profile import Profile
from app.store import Store
from app.writer import Writer


@dataclass(frozen=True)
class Parts:
    """Everything that lives as long as the server. `strength` is the setting's default."""

    writer: Writer
    store: Store
    strength: float


def get_parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(get_parts)]


async def choose_profile(store: Store, header: str | None, field: str | None) -> Profile | None:
    """The profile that a request names by header or body field, else the default one, if any is marked.

    Raises ProfileNotFound, and InvalidRequest when header and field name different ones.
    """
    if header and field and header != field:
        raise InvalidRequest(
            "The X-CoSteer-Profile header and the profile field name different profiles. Send one of them.",
            param="profile",
        )
    wanted = header or field
    if wanted:
        return await asyncio.to_thread(store.profile, wanted)
    return await asyncio.to_thread(store.default_profile)
