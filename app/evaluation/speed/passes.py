"""A wrapper around a local model that keeps what its forward passes cost."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalSession, OwnedModel
from app.prompts.private import Contrast, PrivatePrompt


@dataclass(frozen=True)
class PassTimes:
    """What a pass over positions of a reply costs, by the `cost` fitted to those that were run until then.
    A position is a token under each of so many `prompts`."""

    cost: PassCost
    prompts: int

    def seconds(self, positions: int) -> float:
        """Seconds of a pass that scores so many positions."""
        return self.cost.seconds(self.prompts * positions)


class WatchedLocal:
    """Delegates everything to `local`."""

    def __init__(self, local: OwnedModel) -> None:
        self._local = local
        self._sessions: list[LocalSession] = []

    def taken(self) -> PassTimes | None:
        """What a pass costs by now in the session that was opened last; None without one since the last call
        of this."""
        sessions = self._sessions.copy()
        self._sessions.clear()
        return PassTimes(copy.copy(sessions[-1].cost), sessions[-1].prompts) if sessions else None

    def kept_for(self, owner: Owner | None) -> WatchedLocal:
        """Its sessions are among this one's."""
        other = WatchedLocal(self._local.kept_for(owner))
        other._sessions = self._sessions
        return other

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[LocalSession]:
        async with self._local.session(contrasts) as session:
            self._sessions.append(session)
            yield session

    async def warm(self, prefix: PrivatePrompt) -> None:
        await self._local.warm(prefix)
