"""Requests to one host, and all that can go wrong on the way. All of httpx stays in this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

import httpx

from app.errors import RemoteError, RemoteTimeout, RemoteUnavailable

# Of the remote's headers, those that mean the same behind this proxy. Its cookies are not the client's.
PASSED_ON = ("content-type", "retry-after")
# vLLM closes a connection that was idle for 5 s. One second less, since a request is still on its way then.
IDLE_SECONDS = 4.0
# httpx's own limits let the 101st stream wait, and close idle connections as soon as 20 are open. It speaks
# HTTP/1.1 only: closing an HTTP/2 stream early, httpcore 1.0 sends no reset, and the remote would write on.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
Transport = httpx.AsyncBaseTransport


class Answer:
    """The remote's answer: status and headers at once, the body as it comes. To be closed."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name: response.headers[name] for name in PASSED_ON if name in response.headers
        }
        self._response = response

    async def read(self) -> bytes:
        """The whole body."""
        with _map_errors():
            return await self._response.aread()

    async def body(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive, decompressed; closing the answer ends the remote's work."""
        with _map_errors():
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class Connection:
    """A pool of connections to one host, whose API key goes to that host only: no redirect is followed."""

    def __init__(
        self,
        *,
        api_key: str,
        connect_timeout: float,
        read_timeout: float,
        transport: Transport | None,
    ) -> None:
        self._api_key = api_key
        self._authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connect_timeout = connect_timeout
        timeout = httpx.Timeout(read_timeout, connect=connect_timeout)
        self._client = httpx.AsyncClient(
            timeout=timeout, limits=LIMITS, transport=transport, follow_redirects=False
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def send(
        self,
        method: str,
        url: str,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        repeatable: bool = True,
    ) -> Answer:
        """The answer, of whatever status. Raises RemoteUnavailable, RemoteTimeout and RemoteError."""
        with _map_errors():
            request = self._client.build_request(
                method, url, content=content, headers={**headers, **self._authorization}
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not repeatable:
                    raise
                # A pooled connection that the server had closed while it was idle (vLLM does so after 5 s).
                # Nothing of an answer had come, so asking once more is safe.
                response = await self._client.send(request, stream=True)
        return Answer(response)

    async def open(self, url: str) -> Answer:
        """A connection that is held by its answer, of whatever status, to a request without the API key.

        Where that has a body it is read, and the connection is any other request's. Raises as `send` does.
        """
        with _map_errors():
            request = self._client.build_request("GET", url, timeout=self._connect_timeout)
            response = await self._client.send(request, stream=True)
            if response.headers.get("content-length") != "0":
                await response.aread()
        return Answer(response)

    def without_key(self, body: bytes) -> bytes:
        """A refusal that quotes the API key, without it."""
        return body.replace(self._api_key.encode(), b"***") if self._api_key else body


@contextmanager
def _map_errors() -> Iterator[None]:
    """httpx's exceptions as ours. Messages never quote what was sent."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RemoteUnavailable(
            "The remote cannot be reached. Start it, or correct COSTEER_REMOTE_BASE_URL."
        ) from error
    except httpx.TimeoutException as error:
        raise RemoteTimeout(
            "The remote sent nothing for too long. Try again, or raise COSTEER_REMOTE_READ_TIMEOUT."
        ) from error
    except httpx.RequestError as error:
        raise RemoteError(
            f"The connection to the remote broke ({type(error).__name__}). Try again."
        ) from error
