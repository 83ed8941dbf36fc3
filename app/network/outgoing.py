"""HTTP requests to one host, and their errors: all that is sent to a server of models goes out here."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, Protocol

import anyio
import httpx
import orjson

from app.errors import CoSteerError
from app.network.proxy import Proxy

# Response headers to pass on, which mean the same behind this proxy. A server's cookies are not the client's.
PASSED_ON = ("allow", "content-type", "retry-after")
# vLLM closes a connection that was idle for 5 s. One second less, since a request needs time to arrive.
IDLE_SECONDS = 4.0
# httpx's default limits make the 101st stream wait, and close idle connections as soon as 20 are open.
# HTTP/1.1 only: when an HTTP/2 stream is closed early, httpcore 1.0 sends no reset, and the remote would go
# on generating.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
# Of an answer that is read at once, decompressed.
MOST_BYTES = 128 * 2**20
SHORT = 4  # a header's value of fewer characters is no secret, and stands in many a text
Transport = httpx.AsyncBaseTransport


@dataclass(frozen=True)
class Server:
    """What errors call a server, like "the remote", the settings that they tell to change, and which errors
    they are."""

    called: str
    base_url: str
    read_timeout: str
    failed: type[CoSteerError]
    unavailable: type[CoSteerError]
    timed_out: type[CoSteerError]

    def __str__(self) -> str:
        """As a sentence begins with it."""
        return self.called[0].upper() + self.called[1:]


class Departure(Protocol):
    """Learns when a request leaves."""

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Is told httpcore's events."""
        ...

    def left(self) -> None:
        """Is told at the latest once a response has come, from a transport without events too."""
        ...


# What watches a request of this method, path and content leave; None: nobody does.
Watch = Callable[[str, str, bytes], Departure | None]


