"""What the remote's token ids stand for: the interface, whoever knows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Spelling(Protocol):
    """The remote's vocabulary, as far as replies need it. Safe to ask from any thread."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end a reply."""
        ...

    @property
    def think_ids(self) -> tuple[int, int] | None:
        """Ids that open and close a reasoning model's thoughts; None where those markers are no tokens."""
        ...

    def __len__(self) -> int:
        """One more than the highest id."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        ...

    def token_bytes(self, token_id: int) -> bytes | None:
        """What the token adds to a text; None for one that has no text, and for an unknown id."""
        ...

    def token_text(self, token_id: int) -> str:
        """The token for people."""
        ...

    def special_name(self, token_id: int) -> str | None:
        """How a special token is written; None for any other."""
        ...

    def thinking(self, prompt: Sequence[int], continued: str | None = None) -> bool:
        """Whether the reply to `prompt` begins inside a thought; `continued` is what it goes on from."""
        ...
