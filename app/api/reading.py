"""What is read of a person for a request that can be steered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.api.dependencies import Parts
from app.api.schemas.steered import SteeredRequest
from app.profiles.profile import Profile
from app.prompts.context import PersonalContext, personal_context
from app.prompts.message import Message


async def context_of(
    parts: Parts, body: SteeredRequest, profile: Profile | None, messages: Sequence[Message]
) -> PersonalContext:
    """The context of a conversation, by what the request, the profile and the settings say. Raises
    StoreError."""
    return await asyncio.to_thread(
        personal_context,
        parts.retriever,
        profile,
        messages,
        asked=0.0 if body.steering == "off" else body.strength,
        default=parts.strength,
        preferences=body.own_preferences(),
        bounds=(parts.disclosure, body.own_disclosure()),
    )
