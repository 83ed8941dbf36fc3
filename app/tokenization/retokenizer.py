"""A reply that comes in the remote's tokens, in local ones: cut anew where they may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.tokenization.byte_vocabulary import ByteVocabulary
from app.tokenization.sequence import common_prefix

# Tokens at the end of a text that what comes may still change; of more, the first are settled.
OPEN, TOO_MANY = 8, 16
# What a text is taken to go on with where that matters: tokenizers cut white space by what comes after it.
NEXT = "a"
# A byte that belongs to no character (yet), as Python's surrogateescape writes it, or a run of others.
STRETCHES = re.compile("[\udc80-\udcff]+|[^\udc80-\udcff]+")


@dataclass(frozen=True, slots=True)
class _State:
    """After some token of the remote: how many local tokens are settled, the bytes after them, and those in
    local tokens."""

    settled: int
    window: bytes
    open: tuple[int, ...]


class Retokenizer:
    """A reply as local tokens, as it stands after each of the remote's.

    What it says of a position depends on the tokens before it alone, not on what was there in between: so it
    may follow a draft and go back. Only the last few tokens are cut anew each time.
    """

    def __init__(
        self,
        vocabulary: ByteVocabulary,
        encode: Callable[[str], list[int]],
        spell: Callable[[int], bytes | tuple[int, ...]],
    ) -> None:
        """`encode` cuts text into local tokens. `spell` says of a token of the remote's what bytes it adds;
        of a special one, which local tokens stand for it, if any."""
        self._vocabulary = vocabulary
        self._encode = encode
        self._spell = spell
        self._followed: list[int] = []
        self._settled: list[int] = []
        self._states = [_State(0, b"", ())]

    def follow(self, generated: Sequence[int]) -> None:
        """Take over a reply in the remote's tokens, as far as it has changed."""
        same = common_prefix(self._followed, list(generated))
        del self._followed[same:]
        del self._states[same + 1 :]
        del self._settled[self._states[-1].settled :]
        for token_id in generated[same:]:
            self._followed.append(token_id)
            self._states.append(self._next(self._states[-1], self._spell(token_id)))

    def at(self, position: int) -> list[int]:
        """The first `position` tokens of the remote's in local ones."""
        state = self._states[position]
        return [*self._settled[: state.settled], *state.open]

    def _next(self, state: _State, spelled: bytes | tuple[int, ...]) -> _State:
        if isinstance(spelled, tuple):  # nothing merges with a special token
            self._settled += [*state.open, *spelled]
            return _State(len(self._settled), b"", ())
        window = state.window + spelled
        ids = self._cut(window)
        if len(ids) > TOO_MANY:
            done = len(ids) - OPEN
            rest = window[len(self._spelled(ids[:done])) :]
            if self._cut(rest) == ids[done:]:
                self._settled += ids[:done]
                return _State(len(self._settled), rest, tuple(ids[done:]))
        return _State(state.settled, window, tuple(ids))

    def _cut(self, data: bytes) -> list[int]:
        """As the tokenizer cuts it; where that would change the bytes, which some normalise, and where they
        are no characters, by the longest tokens that fit."""
        ids: list[int] = []
        for stretch in STRETCHES.findall(data.decode(errors="surrogateescape")):
            part = stretch.encode(errors="surrogateescape")
            cut = [] if "\udc80" <= stretch[0] <= "\udcff" else self._cut_text(stretch)
            ids += cut if self._spelled(cut) == part else self._vocabulary.spell(part)
        return ids

    def _cut_text(self, text: str) -> list[int]:
        if text[-1].isspace():
            longer = self._encode(text + NEXT)
            if longer and self._vocabulary.spelling[longer[-1]] == NEXT.encode():
                return longer[:-1]
        return self._encode(text)

    def _spelled(self, ids: Sequence[int]) -> bytes:
        return b"".join(self._vocabulary.spelling[token_id] or b"" for token_id in ids)
