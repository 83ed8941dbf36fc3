"""`costeer serve`: the port, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx
import pytest
from rich.console import Console

from app import weights
from app.server import announce
from cli.running import ROOT, misused, refused


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
    assert f"Cannot listen on {host} port 0" in refused("serve", "--host", host, "--port", "0")


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
        announce(Console(), listener, model, "isabel")
    printed = capsys.readouterr().out
    assert f"base_url = {reached}\n" in printed
    url, body = pasted(printed)
    assert url == f"{reached}/chat/completions"
    assert (body["model"], body["profile"], body["stream"]) == (model, "isabel", True)


SERVE = """
import app.cli, app.main, app.weights, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from contextlib import asynccontextmanager
from app.api.deps import Parts
from app.retrieval import Retriever
from app.store import Store
from app.warming import Warmer
from app.writer import Tuning, Writer
from fakes import LOUD_DOCUMENT, FakeLocal, FakeRemote, FakeTokenizer

@asynccontextmanager
async def open_parts(settings, progress):
    remote = FakeRemote()
    remote.endless, remote.max_model_len = True, 10**9
    try:
        with Store.open(settings.data_dir) as store:
            store.profiles.put(LOUD_DOCUMENT)
            writer = Writer(remote, FakeLocal(), FakeTokenizer(), Tuning())
            warmer = Warmer(store.profiles.get, writer.warm)
            yield Parts(writer, store, Retriever(store.history, 5), 0.5, remote, warmer)
    finally:
        print("closed", flush=True)

app.main.open_parts = open_parts
app.weights.resolve = lambda name, **_: name
{more}
app.cli.main()
"""


STUCK = """
import app.server, asyncio

async def tokenize(self, messages, **_):
    print("stuck", flush=True)
    await asyncio.Event().wait()

FakeRemote.tokenize = tokenize
app.server.GRACE_SECONDS = 1
"""


@contextmanager
def serving(more: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`costeer serve` over fake models in a process of its own, and what it printed when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE.replace("{more}", more), "serve", "--port", "0"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("curl"):
                break
        yield process, printed
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_what_is_printed_works_and_a_signal_ends_it_even_in_a_stream(stop: signal.Signals) -> None:
    with serving() as (process, printed):
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
