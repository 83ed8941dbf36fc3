"""What the remote was told in replies, found again when a client sends a conversation back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence

from app.errors import StoreError
from app.profiles.shelf import SPENT, MemoryCounts, MemoryShelves, Shelves
from app.prompts.message import Message
from app.remote.session import new_session

log = logging.getLogger(__name__)

LONGEST = 100_000  # characters of a reply


class Conversations:
    """The replies that are remembered, how much each conversation has told, and its session. Thread-safe; any
    method may block, and raise StoreError where the shelves are in a file.

    Only digests of what clients have are kept, and nothing that the remote does not know.
    """

    def __init__(self, shelves: Shelves | None = None) -> None:
        """Without `shelves` all is remembered in this process."""
        shelves = shelves or MemoryShelves()
        self._replies, self._spent, self._sessions = shelves.replies, shelves.spent, shelves.sessions
        self._spent_here = MemoryCounts(SPENT)

    def remember(self, owner: str, reply: str, as_told: str) -> None:
        """A finished reply as the client has it, and as the remote has it. `owner`: whose profile it was."""
        if len(as_told) <= LONGEST:
            self._replies.keep(_digest(owner, reply), as_told.encode("utf-8", "surrogatepass"), owner)

    def as_told(self, owner: str, reply: str) -> str | None:
        """A reply's text as the remote has it, also of one that went on with calls of tools; None if it is
        not remembered. Clients may trim what they keep: the blanks around it are the client's."""
        kept = self._replies.get(_digest(owner, reply))
        if kept is None:
            return None
        told, text = kept.decode("utf-8", "surrogatepass"), reply.strip()
        start = reply.index(text)
        return f"{reply[:start]}{told.strip()}{reply[start + len(text) :]}"

    def spend(self, owner: str, messages: Sequence[Message], nats: float) -> None:
        """Counts what a reply to `messages` has told, finished or not; what the shelves do not take, in this
        process at least."""
        if not nats:
            return
        *_, digest = _digests(owner, messages)
        try:
            self._spent.add(digest, nats, owner)
        except StoreError as error:
            log.warning("what a reply has told is counted by this process alone: %s", error.reason)
            self._spent_here.add(digest, nats, owner)

    def nats(self, owner: str, messages: Sequence[Message]) -> float:
        """What all replies to these messages, and to each beginning of them, have told."""
        digests = [*_digests(owner, messages)]
        return self._spent.total(digests) + self._spent_here.total(digests)

    def session(self, owner: str, messages: Sequence[Message]) -> str:
        """The id by which a router knows the conversation: that of the longest beginning which ends with a
        reply, as far as that is remembered, and else a new one. What two conversations have in common word
        for word is of neither: no id is ever of both."""
        digests = zip(_digests(owner, messages), filter(_counts, messages), strict=True)
        replies = [digest for digest, message in digests if message.role == "assistant"]
        known = self._sessions.first(reversed(replies))
        return known.decode() if known else new_session()

    def in_session(self, owner: str, messages: Sequence[Message], session: str) -> None:
        """Keeps that these messages, of which a reply is the last, are of the session."""
        *_, digest = _digests(owner, messages)
        self._sessions.keep_common(digest, session.encode(), owner)


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
