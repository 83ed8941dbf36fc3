"""A reply as it arrives: pieces of text, each with what the server tells about its tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The least probability that a ratio is taken of.
LEAST = 1e-9


@dataclass(frozen=True, repr=False)
class Piece:
    """Some text, and its tokens as docs/api.md describes them under "Detail"; none for an unsteered relay."""

    text: str
    tokens: Sequence[Mapping[str, Any]] = ()

    @property
    def steered_by(self) -> float:
        """How much likelier steering has made it, in nats: of its tokens the most; 0 if nothing did."""
        return max((_gain(token) for token in self.tokens), default=0.0)

    @property
    def changed(self) -> bool:
        """Whether the remote had drafted something else."""
        return any(token["drafted_id"] != token["chosen_id"] for token in self.tokens)

    @property
    def held_back(self) -> bool:
        """Whether a guarded phrase was kept back in its place."""
        return any(token.get("held_back", False) for token in self.tokens)

    @property
    def filled(self) -> bool:
        """Whether it is a value that was written in on the device, in the place of a placeholder's tokens."""
        return any(token.get("filled", False) for token in self.tokens)


@dataclass(repr=False)
class Reply:
    """What has come of a reply. `seed` is what it was drawn with.

    `totals` are the sums of the detail, and `reason` says why it is not steered; None if it is, or if that is
    not known. `finish_reason` is None until it has ended; `stopped`: it was broken off, and goes no further.
    """

    seed: int
    pieces: list[Piece] = field(default_factory=list)
    totals: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    finish_reason: str | None = None
    stopped: bool = False

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def _gain(token: Mapping[str, Any]) -> float:
    return math.log(max(token["steered_prob"], LEAST) / max(token["remote_prob"], LEAST))
