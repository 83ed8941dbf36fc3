"""One of several remotes of one model: whether it can be used now, and what it is told apart by."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from app.errors import CoSteerError, ModelNotFound, RemoteError, RemoteRejected, TokenizerMismatch
from app.remote.interface import UNTOLD, ModelCard, RemoteModel, State
from app.tokenization.probes import PROBES

# Seconds for which a remote that fails is left alone: twice as long after each failure that follows.
FIRST_REST, LONGEST_REST = 1.0, 60.0
# One text: a single request tells tokenizers apart.
PROBE = "".join(PROBES)


@dataclass(frozen=True)
class Identity:
    """What the remotes must have in common: the model's name, and the token ids of PROBE; None where a remote
    tokenizes nothing, as behind a gateway that shows /v1 only."""

    card: ModelCard
    probe: tuple[int, ...] | None

    def differs(self, other: Identity) -> str | None:
        """How `other` is another model, as the end of a sentence about it; None if it is the same."""
        if self.card.id != other.card.id:
            return f"serves {other.card.id!r}, and not {self.card.id!r} as the others do"
        if None not in (self.probe, other.probe) and self.probe != other.probe:
            return f"serves another {other.card.id!r}, whose tokenizer is not that of the others"
        return None


async def identity_of(remote: RemoteModel) -> Identity:
    """Asks a remote for its identity. Raises ModelNotFound, and what its requests raise."""
    name = (await remote.card()).id
    listed = {card.id: card for card in await remote.cards()}
    if name not in listed:
        raise ModelNotFound(f"The remote does not serve {name!r} any more.")
    try:
        return Identity(listed[name], tuple(await remote.tokenize_text(PROBE)))
    except RemoteError as error:
        if error.code != UNTOLD and not isinstance(error, RemoteRejected):
            raise
        return Identity(listed[name], None)


def fails(error: CoSteerError) -> bool:
    """Whether another remote may do better: not where the request itself is what is refused, nor where a
    gateway shows less than a vLLM has."""
    if isinstance(error, ModelNotFound):
        return True
    if error.code == UNTOLD:
        return False
    return isinstance(error, RemoteError) and not isinstance(error, RemoteRejected | TokenizerMismatch)


@dataclass(eq=False)
class Replica:
    """A remote and how it does. `number` counts from 1, in the order of the settings. `card` is the model as
    it last listed it, and `error` why it is not used, once something is wrong."""

    number: int
    remote: RemoteModel
    state: State = "not compared"
    card: ModelCard | None = None
    error: CoSteerError | None = None
    due: float = 0.0  # when it may be tried again, by the clock of those who ask
    admission: asyncio.Task[None] | None = field(default=None, repr=False)
    _in_a_row: int = 0

    @property
    def ready(self) -> bool:
        """Whether it may be asked: it is the same model as the others and has not failed since."""
        return self.state == "ready"

    def works(self) -> None:
        """It has answered a request."""
        self._in_a_row = 0

    def is_same(self, card: ModelCard) -> None:
        """It has proved to be the same model as the others."""
        self.state, self.card, self.error = "ready", card, None

    def is_another(self, how: str, now: float) -> None:
        """It has proved to be another model."""
        self.state, self.due = "another model", now + LONGEST_REST
        self.error = RemoteError(
            f"It {how}. Have it serve that model, or take it out of COSTEER_REMOTE_BASE_URL."
        )

    def rests(self, error: CoSteerError, now: float) -> float:
        """It has failed: it is left alone for the seconds that this returns."""
        rest = min(FIRST_REST * 2.0**self._in_a_row, LONGEST_REST)
        self._in_a_row += 1
        # Jitter: many proxies that share a remote do not all come back to it at the same moment.
        rest = max(rest * random.uniform(0.5, 1.0), min(error.retry_after or 0.0, LONGEST_REST))
        self.state, self.error, self.due = "resting", error, now + rest
        return rest
