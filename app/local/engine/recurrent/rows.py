"""Rows of tensors, appended at the end and dropped at both ends."""

from __future__ import annotations

import torch

ROOM = 16  # rows that a buffer has beyond those it holds


class Rows:
    """Consecutive rows [n, ...] in a buffer, which is written in place."""

    def __init__(self, rows: torch.Tensor | None = None) -> None:
        self._buffer: torch.Tensor | None = None
        self._count = 0
        if rows is not None:
            self.append(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer, filled or not."""
        return 0 if self._buffer is None else self._buffer.nbytes

    @property
    def all(self) -> torch.Tensor:
        """The rows. Raises AttributeError before the first were appended."""
        if self._buffer is None:
            raise AttributeError("no rows yet")
        return self._buffer[: self._count]

    def then(self, more: torch.Tensor) -> torch.Tensor:
        """The rows, and `more` after them."""
        return more if self._buffer is None else torch.cat([self._buffer[: self._count], more])

    def append(self, rows: torch.Tensor) -> None:
        """Copy `rows` [n, ...] to the end."""
        needed = self._count + len(rows)
        buffer = self._buffer
        if buffer is None or needed > len(buffer):
            buffer = rows.new_empty(needed + ROOM, *rows.shape[1:])
            self._move(buffer, 0)
        buffer[self._count : needed] = rows
        self._count = needed

    def cut(self, count: int) -> None:
        """Drop all but the first `count` rows."""
        self._count = min(self._count, count)

    def drop(self, count: int) -> None:
        """Drop the first `count` rows, and the memory that a long prompt took."""
        if not count or self._buffer is None:
            return
        left = self._count - count
        if len(self._buffer) > left + 2 * ROOM:
            self._move(self._buffer.new_empty(left + ROOM, *self._buffer.shape[1:]), count)
        else:
            self._buffer[:left] = self._buffer[count : self._count].clone()
        self._count = left

    def _move(self, buffer: torch.Tensor, first: int) -> None:
        """Hold the rows from `first` on in another buffer."""
        if self._buffer is not None:
            buffer[: self._count - first] = self._buffer[first : self._count]
        self._buffer = buffer
