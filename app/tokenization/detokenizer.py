"""Text from token ids as they come, by whole characters."""

from __future__ import annotations

from collections.abc import Sequence

from app.tokenization.vocabulary import Vocabulary

WINDOW = 6  # tokens of a text that is continued; a token is rendered by its left neighbour at most


class Detokenizer:
    """Text from token ids as they come; a character is released once all its bytes are there.

    Decodes a short window only: the tokens since the last release and as many before it, since some
    tokenizers render a token by its left neighbour (a leading space, for one).
    """

    def __init__(self, vocabulary: Vocabulary, after: Sequence[int] = ()) -> None:
        """`after` are the tokens of a text that is out already, and that what comes continues."""
        self._vocabulary = vocabulary
        self._ids = list(after[-WINDOW:])
        self._start = 0  # of the window
        self._released = len(self._ids)  # tokens whose text is out

    def push(self, token_id: int) -> str:
        """The text that this token completes; empty while a character is incomplete."""
        self._ids.append(token_id)
        return self._release(final=False)

    def flush(self) -> str:
        """What is left at the end; bytes that never became a character show as U+FFFD."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        before = self._vocabulary.decode(self._ids[self._start : self._released])
        now = self._vocabulary.decode(self._ids[self._start :])
        if not final and (now.endswith("\N{REPLACEMENT CHARACTER}") or len(now) <= len(before)):
            return ""
        self._start, self._released = self._released, len(self._ids)
        return now[len(before) :]
