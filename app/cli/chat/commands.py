"""The commands of a conversation: lines that begin with a slash."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from app.errors import InvalidRequest

SLASH = "/"
# Takes a wish back: the profile, strength or level is again what it is without one.
UNSET = "-"


@dataclass(frozen=True)
class Command:
    """A command's name, what it takes, and what it does."""

    name: str
    takes: str
    does: str


COMMANDS = (
    Command("/profile", "[ID]", "whose profile steers; - for the default one. Alone it lists them"),
    Command("/strength", "[auto|0..4]", "how strongly; - for the profile's own"),
    Command("/level", "[LEVEL]", "the least level of disclosure: open, shape, fill, off; - for its own"),
    Command("/compare", "", "the last reply beside what the remote alone would have written"),
    Command("/why", "[NUMBER|WORD]", "what each model made of the last words, or of a word"),
    Command("/preview", "[MESSAGE]", "what the small model reads for the last message, or for another"),
    Command("/retry", "", "write the last reply anew"),
    Command("/save", "FILE", "the conversation, as .md or .json"),
    Command("/clear", "", "begin a new conversation"),
    Command("/help", "", "this list"),
    Command("/quit", "", "end; Ctrl-D does too"),
)
NAMES = [command.name for command in COMMANDS]


def parsed(line: str) -> tuple[str, str] | None:
    """The command and its argument; None if the line is a message, as with a second slash. Raises
    InvalidRequest for a command that there is not."""
    if not line.startswith(SLASH) or line.startswith(SLASH * 2):
        return None
    name, _, argument = line.partition(" ")
    if (name := name.strip().lower()) in NAMES:
        return name, argument.strip()
    close = difflib.get_close_matches(name, NAMES, n=1)
    meant = f" Did you mean {close[0]}?" if close else " /help lists them."
    raise InvalidRequest(f"There is no command {name[:40]}.{meant} To send it as a message, begin with //.")


def message(line: str) -> str:
    """The message that a line is, without the second slash of `//`."""
    return line[1:] if line.startswith(SLASH * 2) else line
