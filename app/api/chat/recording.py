"""A finished exchange, kept in its profile's history; where that fails the reply goes out and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from app.api.error_handlers import unforeseen
from app.decoding.generator import GenerationRequest
from app.errors import InvalidRequest, StoreError
from app.profiles.profile import HistoryItem, Profile, turn
from app.profiles.store import Store


@dataclass(frozen=True)
class Outcome:
    """What became of an exchange that was to be kept: `reason` says why it is not; None where it is."""

    reason: str | None = None

    def headers(self) -> dict[str, str]:
        if self.reason is None:
            return {"X-CoSteer-Recorded": "true"}
        return {"X-CoSteer-Recorded": "false", "X-CoSteer-Recorded-Reason": self.reason}

    def told(self) -> dict[str, Any]:
        """What the last chunk of a stream says of it."""
        return {} if self.reason is None else {"recorded": False, "recorded_reason": self.reason}


# Takes a finished reply's text. None where nothing was to be kept.
Record = Callable[[str], Awaitable[Outcome | None]]


def recorder(store: Store, request: GenerationRequest, header: str | None) -> Record:
    """What keeps the finished reply, if the profile wants that now and still does then. It never fails.

    Raises InvalidRequest for a `header` but `off`: who wanted it off and is misread would be recorded.
    """
    if header is not None and header.lower() != "off":
        raise InvalidRequest(
            "The header X-CoSteer-Record takes `off` only. Recording is switched on by the profile's "
            "record_history.",
            param="X-CoSteer-Record",
        )
    profile, messages = request.profile, request.messages
    # A reply that was begun is kept whole.
    continued = messages[-1].role == "assistant" and request.continue_final
    begun = messages[-1].content if continued else ""
    question = next((message.content for message in reversed(messages) if message.role == "user"), "")

    async def record(reply: str) -> Outcome | None:
        if profile is None or not profile.record_history or header is not None or not reply.strip():
            return None
        return await _kept(store, profile, turn(question, begun + reply))

    return record


async def _kept(store: Store, profile: Profile, item: HistoryItem) -> Outcome:
    try:
        return Outcome(await asyncio.to_thread(store.history.record, profile, item))
    except StoreError as error:
        return Outcome(f"the database cannot be written: {error.reason}")
    except Exception as error:  # the reply is finished, whatever goes wrong beside it
        unforeseen(error)
        return Outcome("recording failed inside the proxy; its log says where")
