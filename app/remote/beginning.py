"""The beginning of an answer to what is passed on, which shows whether the remote does what it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from app.errors import CoSteerError, RemoteError
from app.remote.errors import GIVEN_UP, from_error, refusal
from app.remote.interface import Forward, Forwarded
from app.remote.replica import fails

EVENTS, JSON = "text/event-stream", "application/json"
# Bytes of a stream that are held back at most until the data of an event has come.
MOST_HELD = 2**16
# Without these a long answer in JSON, as one of embeddings, tells of no failure, and need not be parsed.
TELLING = (b'"error"', b'"abort"')


class Begun:
    """An answer of which something has come, and which goes on from there: of a stream its first event, of
    JSON all, since nobody is sent a part of that, else the first piece."""

    def __init__(self, answer: Forwarded, request: Forward) -> None:
        """`answer` is that to the `request`."""
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self._kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._writes = request.method == "POST"
        self._answer = answer
        self._arriving = answer.body()
        self._held = b""

    async def begin(self) -> None:
        """Wait for that. Raises what the answer breaks off with, and closes it then."""
        parts, size = [], 0
        try:
            async for chunk in self._arriving:
                parts.append(chunk)
                size += len(chunk)
                if self._kind == EVENTS and size <= MOST_HELD:
                    if _first_line(b"".join(parts)):
                        break
                elif self._kind != JSON and size:
                    break
        except BaseException:
            await self.aclose()
            raise
        self._held = b"".join(parts)

    async def body(self) -> AsyncIterator[bytes]:
        """See Forwarded."""
        if self._held:
            yield self._held
        async for chunk in self._arriving:
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()

    @property
    def failure(self) -> CoSteerError | None:
        """How the remote has failed to do what it was asked; None where it answers, be it with a refusal."""
        if self.status == 429 or self.status >= 500:
            return refusal(self.status, self._held, self.headers, forwarded=True)
        if self.status >= 300 or not self._writes:  # what is only fetched may itself tell of a failure
            return None
        if self._kind == EVENTS:
            line = _first_line(self._held)
            return _failure(line[5:]) if line.startswith(b"data:") or not self._held else None
        return _failure(self._held) if self._kind == JSON else None


def _first_line(held: bytes) -> bytes:
    """The first line of a stream that has data, or is a comment: that keeps a connection open, and is not
    held back. Empty: none has come yet."""
    *lines, _ = held.split(b"\n")
    return next((line for line in lines if line.startswith((b"data:", b":"))), b"")


def _failure(said: bytes) -> CoSteerError | None:
    """The failure that a success tells of. What it says is not quoted: there may be a secret in it."""
    if len(said) > MOST_HELD and not any(one in said for one in TELLING):
        return None
    try:
        told: Any = orjson.loads(said)
    except orjson.JSONDecodeError:
        return RemoteError("Its answer is not a vLLM's.")
    if not isinstance(told, dict):
        return None
    if error := told.get("error"):
        failure = from_error(error, RemoteError.status, forwarded=True)
        return type(failure)("It answers with an error.") if fails(failure) else None
    choices = choices if isinstance(choices := told.get("choices"), list) else []
    ends = [one.get("finish_reason") for one in choices if isinstance(one, dict)]
    given_up = any(isinstance(one, str) and one in GIVEN_UP for one in ends)
    return RemoteError("It gave the reply up before it was finished.") if given_up else None
