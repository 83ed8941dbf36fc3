"""`costeer serve`: the port, what it prints, and how it ends."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import httpx
import pytest
from fakes import PRIVATE
from rich.console import Console

import app.cli.serve
from app.cli.announcing import Met, announce
from app.cli.serve import MISCONFIGURED
from app.errors import CoSteerError
from app.local import weights
from cli import running
from cli.running import done, misused, refused


def never(*_: object) -> NoReturn:
    pytest.fail("it listened")


def listening(*_: object) -> NoReturn:
    raise CoSteerError("listening")


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "-1"], ["--port", "x"]])
def test_a_wrong_port_is_a_mistake_of_usage(arguments: list[str]) -> None:
    assert "--port" in misused("serve", *arguments)


def test_a_taken_port_is_said_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object, **__: object) -> NoReturn:
        pytest.fail("weights before the port")

    monkeypatch.setattr(weights, "resolve", fetch)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refused("serve", "--port", str(port))
    assert message.startswith(f"error: Cannot listen on 127.0.0.1 port {port}: ")
    assert "COSTEER_PORT" in message


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "a..b"])
def test_an_address_that_cannot_be_had_is_named(host: str) -> None:
    done("keys", "create", "--admin")
    assert f"Cannot listen on {host} port 0" in refused("serve", "--host", host, "--port", "0")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "203.0.113.1", "no.such.host.invalid"])  # noqa: S104
def test_beyond_this_machine_it_serves_only_once_there_is_an_admin_key(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.cli.serve, "listen", never)
    message = refused("serve", "--host", host, "--port", "0", status=MISCONFIGURED)
    assert f"{host} can be reached from other machines" in message
    assert "`costeer keys create --admin`" in message
    done("profiles", "create", "anna", "--name", "Anna")
    done("keys", "create", "--profile", "anna")
    assert "no admin key" in refused("serve", "--host", host, "--port", "0", status=MISCONFIGURED)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_machine_it_needs_none(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.cli.serve, "listen", listening)
    assert "listening" in refused("serve", "--host", host)


@pytest.mark.parametrize("host", ["0.0.0.0", "203.0.113.1"])  # noqa: S104
def test_nor_with_an_admin_key_or_where_the_network_is_trusted(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.cli.serve, "listen", listening)
    monkeypatch.setenv("COSTEER_TRUST_NETWORK", "true")
    assert "listening" in refused("serve", "--host", host)
    monkeypatch.delenv("COSTEER_TRUST_NETWORK")
    done("keys", "create", "--admin")
    assert "listening" in refused("serve", "--host", host)


def pasted(printed: str) -> tuple[str, dict[str, Any]]:
    """The URL and the body of the curl in what `serve` prints, as a shell reads it."""
    (line,) = [line for line in printed.splitlines() if line.startswith("curl")]
    arguments = shlex.split(line)
    assert arguments[arguments.index("-H") + 1] == "Content-Type: application/json"
    return arguments[2], json.loads(arguments[arguments.index("-d") + 1])


@pytest.mark.parametrize(
    ("bound", "reached"),
    [
        (("127.0.0.1", 8000), "http://127.0.0.1:8000/v1"),
        (("0.0.0.0", 80), "http://127.0.0.1:80/v1"),  # noqa: S104
        (("::1", 8000, 0, 0), "http://[::1]:8000/v1"),
        (("::", 8000, 0, 0), "http://[::1]:8000/v1"),
    ],
)
@pytest.mark.parametrize("model", ["plain", 'it\'s [bold]odd[/] "ü" $HOME'])
def test_what_is_printed_can_be_pasted(
    capsys: pytest.CaptureFixture[str], bound: tuple[Any, ...], reached: str, model: str
) -> None:
    class Listener(socket.socket):
        def getsockname(self) -> tuple[Any, ...]:
            return bound

    with Listener() as listener:
        announce(Console(), listener, Met(model, "isabel"))
    printed = capsys.readouterr().out
    assert f"base_url = {reached}\n" in printed
    url, body = pasted(printed)
    assert url == f"{reached}/chat/completions"
    assert (body["model"], body["profile"], body["stream"]) == (model, "isabel", True)


SERVE = """
import app.assembly, app.cli, app.cli.startup, app.local.weights, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from contextlib import asynccontextmanager
from app.api.dependencies import Parts
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from fakes import LOUD_DOCUMENT, FakeLocal, FakeRemote, FakeTokenizer

@asynccontextmanager
async def open_parts(settings, progress):
    remote = FakeRemote()
    remote.endless, remote.max_model_len = True, 10**9
    try:
        with Store.open(settings.data_dir) as store:
            store.profiles.put(LOUD_DOCUMENT)
            matcher = VocabularyMatcher(remote, FakeTokenizer())
            generator = Generator(remote, FakeLocal(), matcher, DecodingConfig())
            warmer = Warmer(store.profiles.get, generator.warm)
            retriever = Retriever(store.history, 5)
            sweeper = Sweeper(store, [], retriever, warmer.soon)
            yield Parts(generator, store, retriever, 0.5, remote, warmer, sweeper)
    finally:
        print("closed", flush=True)

app.assembly.open_parts = open_parts
app.local.weights.resolve = lambda name, **_: name
app.cli.startup.models = lambda settings: []
{more}
app.cli.main()
"""


STUCK = """
import app.cli.serving, asyncio