class Answer:
    """A server's response: status and headers at once, the body as it arrives. The caller closes it."""

    def __init__(
        self, response: httpx.Response, server: Server, proxy: Proxy | None, patience: float
    ) -> None:
        """`patience`: seconds that the whole body may take where it is read at once."""
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name: response.headers[name] for name in PASSED_ON if name in response.headers
        }
        self._response = response
        self._read: bytes | None = None
        self._server, self._proxy, self._patience = server, proxy, patience

    async def read(self) -> bytes:
        """The whole body, of MOST_BYTES at most. A server that sends a byte now and then is given up, too."""
        parts, size = [], 0
        try:
            with anyio.fail_after(self._patience):
                async with aclosing(self.body()) as arriving:
                    async for part in arriving:
                        parts.append(part)
                        size += len(part)
                        if size > MOST_BYTES:
                            raise self._server.failed(f"{self._server} sends more than any answer has.")
        except TimeoutError:
            raise _silent(self._server) from None
        self._read = b"".join(parts)
        return self._read

    async def body(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive, decompressed, or all that was read before; closing the response ends the
        server's work."""
        if self._read is not None:
            yield self._read
            return
        with _map_errors(self._server, self._proxy):
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class Connection:
    """A connection pool to one host. The API key goes to that host only: no redirect is followed.

    `headers` go with each request to it, secret as the key is.

    No cookie is kept: by it the server would know which requests are of one user. No error may quote the key
    or any of the `secrets`; see `without_secrets`.
    """

    def __init__(
        self,
        server: Server,
        *,
        api_key: str,
        connect_timeout: float,
        read_timeout: float,
        transport: Transport | None,
        proxy: Proxy | None = None,
        secrets: Sequence[str] = (),
        headers: Mapping[str, str] = NO_HEADERS,
        watch: Watch | None = None,
    ) -> None:
        """`watch` is asked for each request that is sent."""
        self._server = server
        self._watch = watch
        told = {api_key, *secrets, *(part for name in headers for part in _parts(name, headers[name]))}
        self._secrets = sorted(told - {""}, key=len, reverse=True)
        self._proxy = proxy
        self._authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connect_timeout, self._patience = connect_timeout, read_timeout
        timeout = httpx.Timeout(read_timeout, connect=connect_timeout)
        self._client = httpx.AsyncClient(
            timeout=timeout,
            transport=transport or network(proxy),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers=dict(headers),
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
        watched: bool = True,
    ) -> Answer:
        """The response, whatever its status. Raises the server's errors.

        A `repeatable` request is retried once where its connection broke before any response. Unless it is
        `watched`, nobody is told that it leaves.
        """
        with _map_errors(self._server, self._proxy):
            request = self._client.build_request(
                method, url, content=content, headers={**headers, **self._authorization}
            )
            try:
                response = await self._sent(request, watched=watched)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not repeatable:
                    raise
                # The server had closed a pooled connection while it was idle (vLLM does so after 5 s).
                # Nothing of a response had arrived, so one retry is safe.
                response = await self._sent(request, watched=watched)
        return Answer(response, self._server, self._proxy, self._patience)

    async def open(self, url: str) -> Answer:
        """The response, whatever its status, to a request without the API key; unread, it holds a connection.

        A response with a body is read here, and its connection is free for others. Raises as `send` does.
        """
        with _map_errors(self._server, self._proxy):
            request = self._client.build_request("GET", url, timeout=self._connect_timeout)
            response = await self._client.send(request, stream=True)
        answer = Answer(response, self._server, self._proxy, self._connect_timeout)
        if response.headers.get("content-length") != "0":
            try:
                await answer.read()
            finally:
                await answer.aclose()
        return answer

    def without_secrets(self, body: bytes) -> bytes:
        """An error body with *** in place of the API key, passwords and values of the headers, however JSON
        has them escaped."""
        shown = _starred(body, [one.encode() for one in self._secrets])
        try:
            plain = orjson.dumps(orjson.loads(shown))
        except ValueError:
            return shown
        starred = _starred(plain, [orjson.dumps(one)[1:-1] for one in self._secrets])
        return shown if starred == plain else starred

    def shown(self, said: bytes) -> bytes:
        """What a success said, as it is, unless it may be an error all the same."""
        return self.without_secrets(said) if b'"error"' in said else said

    async def _sent(self, request: httpx.Request, *, watched: bool) -> httpx.Response:
        """The response, whose body is not read yet. What leaves is the request's own bytes."""
        watch = self._watch if watched else None
        departure = watch(request.method, request.url.path, request.content) if watch is not None else None
        if departure is None:
            return await self._client.send(request, stream=True)
        request.extensions = {**request.extensions, "trace": departure.trace}
        response = await self._client.send(request, stream=True)
        departure.left()
        return response


def _parts(name: str, value: str) -> list[str]:
    """What of a header's value no error may quote: all of it, a token or password behind its kind, and the
    values of cookies."""
    cookies = value.split(";") if name.lower() == "cookie" else []
    parts = [value, value.rpartition(" ")[2], *(one.partition("=")[2].strip() for one in cookies)]
    return [one for one in parts if len(one) >= SHORT]


def _starred(text: bytes, secrets: Sequence[bytes]) -> bytes:
    for secret in secrets:
        text = text.replace(secret, b"***")
    return text


def network(proxy: Proxy | None) -> httpx.AsyncHTTPTransport:
    """The HTTP transport. From the environment it takes only the certificates to trust, which a company's own
    authority needs (SSL_CERT_FILE, SSL_CERT_DIR): no proxy, no password from a .netrc.

    Raises CoSteerError where those certificates or the proxy cannot be used.
    """
    try:
        trusted = httpx.create_ssl_context()
    except OSError:
        raise CoSteerError(
            "SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read. Correct or unset it."
        ) from None
    if proxy is None:
        return httpx.AsyncHTTPTransport(verify=trusted, limits=LIMITS)
    try:
        through = httpx.Proxy(proxy.url, ssl_context=trusted if proxy.url.startswith("https:") else None)
        return httpx.AsyncHTTPTransport(verify=trusted, limits=LIMITS, proxy=through)
    except ImportError:
        raise CoSteerError(
            f"{proxy.named_by} names a SOCKS proxy, which takes one more package: "
            'pip install "httpx[socks]", or name an http proxy.'
        ) from None
    except (httpx.InvalidURL, ValueError):
        raise CoSteerError(f"{proxy.named_by} names no usable proxy. Correct or unset it.") from None


@contextmanager
def _map_errors(server: Server, proxy: Proxy | None) -> Iterator[None]:
    """Map httpx's exceptions to the server's. Their messages never quote what was sent, nor the address."""
    try:
        yield
    except httpx.ProxyError as error:
        named = proxy.named_by if proxy is not None else "COSTEER_REMOTE_PROXY"
        status = f" ({match[0]})" if (match := re.match(r"\d{3}\b", str(error))) else ""
        raise server.unavailable(
            f"The proxy that {named} names does not connect to {server.called}{status}. Correct {named}, its "
            "user and password above all, or ask who runs the proxy."
        ) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise _unreached(server, proxy, untrusted="CERTIFICATE_VERIFY_FAILED" in str(error)) from error
    except httpx.TimeoutException as error:
        raise _silent(server) from error
    except httpx.RequestError as error:
        raise server.failed(
            f"The connection to {server.called} broke ({type(error).__name__}). Try again."
        ) from error


def _silent(server: Server) -> CoSteerError:
    return server.timed_out(f"{server} sent nothing for too long. Try again, or raise {server.read_timeout}.")


def _unreached(server: Server, proxy: Proxy | None, *, untrusted: bool) -> CoSteerError:
    if untrusted:
        return server.unavailable(
            f"The certificate of {server.called} is not trusted. Set SSL_CERT_FILE to a file with the "
            f"certificates of the authority that signed it, or correct {server.base_url}."
        )
    if proxy is not None:
        return server.unavailable(
            f"{server} cannot be reached through the proxy that {proxy.named_by} names. Start them, or "
            f"correct {server.base_url} or {proxy.named_by}."
        )
    return server.unavailable(f"{server} cannot be reached. Start it, or correct {server.base_url}.")
