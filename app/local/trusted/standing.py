"""Whether the server of the small model has proved to be the one that is meant."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
# Seconds in which no vLLM starts anew. After more of them without an answer it may be another one.
QUIET_SECONDS = 5.0


class Standing:
    """What is known of the server. Its proof holds until it fails or is silent for a while."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._proved = False
        self._heard = 0.0

    @property
    def proved(self) -> bool:
        """Whether it is the server that was compared."""
        return self._proved and self._clock() - self._heard <= QUIET_SECONDS

    def prove(self) -> None:
        """It was compared just now."""
        self._proved, self._heard = True, self._clock()

    def answered(self) -> None:
        """It has answered. After a silence that proves nothing: the answer may be another server's."""
        if self.proved:
            self._heard = self._clock()

    def lose(self) -> None:
        """It has failed: what answers next may be another server."""
        self._proved = False
