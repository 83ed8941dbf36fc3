"""HTTP requests to one host, and their errors; of this package only simulated.py uses httpx as well."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from app.errors import CoSteerError, RemoteError, RemoteTimeout, RemoteUnavailable
from app.network.proxy import Proxy
from app.remote.sent import Leaving, noting

# Response headers to pass on, which mean the same behind this proxy. The remote's cookies are not the
# client's.
PASSED_ON = ("allow", "content-type", "retry-after")
# vLLM closes a connection that was idle for 5 s. One second less, since a request needs time to arrive.
IDLE_SECONDS = 4.0
# httpx's default limits make the 101st stream wait, and close idle connections as soon as 20 are open.
# HTTP/1.1 only: when an HTTP/2 stream is closed early, httpcore 1.0 sends no reset, and the remote would go
# on generating.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)
Transport = httpx.AsyncBaseTransport


class Answer:
    """The remote's response: status and headers at once, the body as it arrives. The caller closes it."""

    def __init__(self, response: httpx.Response, proxy: Proxy | None) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = {
            name: response.headers[name] for name in PASSED_ON if name in response.headers
        }
        self._response = response
        self._proxy = proxy

    async def read(self) -> bytes:
        """The whole body."""
        with _map_errors(self._proxy):
            return await self._response.aread()

    async def body(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive, decompressed; closing the response ends the remote's work."""
        with _map_errors(self._proxy):
            async for chunk in self._response.aiter_bytes():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class Connection:
    """A connection pool to one host. The API key goes to that host only: no redirect is followed.

    No cookie is kept: by it the remote would know which requests are of one user. No error may quote the key
    or any of the `secrets`; see `without_secrets`.
    """

    def __init__(
        self,
        *,
        api_key: str,
        connect_timeout: float,
        read_timeout: float,
        transport: Transport | None,
        proxy: Proxy | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self._secrets = [secret.encode() for secret in (api_key, *secrets) if secret]
        self._proxy = proxy
        self._authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._connect_timeout = connect_timeout
        timeout = httpx.Timeout(read_timeout, connect=connect_timeout)
        self._client = httpx.AsyncClient(
            timeout=timeout,
            transport=transport or network(proxy),
            follow_redirects=False,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
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
        noted: bool = True,
    ) -> Answer:
        """The response, whatever its status. Raises RemoteUnavailable, RemoteTimeout and RemoteError.

        A `repeatable` request is retried once where its connection broke before any response. It is `noted`
        where the reply at hand notes what is sent; see sent.py.
        """
        with _map_errors(self._proxy):
            request = self._client.build_request(
                method, url, content=content, headers={**headers, **self._authorization}
            )
            try:
                response = await _sent(self._client, request, noted=noted)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if not repeatable:
                    raise
                # The server had closed a pooled connection while it was idle (vLLM does so after 5 s).
                # Nothing of a response had arrived, so one retry is safe.
                response = await _sent(self._client, request, noted=noted)
        return Answer(response, self._proxy)

    async def open(self, url: str) -> Answer:
        """The response, whatever its status, to a request without the API key; unread, it holds a connection.

        A response with a body is read here, and its connection is free for others. Raises as `send` does.
        """
        with _map_errors(self._proxy):
            request = self._client.build_request("GET", url, timeout=self._connect_timeout)
            response = await self._client.send(request, stream=True)
            if response.headers.get("content-length") != "0":
                await response.aread()
        return Answer(response, self._proxy)

    def without_secrets(self, body: bytes) -> bytes:
        """An error body with *** in place of the API key and passwords."""
        for secret in self._secrets:
            body = body.replace(secret, b"***")
        return body


async def _sent(client: httpx.AsyncClient, request: httpx.Request, *, noted: bool) -> httpx.Response:
    """The response, whose body is not read yet. What leaves is the request's own bytes."""
    sent = noting() if noted else None
    if sent is None:
        return await client.send(request, stream=True)
    leaving = Leaving(sent, request.method, request.url.path, request.content)
    request.extensions = {**request.extensions, "trace": leaving.trace}
    response = await client.send(request, stream=True)
    leaving.left()  # a transport without trace events
    return response


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
def _map_errors(proxy: Proxy | None) -> Iterator[None]:
    """Map httpx's exceptions to ours. Their messages never quote what was sent, nor the address."""
    try:
        yield
    except httpx.ProxyError as error:
        named = proxy.named_by if proxy is not None else "COSTEER_REMOTE_PROXY"
        status = f" ({match[0]})" if (match := re.match(r"\d{3}\b", str(error))) else ""
        raise RemoteUnavailable(
            f"The proxy that {named} names does not connect to the remote{status}. Correct {named}, its user "
            "and password above all, or ask who runs the proxy."
        ) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise _unreached(proxy, untrusted="CERTIFICATE_VERIFY_FAILED" in str(error)) from error
    except httpx.TimeoutException as error:
        raise RemoteTimeout(
            "The remote sent nothing for too long. Try again, or raise COSTEER_REMOTE_READ_TIMEOUT."
        ) from error
    except httpx.RequestError as error:
        raise RemoteError(
            f"The connection to the remote broke ({type(error).__name__}). Try again."
        ) from error


def _unreached(proxy: Proxy | None, *, untrusted: bool) -> RemoteUnavailable:
    if untrusted:
        return RemoteUnavailable(
            "The remote's certificate is not trusted. Set SSL_CERT_FILE to a file with the certificates of "
            "the authority that signed it, or correct COSTEER_REMOTE_BASE_URL."
        )
    if proxy is not None:
        return RemoteUnavailable(
            f"The remote cannot be reached through the proxy that {proxy.named_by} names. Start them, or "
            f"correct COSTEER_REMOTE_BASE_URL or {proxy.named_by}."
        )
    return RemoteUnavailable("The remote cannot be reached. Start it, or correct COSTEER_REMOTE_BASE_URL.")
