"""How the remote's model begins a tool call, as far as its first tokens tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.tokenization.vocabulary import Vocabulary

# A marker such as <tool_call> or [TOOL_CALLS]; its end may be in a token with what comes behind it.
MARKER = re.compile(r"\s*(<[^<>\s]{3,}|\[[A-Z_]{3,})")
JSON = ("{", "[")


@dataclass(frozen=True)
class Opening:
    """The tokens with which a call begins. `anywhere`: they are a marker that nothing but a call has, so
    wherever they stand one begins; else they begin a call only where they begin the reply. `bare` are those
    behind the marker: a model that leaves the marker out begins its reply with them."""

    ids: tuple[int, ...]
    anywhere: bool
    bare: tuple[int, ...] = ()

    def begins(self, drafted_ids: Sequence[int], position: int) -> bool | None:
        """Whether these drafted tokens, of which the first is the reply's token number `position` (from 0),
        begin with a call; None: more tokens are needed to tell."""
        found: list[bool | None] = []
        if self.anywhere or position == 0:
            found.append(_begins(drafted_ids, self.ids))
        if self.bare and position == 0:
            found.append(_begins(drafted_ids, self.bare))
        return True if True in found else None if None in found else False


def learned(
    text: Sequence[int], call: Sequence[int], name: str, prompt: Sequence[int], vocabulary: Vocabulary
) -> Opening | None:
    """The opening, from the tokens of a conversation that ends with a `text` of the assistant's, of one that
    ends with a `call` of the function `name` instead, and of the `prompt` before both.

    None where the template leaves calls out.
    """
    start = next((n for n, (a, b) in enumerate(zip(text, call, strict=False)) if a != b), len(call))
    turn = call[start:]
    before = _before(turn, name, vocabulary)
    if not before:
        return None
    brace = next((n for n, i in enumerate(before) if _is_json(i, vocabulary)), len(before))
    marker = before[:brace]
    # The model may cut what white space is merged with in another way.
    while marker and _text(marker[-1:], vocabulary)[-1:].isspace():
        marker = marker[:-1]
    anywhere = MARKER.match(_text(marker, vocabulary)) is not None
    if anywhere:
        return Opening(tuple(marker), anywhere=True, bare=tuple(before[brace:]))
    begins = list(call[: len(prompt)]) == list(prompt) and start == len(prompt)
    return Opening(tuple(before), anywhere=False) if begins else None


def _begins(drafted: Sequence[int], ids: Sequence[int]) -> bool | None:
    known = list(drafted[: len(ids)])
    if known != list(ids[: len(known)]):
        return False
    return True if len(known) == len(ids) else None


def _before(turn: Sequence[int], name: str, vocabulary: Vocabulary) -> Sequence[int]:
    """The tokens in front of the first in which the function's name begins; none where it does not stand."""
    for end in range(1, len(turn) + 1):
        at = _text(turn[:end], vocabulary).find(name)
        if at >= 0:
            # The name was complete with this token: it begins in the first that goes beyond its place.
            ends = range(end)
            return turn[: next(n for n in ends if len(_text(turn[: n + 1], vocabulary)) > at)]
    return ()


def _is_json(token_id: int, vocabulary: Vocabulary) -> bool:
    named = vocabulary.special_name(token_id)
    text = _text([token_id], vocabulary).strip()
    return named is None and text.startswith(JSON) and MARKER.match(text) is None


def _text(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """With special tokens written out."""
    names = {i: name.encode() for i in ids if (name := vocabulary.special_name(i)) is not None}
    return b"".join(names.get(i) or vocabulary.token_bytes(i) or b"" for i in ids).decode(errors="replace")
