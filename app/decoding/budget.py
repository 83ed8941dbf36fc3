"""A budget of nats, as the positions of a text spend it."""

from __future__ import annotations


class Budget:
    """What the positions of a text may tell the remote, in nats; None: there is no bound.

    `ended`: a position would have told more than was left, so it and all that follow are the remote's own.
    """

    def __init__(self, nats: float | None) -> None:
        self.ended = False
        self._nats = nats
        self._told = 0.0

    def affords(self, nats: float) -> bool:
        """Whether the next position may tell so many nats; if it may, they are spent."""
        if self._nats is not None and self._told + nats > self._nats:
            self.ended = True
        if not self.ended:
            self._told += nats
        return not self.ended
