"""What the remote was told in replies, found again when a client sends a conversation back."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from app.prompts.message import Message

MOST = 4096  # replies that are remembered, and questions
LONGEST = 100_000  # characters of a reply
T = TypeVar("T")


class Conversations:
    """The replies of this process, and how much each conversation has told. Thread-safe.

    Only digests of what clients have are kept, and nothing that the remote does not know.
    """

    def __init__(self) -> None:
        self._replies: OrderedDict[bytes, str] = OrderedDict()
        self._spent: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, owner: str, reply: str, as_told: str) -> None:
        """A finished reply as the client has it, and as the remote has it. `owner`: whose profile it was."""
        if len(as_told) <= LONGEST:
            with self._lock:
                _keep(self._replies, _digest(owner, reply), as_told)

    def as_told(self, owner: str, reply: str) -> str | None:
        """A reply's text as the remote has it, also of one that went on with calls of tools; None if it is
        not remembered. Clients may trim what they keep: the blanks around it are the client's."""
        with self._lock:
            told = self._replies.get(_digest(owner, reply))
        if told is None:
            return None
        text = reply.strip()
        start = reply.index(text)
        return f"{reply[:start]}{told.strip()}{reply[start + len(text) :]}"

    def spend(self, owner: str, messages: Sequence[Message], nats: float) -> None:
        """Counts what a reply to `messages` has told, finished or not."""
        if not nats:
            return
        *_, digest = _digests(owner, messages)
        with self._lock:
            _keep(self._spent, digest, self._spent.get(digest, 0.0) + nats)

    def nats(self, owner: str, messages: Sequence[Message]) -> float:
        """What all replies to these messages, and to each beginning of them, have told."""
        with self._lock:
            return sum(self._spent.get(digest, 0.0) for digest in _digests(owner, messages))


def _keep(kept: OrderedDict[bytes, T], key: bytes, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST:
        kept.popitem(last=False)


def _digest(owner: str, text: str) -> bytes:
    *_, digest = _digests(owner, [Message("assistant", text)])
    return digest


def _digests(owner: str, messages: Sequence[Message]) -> Iterator[bytes]:
    """For each message the digest of the conversation up to it. What an app says in system messages may
    change with each request, as the time does."""
    running = hashlib.sha256(owner.encode())
    for message in messages:
        if message.role == "system":
            continue
        for part in _parts(message):
            running.update(f"{len(part)}:".encode())
            running.update(part.encode("utf-8", "surrogatepass"))
        yield running.digest()


def _parts(message: Message) -> Iterator[str]:
    """All that tells a message from others; how many calls it makes stands in front of them."""
    yield from (message.role, message.name or "", message.content.strip(), message.answers or "")
    yield str(len(message.calls))
    for call in message.calls:
        yield from (call.id, call.name, call.arguments)
