"""Records a finished exchange in the profile's history; if that fails, the response says so."""

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
    """The result of recording an exchange: `reason` says why it was not recorded, None if it was."""

    reason: str | None = None

    def headers(self) -> dict[str, str]:
        if self.reason is None:
            return {"X-CoSteer-Recorded": "true"}
        return {"X-CoSteer-Recorded": "false", "X-CoSteer-Recorded-Reason": self.reason}

    def told(self) -> dict[str, Any]:
        """The fields of the stream's last chunk; empty if the exchange was recorded."""
        return {} if self.reason is None else {"recorded": False, "recorded_reason": self.reason}


# Takes a finished reply's text. Returns None if nothing was to be recorded.
Record = Callable[[str], Awaitable[Outcome | None]]


def recorder(store: Store, request: GenerationRequest, header: str | None) -> Record:
    """A function that records the finished reply if the profile has record_history both now and by then; it
    never raises.

    Raises InvalidRequest for a `header` other than `off`, since ignoring a misspelt `off` would record.
    """
    if header is not None and header.lower() != "off":
        raise InvalidRequest(
            "The header X-CoSteer-Record takes `off` only. Recording is switched on by the profile's "
            "record_history.",
            param="X-CoSteer-Record",
        )
    profile, messages = request.profile, request.messages
    # With continue_final_message the reply is recorded with the beginning that the client sent.
    continued = messages[-1].role == "assistant" and request.continue_final
    begun = messages[-1].content if continued else ""
    question = next((message.content for message in reversed(messages) if message.role == "user"), "")

    async def record(reply: str) -> Outcome | None:
        if profile is None or not profile.record_history or header is not None or not reply.strip():
            return None
        item = turn(question, begun + reply)
        # Blank where the reply was NUL characters alone, which the database does not take.
        return await _kept(store, profile, item) if item.text else None

    return record


async def _kept(store: Store, profile: Profile, item: HistoryItem) -> Outcome:
    try:
        return Outcome(await asyncio.to_thread(store.history.record, profile, item))
    except StoreError as error:
        return Outcome(f"the database cannot be written: {error.reason}")
    except Exception as error:  # the reply is finished, and must not fail because of recording
        unforeseen(error)
        return Outcome("recording failed inside the proxy; its log says where")
