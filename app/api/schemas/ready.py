"""The schema of GET /ready's response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel

from app import __version__
from app.remote.interface import State


class PartOut(BaseModel):
    """The state of one part; `reason` says why it is not ready."""

    ready: bool
    reason: str | None = None


class Ready(BaseModel):
    """The state of all parts, and whether replies can be written.

    `alignment` says how the remote's tokens are mapped to the local model's: `identity`, or by their bytes.
    `proxy` is the proxy to the remote, and the setting or variable that names it; null if there is none.
    `remotes` says how each does where there are several of one model, in the order of the setting; null where
    there is one. `version` is this server's.
    """

    status: Literal["ready", "not ready"]
    parts: dict[str, PartOut]
    alignment: str | None = None
    proxy: str | None = None
    remotes: list[State] | None = None
    version: str = __version__

    @classmethod
    def of(
        cls,
        reasons: Mapping[str, str | None],
        alignment: str | None,
        proxy: str | None = None,
        remotes: list[State] | None = None,
    ) -> Self:
        """Builds the response from each part's reason for not being ready, None if it is ready."""
        parts = {name: PartOut(ready=reason is None, reason=reason) for name, reason in reasons.items()}
        status: Literal["ready", "not ready"] = "not ready" if any(reasons.values()) else "ready"
        return cls(status=status, parts=parts, alignment=alignment, proxy=proxy, remotes=remotes)
