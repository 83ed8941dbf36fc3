"""Converts a reply from the remote's tokens to local ones, tokenizing again only what may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.tokenization.byte_vocabulary import ByteVocabulary
from app.tokenization.sequence import common_prefix

# Later text may still change the last OPEN tokens; past TOO_MANY tokens, those before are settled.
OPEN, TOO_MANY = 8, 16
# Appended to a text that ends in white space, since tokenizers split that by what comes after it.
NEXT = "a"
# A run of bytes that belong to no character (yet), as Python's surrogateescape writes them, or of characters.
STRETCHES = re.compile("[\udc80-\udcff]+|[^\udc80-\udcff]+")


@dataclass(frozen=True, slots=True)
class _State:
    """The state after a remote token: how many local tokens are settled, the bytes after those, and the local
    tokens of these bytes."""

    settled: int
    window: bytes
    open: tuple[int, ...]


class Retokenizer:
    """A reply in local tokens, as it stands after each of the remote's tokens.

    The result at a position depends on the tokens before it alone, not on drafts that were rejected in
    between: so it can follow a draft and roll back. Only the last few tokens are tokenized again each time.
    """

    def __init__(
        self,
        vocabulary: ByteVocabulary,
        encode: Callable[[str], list[int]],
        spell: Callable[[int], bytes | tuple[int, ...]],
    ) -> None:
        """`encode` tokenizes text into local tokens. `spell` returns the bytes of a remote token; for a
        special one, the local tokens in its place, if any."""
        self._vocabulary = vocabulary
        self._encode = encode
        self._spell = spell
        self._followed: list[int] = []
        self._settled: list[int] = []
        self._states = [_State(0, b"", ())]

    def follow(self, generated: Sequence[int]) -> None:
        """Update to a reply in the remote's tokens; only what has changed of it is processed."""
        same = common_prefix(self._followed, list(generated))
        del self._followed[same:]
        del self._states[same + 1 :]
        del self._settled[self._states[-1].settled :]
        for token_id in generated[same:]:
            self._followed.append(token_id)
            self._states.append(self._next(self._states[-1], self._spell(token_id)))

    def at(self, position: int) -> list[int]:
        """The first `position` of the remote's tokens, in local ones."""
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
        """`data` as the tokenizer splits it; by greedy longest match where that would change the bytes, since
        some tokenizers normalise, and where the bytes are no characters."""
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
