"""Asks a CoSteer server, on a port or in this process: for replies, profiles and previews."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from app.cli.chat.events import data_of
from app.cli.chat.reply import Piece, Reply
from app.errors import CoSteerError

# Seconds: to connect, and between two bytes. A reply may wait for its turn before the first of them.
TIMEOUT = httpx.Timeout(300, connect=5)
DONE = b"[DONE]"
FOREIGN = (
    "The server's answer is not one of CoSteer's. Is its version the same as this one's? --url names another."
)
BROKEN = "The connection to the server broke before the answer was whole. Is it still running?"


@dataclass(frozen=True)
class ProfileLine:
    """A profile as the list has it."""

    id: str
    name: str
    default: bool


class Client:
    """The routes that a conversation needs. All raise CoSteerError, by the server's words if it has any."""

    def __init__(self, url: str, key: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`url` has no path; `key` is empty for none. The environment's proxies are not used, and no redirect
        is followed: what is asked here is private."""
        self._url = url
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=TIMEOUT,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def profiles(self) -> list[ProfileLine]:
        """Those that the key opens."""
        listed = await self._json("GET", "/v1/profiles")
        with _expected():
            return [ProfileLine(one["id"], one["name"], one["default"]) for one in listed["data"]]

    async def preview(self, profile: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the small model would read."""
        found: dict[str, Any] = await self._json("POST", f"/v1/profiles/{profile}/preview", body)
        return found

    async def write(
        self, body: Mapping[str, Any], reply: Reply, *, record: bool = True
    ) -> AsyncGenerator[Piece, None]:
        """The pieces of a streamed reply, put into `reply` as they come. Closing it ends the work."""
        headers = {} if record else {"X-CoSteer-Record": "off"}
        asked = self._http.stream("POST", "/v1/chat/completions", json=body, headers=headers)
        with self._named():
            async with asked as response:
                await _refuse(response)
                reply.reason = response.headers.get("X-CoSteer-Reason")
                async with aclosing(data_of(response.aiter_bytes())) as events:
                    async for data in events:
                        if data == DONE:
                            return
                        event = orjson.loads(data)
                        with _expected():
                            piece = _taken(event, reply)
                        if piece is not None:
                            yield piece
        raise CoSteerError(BROKEN)

    async def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._named():
            response = await self._http.request(method, path, json=body)
            await _refuse(response)
            with _expected():
                return orjson.loads(response.content)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Says what failed on the way in words of our own."""
        try:
            yield
        except httpx.ConnectError as error:
            raise CoSteerError(
                f"No CoSteer server answers at {self._url} any more. Start one with `costeer serve`."
            ) from error
        except httpx.TimeoutException as error:
            raise CoSteerError("The server was silent for too long. Its log says why.") from error
        except (httpx.HTTPError, orjson.JSONDecodeError) as error:
            raise CoSteerError(BROKEN) from error


@contextmanager
def _expected() -> Iterator[None]:
    """Says so where an answer has another form, without a word of it. A remote's own events, which the server
    passes on, can have any."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CoSteerError(FOREIGN) from error


def _taken(event: Mapping[str, Any], reply: Reply) -> Piece | None:
    """Puts an event into the reply; gives its piece, if it has text. Raises the error that it may be."""
    if "error" in event:
        raise CoSteerError(_message(event) or BROKEN)
    reply.totals = {**reply.totals, **event.get("costeer", {})}
    for choice in event["choices"]:
        reply.finish_reason = choice.get("finish_reason") or reply.finish_reason
        text = (choice.get("delta") or {}).get("content") or ""
        piece = Piece(text, choice.get("costeer", {}).get("tokens", ()))
        if text:
            reply.pieces.append(piece)
            return piece
    return None


async def _refuse(response: httpx.Response) -> None:
    """Raises CoSteerError for an answer that is no success."""
    if response.is_success:
        return
    await response.aread()
    try:
        message = _message(response.json())
    except ValueError:
        message = None
    if message is None:
        raise CoSteerError(
            f"The server answers with status {response.status_code} and says no more. Is it CoSteer's? "
            "--url names another."
        )
    if response.status_code == httpx.codes.UNAUTHORIZED:
        message += " Give it with --key, or better in COSTEER_API_KEY."
    if (seconds := response.headers.get("Retry-After")) is not None:
        message += f" Try again in {seconds} seconds."
    raise CoSteerError(message)


def _message(body: Any) -> str | None:
    """The message of OpenAI's error object; None if it is none."""
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else None
