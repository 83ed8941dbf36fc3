"""Finds stop strings in text that arrives in pieces, also where one spans several pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopScanner:
    """Holds back text that may become a stop string, and never releases part of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is safe to release now. Once `stopped` is True there is no more."""
        if not self._stops:
            return text
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._take(min(found))
        return self._take(len(self._held) - self._pending())

    def flush(self) -> str:
        """The text still held back at the end of the reply; empty if a stop string ended it."""
        return "" if self.stopped else self._take(len(self._held))

    def _pending(self) -> int:
        """The length of the longest suffix that is the beginning of a stop string."""
        longest = max(map(len, self._stops)) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0

    def _take(self, length: int) -> str:
        out, self._held = self._held[:length], self._held[length:]
        return out
