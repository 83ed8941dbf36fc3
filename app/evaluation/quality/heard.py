"""What the remote heard of a person in one reply: a text without the values that the device wrote into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.disclosure.names import name_pieces
from app.disclosure.words import words
from app.prompts.message import Message


@dataclass(frozen=True, repr=False)
class Heard:
    """A reply's `text` as the remote has it, and whether it has a part of the person's name, which the
    conversation has not; None where there is no name.

    `said` words of the private context it was the first to say. At `held` positions the guard kept back what
    steering would have chosen; `filled` values were written in on the device. `nats` is what its steering
    told, `acceptance` the share of its tokens that are the remote's draft tokens. `unsteered_from`: how many
    tokens it had when its budget was spent, and the rest became the remote's own; None where none was.
    """

    text: str
    named: bool | None
    said: int
    held: int
    filled: int
    nats: float
    acceptance: float
    unsteered_from: int | None = None


def named(text: str, name: str, messages: Sequence[Message]) -> bool | None:
    """Whether a text has a part of the name that tells who is meant and that the conversation has not; None
    where no part is left that could."""
    public = {word for one in messages for word in words(one.content)}
    parts = [one.words for one in name_pieces(name) if one.alone]
    parts = [part for part in parts if not public.issuperset(part)]
    if not parts:
        return None
    said = words(text)
    return any(tuple(said[first : first + len(part)]) == part for part in parts for first in range(len(said)))