compared = FakeRemote.tokenize

async def tokenize(self, messages, **more):
    if "invitation" not in messages[-1].content:  # of a comparison, before a start
        return await compared(self, messages, **more)
    print("stuck", flush=True)
    await asyncio.Event().wait()

FakeRemote.tokenize = tokenize
app.cli.serving.GRACE_SECONDS = 1
"""


def serving(more: str = "") -> AbstractContextManager[tuple[subprocess.Popen[str], str]]:
    """`costeer serve` over fake models in a process of its own, and what it printed when it was ready."""
    return running.serving("-c", SERVE.replace("{more}", more))


BRIEF = """
import app.api.event_stream
app.api.event_stream.FINISH_SECONDS = 0.1
"""

PACED = """
import asyncio
unpaced = FakeRemote.draft

async def draft(self, *given, **named):
    async for position in unpaced(self, *given, **named):
        await asyncio.sleep(0.1)  # so that it lasts longer than it takes to notice the signal
        yield position

FakeRemote.draft = draft
"""


def test_a_stream_finishes_after_a_signal_if_it_can_in_time() -> None:
    with serving(PACED) as (process, printed):
        url, body = pasted(printed)
        body |= {"profile": None, "max_tokens": 20}
        with httpx.stream("POST", url, json=body, timeout=60) as response:
            chunks = response.iter_text()
            assert "chat.completion.chunk" in next(chunks)
            process.send_signal(signal.SIGTERM)
            *_, last = "".join(chunks).strip().splitlines()
            assert last == "data: [DONE]"
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_what_is_printed_works_and_a_signal_ends_it_even_in_a_stream(stop: signal.Signals) -> None:
    with serving(BRIEF) as (process, printed):
        assert printed.startswith("CoSteer   ")
        url, body = pasted(printed)
        assert body["profile"] == "loud"
        whole = httpx.post(url, json=body | {"stream": False, "max_tokens": 11, "temperature": 0})
        assert whole.json()["choices"][0]["message"]["content"] == "HELLO WORLD"
        del body["max_tokens"]
        with httpx.stream("POST", url, json=body, timeout=60) as response:
            chunks = response.iter_text()
            assert "chat.completion.chunk" in next(chunks)
            process.send_signal(stop)
            *_, last = "".join(chunks).strip().splitlines()
            # A stream that is broken off does not pretend to be whole.
            assert "shutting down" in json.loads(last.removeprefix("data: "))["error"]["message"]
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + stop
    assert err == ""
    assert out.endswith("closed\n")


def test_a_signal_ends_it_even_when_a_reply_is_stuck() -> None:
    with serving(STUCK) as (process, printed):
        url, body = pasted(printed)
        with ThreadPoolExecutor() as pool:
            reply = pool.submit(httpx.post, url, json=body, timeout=60)
            assert process.stdout is not None
            assert "stuck\n" in iter(process.stdout.readline, "")
            process.send_signal(signal.SIGINT)
            assert reply.result().status_code == 503
            assert "shutting down" in reply.result().json()["error"]["message"]
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out.endswith("closed\n")


def test_a_log_at_debug_holds_nothing_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a steered chat, an import, and requests that fail: no message, reply, profile, key or header."""
    monkeypatch.setenv("COSTEER_LOG_LEVEL", "debug")
    monkeypatch.setenv("COSTEER_LOG_FORMAT", "json")
    header = {"X-Private": "a-header-value", "Authorization": "Bearer costeer-not-a-key"}
    person = {"id": "brunhilde", "name": "Brunhilde Blau", "history": [{"text": "I keep forty bees."}]}
    with serving() as (process, printed):
        url, body = pasted(printed)
        root = url.removesuffix("/chat/completions")
        with httpx.Client(headers={"X-Request-Id": "the-id", "X-Private": "a-header-value"}) as client:
            chat = body | {"max_tokens": 11, "temperature": 0}
            answers = [
                client.post(url, json=chat),
                client.post(url, json=chat | {"stream": False}),
                client.post(url, json=chat | {"strength": 9}),
                client.post(url, json=chat | {"profile": "brunhilde"}),
                client.post(url, json=chat, headers=header),
                client.post(f"{root}/profiles/import", json=person),
                client.post(f"{root}/profiles/import", json=person),
                client.post(f"{root}/profiles/import", json=person | {"mood": "wistful"}),
                client.get(f"{root}/profiles/brunhilde/history/search?q=forty+bees"),
                client.get(f"{root}/Brunhilde%20Blau?name=Brunhilde"),
                client.post(url, content=b"{I keep forty bees."),
            ]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    statuses = [200, 200, 400, 404, 401, 201, 409, 400, 200, 404, 415]
    assert [answer.status_code for answer in answers] == statuses
    lines = [line for line in err.splitlines() if "the-id" in line]
    assert len(lines) == len(answers)
    assert [json.loads(line)["status"] for line in err.splitlines()] == statuses
    said = (body["messages"][0]["content"], "dinner", "HELLO", "wistful", "forty bees", "costeer-not-a-key")
    forbidden = (*PRIVATE, *said, "runhilde", "loud", "a-header-value", "query=")
    assert [value for value in forbidden if value in err] == []
