"""Looks tokens up by the bytes that they spell: the exact token, or all tokens with a prefix."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from app.steering.formula import IntArray


class ByteVocabulary:
    """Tokens sorted by their bytes. Ids without bytes, such as special tokens, are left out."""

    def __init__(self, spelling: Sequence[bytes | None]) -> None:
        """`spelling`: the bytes of each token id. Of several ids with the same bytes the lowest counts."""
        self.spelling = spelling
        ids = [token_id for token_id, data in enumerate(spelling) if data]
        ids.sort(key=lambda token_id: (spelling[token_id] or b"", token_id))
        self._ids = np.array(ids, np.int64)
        self._sorted = [spelling[token_id] or b"" for token_id in ids]
        self._exact = dict(zip(self._sorted[::-1], ids[::-1], strict=True))
        self._longest = max(map(len, self._sorted), default=0)

    def __contains__(self, data: object) -> bool:
        return data in self._exact

    def __len__(self) -> int:
        """How many different byte strings its tokens spell."""
        return len(self._exact)

    def exact(self, data: bytes) -> int | None:
        """The token that spells exactly `data`; None if there is none."""
        return self._exact.get(data)

    def beginning(self, data: bytes) -> IntArray:
        """All tokens that `data` is a prefix of, the exact one included."""
        first = bisect_left(self._sorted, data)
        end = _after(data)
        last = len(self._sorted) if end is None else bisect_left(self._sorted, end, first)
        return self._ids[first:last]

    def longest(self, data: bytes) -> int | None:
        """The longest token that is a prefix of `data`; None if there is none."""
        for length in range(min(len(data), self._longest), 0, -1):
            token_id = self._exact.get(data[:length])
            if token_id is not None:
                return token_id
        return None

    def spell(self, data: bytes) -> list[int]:
        """`data` in tokens, by greedy longest match; a byte that no token begins with is left out."""
        ids: list[int] = []
        while data:
            token_id = self.longest(data)
            if token_id is None:
                data = data[1:]
                continue
            ids.append(token_id)
            data = data[len(self.spelling[token_id] or b"") :]
        return ids


def _after(data: bytes) -> bytes | None:
    """The smallest byte string greater than all that begin with `data`; None if there is none."""
    kept = data.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None
