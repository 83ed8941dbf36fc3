"""What GET /ready tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel


class PartOut(BaseModel):
    """One part; `reason` says why it is not ready."""

    ready: bool
    reason: str | None = None


class Ready(BaseModel):
    """All parts, and whether replies can be written.

    `alignment` says how the remote's tokens are found among the local model's: `identity`, or by their bytes.
    `proxy` is the one that the remote is reached through, and what names it; null: none.
    """

    status: Literal["ready", "not ready"]
    parts: dict[str, PartOut]
    alignment: str | None = None
    proxy: str | None = None

    @classmethod
    def of(cls, reasons: Mapping[str, str | None], alignment: str | None, proxy: str | None = None) -> Self:
        """From each part's reason for not being ready, None where it is."""
        parts = {name: PartOut(ready=reason is None, reason=reason) for name, reason in reasons.items()}
        status: Literal["ready", "not ready"] = "not ready" if any(reasons.values()) else "ready"
        return cls(status=status, parts=parts, alignment=alignment, proxy=proxy)
