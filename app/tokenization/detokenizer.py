"""Streaming detokenization: text from token ids as they arrive, in whole characters."""

from __future__ import annotations

from collections.abc import Sequence

from app.tokenization.vocabulary import Vocabulary

WINDOW = 6  # tokens kept of a continued text; a token's text depends on its left neighbour at most


class Detokenizer:
    """Text from token ids as they arrive; a character is released once all its bytes are there.

    Decodes a short window only: the tokens since the last release and those of the release before it, since
    some tokenizers' text of a token depends on its left neighbour (a leading space, for instance).
    """

    def __init__(self, vocabulary: Vocabulary, after: Sequence[int] = ()) -> None:
        """`after`: the last tokens of a text that is released already, and that the new tokens continue."""
        self._vocabulary = vocabulary
        self._ids = list(after[-WINDOW:])
        self._start = 0  # where the window begins
        self._released = len(self._ids)  # tokens whose text is released

    def push(self, token_id: int) -> str:
        """The text that this token completes; empty while a character is incomplete."""
        self._ids.append(token_id)
        return self._release(final=False)

    def flush(self) -> str:
        """The remaining text at the end; bytes that never became a character show as U+FFFD."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        before = self._vocabulary.decode(self._ids[self._start : self._released])
        now = self._vocabulary.decode(self._ids[self._start :])
        if not final and (now.endswith("\N{REPLACEMENT CHARACTER}") or len(now) <= len(before)):
            return ""
        self._start, self._released = self._released, len(self._ids)
        return now[len(before) :]
