"""What a conversation is written on: a terminal, coloured or plain, or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from app.cli.chat.wrapping import Segment, Wrapper
from app.cli.terminal import on_terminal
from app.logs import printable

SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}
# For what is not the conversation itself.
NOTE = "dim"


class Screen:
    """The standard output. Text is styled only on a terminal with colours, and not if it is to be `plain`."""

    def __init__(self, *, plain: bool = False) -> None:
        console = Console()
        self.terminal = on_terminal()
        bare = plain or not self.terminal or console.no_color or console.is_dumb_terminal
        self._colours = None if bare else SYSTEMS.get(console.color_system or "")
        self._console = console

    @property
    def styled(self) -> bool:
        return self._colours is not None

    @property
    def width(self) -> int:
        """In columns."""
        return max(self._console.width, 1)

    def write(self, text: str, style: str = "") -> None:
        """Writes text as it is, but for what a terminal would obey."""
        text = printable(text)
        if style and self._colours is not None:
            text = Style.parse(style).render(text, color_system=self._colours)
        sys.stdout.write(text)

    def show(self, segments: Iterable[Segment]) -> None:
        """Writes segments at once."""
        for text, style in segments:
            self.write(text, style)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """A line, or several, about the conversation, broken between words."""
        self.paragraph([(text, NOTE)])

    def paragraph(self, segments: Iterable[Segment]) -> None:
        """Segments as lines that are broken between words, and a line feed."""
        wrapper = Wrapper(lambda: self.width)
        for text, style in segments:
            self.show(wrapper.push(printable(text), style))
        self.show(wrapper.flush())
        self.show([("\n", "")])
