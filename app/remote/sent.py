"""What one reply sends to the remote, noted as it leaves, for a client that asks what left the device."""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson

# Where ids stand in a body: the prompt of a draft, and what is to be detokenized.
IDS = ("prompt", "tokens")


@dataclass(frozen=True, slots=True, repr=False)
class SentRequest:
    """One request. `body` is its JSON without token ids; None: it has none.

    `ids` are its token ids behind the `shared` first ones, which are the whole prompt of the request number
    `after`; None for a request without a list of ids. `allowed`: how many tokens a draft may choose from.
    `embedded`: the model is in this process, and nothing has left it.
    """

    method: str
    endpoint: str
    body: Mapping[str, Any] | None
    ids: list[int] | None = None
    after: int | None = None
    shared: int = 0
    allowed: int | None = None
    embedded: bool = False

    @property
    def tokens(self) -> int:
        """How many token ids it has."""
        return self.shared + len(self.ids or ())


class Sent:
    """The requests of one reply, in the order in which they left. A long prompt is held once, though every
    draft sends it again."""

    def __init__(self) -> None:
        self.requests: list[SentRequest] = []
        self._following: dict[int | None, list[int]] = {}  # the drafts whose prompts go on from one's
        self._ends: dict[int, bytes] = {}  # the whole prompts of drafts that none goes on from yet

    def add(self, method: str, endpoint: str, body: Mapping[str, Any] | None, *, embedded: bool) -> None:
        """Note a request with this JSON body."""
        rest = dict(body) if body is not None else None
        ids, after, shared, allowed = None, None, 0, None
        if rest is not None:
            ids = next((rest.pop(name) for name in IDS if isinstance(rest.get(name), list)), None)
            choices = rest.pop("allowed_token_ids", None)
            allowed = len(choices) if choices is not None else None
        if ids is not None and endpoint.endswith("/completions"):
            whole = array("q", ids).tobytes()
            after, shared = self._ended(whole) or self._before(ids)
            ids = ids[shared:]
            self._ends[len(self.requests)] = whole
            self._following.setdefault(after, []).append(len(self.requests))
        self.requests.append(SentRequest(method, endpoint, rest, ids, after, shared, allowed, embedded))

    def _ended(self, whole: bytes) -> tuple[int, int] | None:
        """As `_before`, of the drafts that none goes on from yet, so that a reply of thousands is not walked
        through for each: one of those it is, but where replies part."""
        begun = [number for number, prompt in self._ends.items() if whole.startswith(prompt)]
        if not begun:
            return None
        last = max(begun, key=lambda number: len(self._ends[number]))
        return last, len(self._ends.pop(last)) // array("q").itemsize

    def _before(self, ids: list[int]) -> tuple[int | None, int]:
        """The draft whose whole prompt these ids begin with, by way of those that it goes on from, and how
        many they are."""
        at, length = None, 0
        while True:
            rests = {number: self.requests[number].ids or [] for number in self._following.get(at, ())}
            begun = [one for one, rest in rests.items() if ids[length : length + len(rest)] == rest]
            if not begun:
                return at, length
            at = max(begun, key=lambda one: len(rests[one]))
            length += len(rests[at])


class Leaving:
    """Notes one HTTP request when its first bytes are written: one that finds no connection has not left."""

    def __init__(self, sent: Sent, method: str, endpoint: str, content: bytes) -> None:
        self._sent, self._request, self._content = sent, (method, endpoint), content
        self._left = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's events; the request to a proxy for a tunnel is not the remote's."""
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.left()

    def left(self) -> None:
        if not self._left:
            self._left = True
            body = orjson.loads(self._content) if self._content else None
            self._sent.add(*self._request, body, embedded=False)


# What notes the requests that are made for the reply at hand, by whichever task; None: nobody asks. It is not
# held here: a connection that the reply opened keeps the reply's context for as long as it is open.
_NOTING: ContextVar[weakref.ref[Sent] | None] = ContextVar("noting", default=None)


def note(*, wanted: bool) -> Sent | None:
    """Begin to note what is sent from here on, also by tasks that are made from here on, for as long as the
    result is held. Not `wanted`: nothing is noted, not for an earlier reply of this task either."""
    sent = Sent() if wanted else None
    _NOTING.set(weakref.ref(sent) if sent is not None else None)
    return sent


def noting() -> Sent | None:
    """What notes the requests of the reply at hand; None: they are not noted."""
    sent = _NOTING.get()
    return sent() if sent is not None else None


def leaving(method: str, endpoint: str, content: bytes) -> Leaving | None:
    """What notes a request for the reply at hand when it leaves; None: it is not noted."""
    sent = noting()
    return Leaving(sent, method, endpoint, content) if sent is not None else None
