"""Puts the paragraphs, list items and table rows of an office document together into a text."""

from __future__ import annotations

from app.profiles.profile import MAX_TEXT
from app.sources.documents.document import TOO_LONG
from app.sources.refusal import Refused

PART = 10


class Paragraphs:
    """Takes a document's paragraphs in order. A row of a table becomes a line, its cells parted by tabs."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, bool]] = []  # each with whether the next one belongs close to it
        # The cells of the open rows, each with its parts: a cell may hold a table.
        self._rows: list[list[list[str]]] = []
        self._size = 0

    def add(self, text: str, *, listed: bool = False) -> None:
        """Raises Refused where the whole has become much too long for an item."""
        self._count(len(text))
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].append(text.strip())
        elif listed and text.strip():
            self._lines.append((f"- {text}", True))
        else:
            self._lines.append((text, bool(self._rows)))

    def row(self) -> None:
        self._rows.append([])

    def cell(self) -> None:
        self._count(0)
        if self._rows:
            self._rows[-1].append([])

    def end_row(self) -> None:
        if not self._rows:
            return
        line = "\t".join(" ".join(filter(None, cell)) for cell in self._rows.pop()).strip()
        if not line:
            return
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].append(line)
        else:
            self._lines.append((line, True))

    def _count(self, size: int) -> None:
        """Each part counts as some characters more, so that empty ones cannot be without number."""
        self._size += size + PART
        if self._size > 2 * MAX_TEXT:
            raise Refused(TOO_LONG.reason)

    def text(self) -> str:
        """Paragraphs stand apart by an empty line, unless the writer parted them by empty paragraphs."""
        apart = not any(not line.strip() for line, _ in self._lines)
        parts: list[str] = []
        for number, (line, close) in enumerate(self._lines):
            last = number == len(self._lines) - 1
            near = close and not last and self._lines[number + 1][1]
            parts += [line, "" if last else "\n" if near or not apart else "\n\n"]
        return "".join(parts)
