"""What goes out on real sockets: no cookie, nothing of the environment, and through a proxy only TLS."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import CoSteerError, RemoteRejected, RemoteUnavailable
from app.network.outgoing import NO_HEADERS
from app.network.proxy import Proxy
from app.remote.interface import Forward
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings
from remote.recorder import CERTIFICATE, RecordingProxy, RecordingVLLM, listening
from remote.recordings import KEY

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
CHOICES = [names for size in range(4) for names in itertools.combinations(VARIABLES, size)]
USER = "proxyuser:proxypa55"


@pytest.fixture(autouse=True)
def bare(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy from this shell; the names of the tests are those of this machine."""
    for name in (*VARIABLES, "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    resolve = socket.getaddrinfo

    def here(host: Any, *more: Any, **options: Any) -> Any:
        named = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if named in {"vllm.test", "proxy.test"} else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", here)


def opened(url: str, headers: Mapping[str, str] = NO_HEADERS, **options: Any) -> VLLMRemote:
    settings = Settings(remote_base_url=url, **options)
    return VLLMRemote(url, api_key=KEY, proxy=settings.proxy(), spare=False, headers=headers)


async def ask(remote: VLLMRemote) -> None:
    """The conversation, as it is tokenized and passed on: four requests, three once the model is known."""
    await remote.card()
    assert await remote.tokenize_text("our conversation")
    for method in ("GET", "POST"):
        body = b'{"input":"our conversation"}' if method == "POST" else b""
        answer = await remote.forward(Forward(method, "embeddings", "/v1/embeddings", body=body))
        assert [chunk async for chunk in answer.body()]
        await answer.aclose()


@pytest.fixture
async def vllm() -> AsyncIterator[RecordingVLLM]:
    async with listening(RecordingVLLM()) as heard:
        yield heard


async def test_no_cookie_is_kept_or_sent(vllm: RecordingVLLM) -> None:
    async with aclosing(opened(f"http://127.0.0.1:{vllm.port}/v1")) as remote:
        for _ in range(3):
            await ask(remote)
        assert len(remote._connection._client.cookies.jar) == 0
    assert len(vllm.requests) == 4 + 3 + 3
    assert b"cookie" not in vllm.everything.lower() and b"crumb" not in vllm.everything


async def test_a_gateway_s_headers_go_with_each_request_and_not_to_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    headers = {"X-Access-Id": "one, two; three", "X-Access-Secret": 'a "quoted" pa55=word'}
    async with AsyncExitStack() as stack:
        vllm = await stack.enter_async_context(listening(RecordingVLLM(), tls=True))
        proxy = await stack.enter_async_context(listening(RecordingProxy(vllm.port)))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with aclosing(opened(f"https://vllm.test:{vllm.port}/v1", headers=headers)) as remote:
            await ask(remote)
            assert await remote.asks_for_key() is False
            await remote.version()
        for name, value in headers.items():
            assert vllm.everything.count(f"{name}: {value}\r\n".encode()) == len(vllm.requests) == 6
        assert b"X-Access" not in proxy.everything and len(proxy.requests) > 0


@pytest.mark.parametrize("status", [400, 401, 302, 500])
async def test_no_header_s_value_is_quoted_and_none_follows_a_redirect(status: int) -> None:
    came: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        came.append(request)
        said = " ".join(request.headers[name] for name in ("x-access", "authorization"))
        elsewhere = {"Location": "http://elsewhere.test/v1/models"}
        return httpx.Response(status, json={"error": {"message": f"not {said}"}}, headers=elsewhere)

    headers = {"X-Access": "s3cret", "Authorization": "Basic bG90dGU6eA=="}
    transport = httpx.MockTransport(answer)
    async with aclosing(VLLMRemote("http://vllm.test/v1", transport=transport, headers=headers)) as remote:
        for asked in (
            remote.cards(),
            remote.forward(Forward("POST", "embeddings", "embeddings", body=b"{}")),
        ):
            with pytest.raises(CoSteerError) as caught:
                await asked
            assert "s3cret" not in caught.value.message and "bG90" not in caught.value.message
            assert ("COSTEER_REMOTE_HEADERS" in caught.value.message) is (status in (401, 302))
    assert {request.url.host for request in came} == {"vllm.test"}


async def test_no_password_comes_from_a_netrc(
    vllm: RecordingVLLM, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login lotte password pa55word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    url = f"http://127.0.0.1:{vllm.port}/v1"
    async with aclosing(VLLMRemote(url, spare=False)) as remote:
        await ask(remote)
    assert b"authorization" not in vllm.everything.lower()


@pytest.mark.parametrize("names", CHOICES, ids=" ".join)
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "vllm.test"])
async def test_an_http_remote_is_asked_directly_whatever_the_environment_says(
    vllm: RecordingVLLM,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    lower: bool,
    host: str,
) -> None:
    async with listening(RecordingProxy(vllm.port)) as proxy:
        for name in names:
            monkeypatch.setenv(name.lower() if lower else name, f"http://{USER}@127.0.0.1:{proxy.port}")
        async with aclosing(opened(f"http://{host}:{vllm.port}/v1")) as remote:
            await ask(remote)
        assert proxy.connections == []
    assert len(vllm.requests) == 4


