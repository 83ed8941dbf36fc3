"""What the remote was told in replies, found again when a client sends a conversation back."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from app.prompts.message import Message
from app.remote.session import new_session

MOST = 4096  # replies that are remembered, and questions
LONGEST = 100_000  # characters of a reply
SEVERAL = ""  # in the place of an id: of what several conversations have in common
T = TypeVar("T")


class Conversations:
    """The replies of this process, how much each conversation has told, and its session. Thread-safe.

    Only digests of what clients have are kept, and nothing that the remote does not know.
    """

    def __init__(self) -> None:
        self._replies: OrderedDict[bytes, str] = OrderedDict()
        self._spent: OrderedDict[bytes, float] = OrderedDict()
        self._sessions: OrderedDict[bytes, str] = OrderedDict()
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

    def session(self, owner: str, messages: Sequence[Message]) -> str:
        """The id by which a router knows the conversation: that of the longest beginning which ends with a
        reply, as far as that is remembered, and else a new one. What two conversations have in common word
        for word is of neither: no id is ever of both."""
        digests = zip(_digests(owner, messages), filter(_counts, messages), strict=True)
        replies = [digest for digest, message in digests if message.role == "assistant"]
        with self._lock:
            known = (self._sessions.get(digest) for digest in reversed(replies))
            return next((one for one in known if one is not None), "") or new_session()

    def in_session(self, owner: str, messages: Sequence[Message], session: str) -> None:
        """Keeps that these messages, of which a reply is the last, are of the session."""
        *_, digest = _digests(owner, messages)
        with self._lock:
            of_another = self._sessions.get(digest, session) != session
            _keep(self._sessions, digest, SEVERAL if of_another else session)


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
        if not _counts(message):
            continue
        for part in _parts(message):
            running.update(f"{len(part)}:".encode())
            running.update(part.encode("utf-8", "surrogatepass"))
        yield running.digest()


def _counts(message: Message) -> bool:
    return message.role != "system"


def _parts(message: Message) -> Iterator[str]:
    """All that tells a message from others; how many calls it makes stands in front of them."""
    yield from (message.role, message.name or "", message.content.strip(), message.answers or "")
    yield str(len(message.calls))
    for call in message.calls:
        yield from (call.id, call.name, call.arguments)
