"""Breaks lines between words while a text arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.cells import cell_len

TAB = "    "
Segment = tuple[str, str]  # a text and its style


class Wrapper:
    """Takes a styled text in pieces, and gives what can be written: whole words, and line feeds between them.

    A word is held until it is known to have ended. One wider than a line is left to the terminal.
    """

    def __init__(self, width: Callable[[], int]) -> None:
        """`width` is asked at each word, since a terminal may be resized."""
        self._width = width
        self._column = 0
        self._gap = ""
        self._word: list[Segment] = []
        self._word_width = 0

    def push(self, text: str, style: str = "") -> Iterator[Segment]:
        """What can be written after this text."""
        for character in text.replace("\t", TAB):
            cells = cell_len(character)
            if character == "\n":
                yield from self.flush()
                yield "\n", ""
                self._column = 0
            elif character.isspace():
                yield from self._release()
                self._gap += character
            elif cells > 1:  # between such characters a line may be broken anywhere
                yield from self._release()
                self._add(character, style, cells)
                yield from self._release()
            else:
                self._add(character, style, cells)
                if self._word_width >= self._width():
                    yield from self._release()

    def flush(self) -> Iterator[Segment]:
        """All that is held."""
        yield from self._release()
        if self._gap:
            yield from self._spaced()

    def _add(self, character: str, style: str, cells: int) -> None:
        if self._word and self._word[-1][1] == style:
            self._word[-1] = (self._word[-1][0] + character, style)
        else:
            self._word.append((character, style))
        self._word_width += cells

    def _release(self) -> Iterator[Segment]:
        if not self._word:
            return
        if self._column and self._column + len(self._gap) + self._word_width > self._width():
            yield "\n", ""
            self._column, self._gap = 0, ""
        yield from self._spaced()
        yield from self._word
        self._column = (self._column + self._word_width - 1) % self._width() + 1
        self._word, self._word_width = [], 0

    def _spaced(self) -> Iterator[Segment]:
        if self._gap:
            yield self._gap, ""
        self._column += len(self._gap)
        self._gap = ""
