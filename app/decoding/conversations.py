"""What the remote was told in replies, found again when a client sends a conversation back."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.prompts.message import Message

MOST = 4096  # replies that are remembered
LONGEST = 100_000  # characters of one


@dataclass(frozen=True, slots=True, repr=False)
class Told:
    """A reply as the remote wrote it, with its placeholders, and the nats that its conversation has told."""

    text: str
    nats: float


class Conversations:
    """The replies of this process, by the conversation that they end as the client has it. Thread-safe.

    Only a digest of what the client has is kept, and nothing that the remote does not know.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[bytes, Told] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, owner: str, messages: Sequence[Message], reply: str, told: Told) -> None:
        """A finished `reply` to `messages`, both as the client has them. `owner` is whose profile it was."""
        if len(told.text) > LONGEST:
            return
        *_, digest = _digests(owner, [*messages, Message("assistant", reply)])
        with self._lock:
            self._told[digest] = told
            self._told.move_to_end(digest)
            while len(self._told) > MOST:
                self._told.popitem(last=False)

    def find(self, owner: str, messages: Sequence[Message]) -> dict[int, Told]:
        """The remembered ones among the messages, by their index."""
        digests = enumerate(zip(messages, _digests(owner, messages), strict=True))
        with self._lock:
            return {
                index: self._told[digest]
                for index, (message, digest) in digests
                if message.role == "assistant" and digest in self._told
            }


def _digests(owner: str, messages: Sequence[Message]) -> Iterator[bytes]:
    """For each message the digest of the conversation up to it. Clients may trim what they keep."""
    running = hashlib.sha256(owner.encode())
    for message in messages:
        for part in (message.role, message.name or "", message.content.strip()):
            running.update(f"{len(part)}:".encode())
            running.update(part.encode("utf-8", "surrogatepass"))
        yield running.digest()
