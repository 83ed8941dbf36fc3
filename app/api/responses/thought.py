"""Splits a reply's text into what the model thought and what it says."""

from __future__ import annotations

from app.tokenization.vocabulary import THINK

Segment = tuple[bool, str]  # whether it was thought, and the text


class Thought:
    """Takes a reply's text piece by piece; the markers around what was thought are in no segment.

    Without `marked` there are no markers, and everything is said. `inside`: the reply begins in thought.
    While it is `undecided`, all of it is held back.
    """

    def __init__(self, *, marked: bool, inside: bool) -> None:
        self._open, self._close = THINK
        self._held = ""
        self.undecided = marked and not inside
        self.inside = marked and inside

    def push(self, text: str) -> list[Segment]:
        """The segments that are certain with this text."""
        text = self._held + text
        self._held = ""
        if self.undecided:
            begun = text.lstrip()
            if len(begun) < len(self._open) and self._open.startswith(begun):
                self._held = text
                return []
            self.undecided = False
            if begun.startswith(self._open):
                self.inside, text = True, begun.removeprefix(self._open)
        if not self.inside:
            return [(False, text)] if text else []
        thought, marker, said = text.partition(self._close)
        if marker:
            self.inside = False
        else:
            thought, self._held = _apart(text, self._close)
        return [(inside, part) for inside, part in ((True, thought), (False, said)) if part]

    def flush(self) -> list[Segment]:
        """What was held back, at the reply's end."""
        held, self._held = self._held, ""
        return [(self.inside, held)] if held else []


def _apart(text: str, marker: str) -> tuple[str, str]:
    """The text without an end that may begin the marker, and that end."""
    size = next((n for n in range(len(marker) - 1, 0, -1) if text.endswith(marker[:n])), 0)
    return text[: len(text) - size], text[len(text) - size :]