@pytest.mark.parametrize("names", CHOICES, ids=" ".join)
@pytest.mark.parametrize("exempt", [False, True], ids=["", "NO_PROXY"])
async def test_of_an_https_remote_a_proxy_sees_the_host_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], exempt: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with AsyncExitStack() as stack:
        vllm = await stack.enter_async_context(listening(RecordingVLLM(), tls=True))
        proxies = {}
        for name in names:
            proxies[name] = await stack.enter_async_context(listening(RecordingProxy(vllm.port)))
            monkeypatch.setenv(name, f"http://{USER}@127.0.0.1:{proxies[name].port}")
        if exempt:
            monkeypatch.setenv("NO_PROXY", "example.com,vllm.test")
        async with aclosing(opened(f"https://vllm.test:{vllm.port}/v1")) as remote:
            await ask(remote)
        assert len(vllm.requests) == 4 and KEY.encode() in vllm.everything
        assert b"proxy" not in vllm.everything.lower()
        used = None if exempt else next((name for name in VARIABLES[1:] if name in names), None)
        for name, proxy in proxies.items():
            assert bool(proxy.connections) == (name == used), name
        if used is not None:
            for came in proxies[used].connections:
                head, _, sealed = bytes(came).partition(b"\r\n\r\n")
                first, *headers = head.decode().split("\r\n")
                assert first == f"CONNECT vllm.test:{vllm.port} HTTP/1.1"
                assert {line.partition(":")[0].lower() for line in headers} == {
                    "host",
                    "accept",
                    "proxy-authorization",
                }
                assert sealed.startswith(b"\x16\x03")  # TLS, a handshake
                assert not any(clear in sealed for clear in (b"conversation", KEY.encode(), b"/v1/"))


@pytest.mark.parametrize("tls", [False, True])
async def test_a_proxy_that_the_setting_names_is_used_for_both(
    monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """Of http it sees everything, which is why no variable is enough for that."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with (
        listening(RecordingVLLM(), tls=tls) as vllm,
        listening(RecordingProxy(vllm.port), tls=True) as proxy,
    ):
        url = f"http{'s' if tls else ''}://vllm.test:{vllm.port}/v1"
        named = f"https://{USER}@proxy.test:{proxy.port}"
        async with aclosing(opened(url, remote_proxy=named)) as remote:
            await remote.cards()
        assert len(vllm.requests) == 1
        assert proxy.requests[0].startswith("CONNECT " if tls else "GET http://vllm.test")
        assert KEY.encode() not in proxy.everything if tls else KEY.encode() in proxy.everything


async def test_this_machine_is_not_asked_through_a_proxy_that_the_setting_names(vllm: RecordingVLLM) -> None:
    async with listening(RecordingProxy(vllm.port)) as proxy:
        url = f"http://127.0.0.1:{vllm.port}/v1"
        async with aclosing(opened(url, remote_proxy=f"http://127.0.0.1:{proxy.port}")) as remote:
            await ask(remote)
        assert proxy.connections == []


@pytest.mark.parametrize("status", ["407 Who are you, lotte", "403 No", "502 Gone"])
async def test_a_proxy_that_refuses_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    async with listening(RecordingProxy(1, refusing=status)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}@127.0.0.1:{proxy.port}")
        async with aclosing(opened("https://vllm.test/v1")) as remote:
            with pytest.raises(RemoteUnavailable) as caught:
                await remote.cards()
    message = caught.value.message
    assert message.startswith(
        f"The proxy that HTTPS_PROXY names does not connect to the remote ({status[:3]})."
    )
    assert not any(word in message for word in ("lotte", "proxypa55", "127.0.0.1"))


async def test_a_proxy_that_is_not_there_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("ALL_PROXY", f"http://{USER}@127.0.0.1:{port}")
    async with aclosing(opened("https://vllm.test/v1")) as remote:
        with pytest.raises(RemoteUnavailable, match=r"through the proxy that ALL_PROXY names\.") as caught:
            await remote.cards()
    assert "proxypa55" not in caught.value.message


async def test_a_certificate_of_an_unknown_authority_is_said_with_what_mends_it() -> None:
    async with (
        listening(RecordingVLLM(), tls=True) as vllm,
        aclosing(opened(f"https://vllm.test:{vllm.port}/v1")) as remote,
    ):
        with pytest.raises(RemoteUnavailable, match="SSL_CERT_FILE"):
            await remote.cards()
    assert vllm.requests == []


def test_certificates_that_cannot_be_read_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with pytest.raises(CoSteerError, match="SSL_CERT_FILE"):
            VLLMRemote("https://vllm.test/v1")


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    proxy = Proxy(f"{scheme}://{USER}@127.0.0.1:1080", "ALL_PROXY")
    with pytest.raises(CoSteerError, match=r'^ALL_PROXY .*pip install "httpx\[socks\]"') as caught:
        VLLMRemote("https://vllm.test/v1", proxy=proxy)
    assert "proxypa55" not in caught.value.message


async def test_a_password_in_the_url_goes_to_the_remote_and_into_no_refusal(vllm: RecordingVLLM) -> None:
    basic = "bG90dGU6cGE1NXdvcmQ="
    refusal = {"error": {"message": f"lotte:pa55word {basic}", "type": "t", "param": None, "code": None}}

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"authorization: basic {basic}".encode().lower() in head.lower()
        body = str(refusal).replace("'", '"').replace("None", "null").encode()
        writer.write(
            b"HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://lotte:pa55word@127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, aclosing(VLLMRemote(url, spare=False)) as remote:
        for asking in (remote.cards(), remote.forward(Forward("GET", "files", "/v1/files"))):
            with pytest.raises(RemoteRejected, match=r"lotte:\*\*\* \*\*\*") as caught:
                await asking
            assert "pa55word" not in caught.value.message and basic not in caught.value.message
