"""/help: the commands, the keys, and what the marks of a reply mean."""

from __future__ import annotations

from collections.abc import Iterator

from app.cli.chat.commands import COMMANDS
from app.cli.chat.screen import NOTE
from app.cli.chat.tint import CHANGED, FILLED, HELD_BACK, TINTS

KEYS = "Enter sends, Esc-Enter breaks the line, Tab completes, Ctrl-C stops a reply, Ctrl-D quits."
NARROWEST = 20  # columns of a text behind its head

# What the marks of a reply mean, each as it looks.
LEGEND = (
    ("Words are tinted by how much likelier steering made them: ", NOTE),
    ("somewhat", TINTS[1]),
    (", ", NOTE),
    ("clearly", TINTS[2]),
    (", ", NOTE),
    ("much", TINTS[3]),
    (". ", NOTE),
    ("Underlined", CHANGED),
    (": the remote had another word. ", NOTE),
    ("Slanted", HELD_BACK),
    (": something guarded was held back. ", NOTE),
    ("Reversed", FILLED),
    (": written in on this device.", NOTE),
)


def listed(width: int) -> Iterator[str]:
    """The commands, each with what it does, in lines of at most so many columns."""
    heads = [f"{one.name} {one.takes}" for one in COMMANDS]
    size = max(map(len, heads)) + 2
    for head, one in zip(heads, COMMANDS, strict=True):
        for number, line in enumerate(_broken(one.does, max(width - size, NARROWEST))):
            yield (head if number == 0 else "").ljust(size) + line


def _broken(text: str, width: int) -> list[str]:
    """The text in lines of at most so many columns, between words."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines
