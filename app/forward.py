"""A client's request that goes to the remote as it is: public by the client's own choice, never steered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, repr=False)
class Forward:
    """What to send. `path` is below /v1, like "embeddings", and quoted as in a URL, as `query` is; of the
    client's headers only these two go along. `what` is its name, for a remote that cannot do it.
    """

    method: str
    path: str
    what: str
    query: str = ""
    body: bytes = b""
    content_type: str | None = None
    accept: str | None = None


class Forwarded(Protocol):
    """The remote's answer, as it comes; to be closed, and closing it ends the remote's work."""

    status: int
    headers: Mapping[str, str]

    def body(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive."""
        ...

    async def aclose(self) -> None: ...
