"""The commands: what they print, what they refuse and how they end."""

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
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from rich.console import Console
from typer.main import get_command
from typer.testing import CliRunner, Result

from app import __version__, weights
from app.cli import app
from app.profile import HistoryItem, Profile
from app.server import announce
from app.settings import Settings
from app.store import Store

ROOT = Path(__file__).parent.parent
ANNA = 'id = "anna"\nname = "Anna Ek"\n[fields]\noccupation = "Nurse"\n'
BERT = 'id = "bert"\nname = "Bert Ask"\ndefault = true\n[[history]]\ntext = "Once."\n'
COMMANDS = ["", "serve", "version", "models", "models list", "models pull"]
COMMANDS += ["profiles", "profiles list", "profiles import"]


@pytest.fixture(autouse=True)
def folders(clean_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Data and weights apart from the user's own; and the handler that `serve` sets is taken back."""
    monkeypatch.setenv("COSTEER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COSTEER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refused(*arguments: str) -> str:
    """What a command that fails for a reason the user can mend says, on the standard error alone."""
    result = run(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert [line[:7] for line in result.stderr.splitlines()].count("error: ") == 1
    return result.stderr


def stored(tmp_path: Path) -> dict[str, Profile]:
    with Store.open(tmp_path / "data") as store:
        return {line.id: store.profile(line.id) for line in store.profiles()}


def written(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_every_command_and_option_has_a_help_text() -> None:
    def check(command: Any, name: str) -> list[str]:
        assert command.help, name
        for parameter in command.params:
            # Arguments have theirs by another way.
            assert parameter.param_type_name == "argument" or parameter.help, f"{name} {parameter.name}"
        inner: dict[str, Any] = getattr(command, "commands", {})
        return [name, *(n for key, one in inner.items() for n in check(one, f"{name} {key}".strip()))]

    assert sorted(check(get_command(app), "")) == sorted(COMMANDS)


def test_help_names_the_defaults_that_the_settings_have() -> None:
    text = run("serve", "--help").stdout
    for name in ("host", "port"):
        assert str(Settings.model_fields[name].default) in text


def test_no_command_but_serve_needs_torch() -> None:
    """Seconds of importing, for a list."""
    code = "import sys, app.cli; print([m for m in ('torch', 'transformers', 'fastapi') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_version_is_the_package_s() -> None:
    assert run("version").stdout == f"{__version__}\n"


# Profiles


def test_an_import_says_what_became_of_each_profile(tmp_path: Path) -> None:
    anna, bert = written("anna.toml", ANNA), written("bert.toml", BERT)
    assert run("profiles", "import", anna, bert).stdout == "profile anna: created\nprofile bert: created\n"
    assert stored(tmp_path) == {
        "anna": Profile("anna", "Anna Ek", (("occupation", "Nurse"),)),
        "bert": Profile("bert", "Bert Ask", is_default=True, history=(HistoryItem("", "Once."),)),
    }
    written("anna.toml", ANNA.replace("Nurse", "Pilot"))
    assert run("profiles", "import", anna, bert).stdout == "profile anna: replaced\nprofile bert: unchanged\n"
    assert dict(stored(tmp_path)["anna"].fields) == {"occupation": "Pilot"}


def test_an_import_can_leave_what_exists_alone(tmp_path: Path) -> None:
    anna, bert = written("anna.toml", ANNA), written("bert.toml", BERT)
    run("profiles", "import", anna)
    written("anna.toml", ANNA.replace("Nurse", "Pilot"))
    kept = run("profiles", "import", "--keep", anna, bert)
    assert kept.stdout == "profile anna: kept\nprofile bert: created\n"
    assert dict(stored(tmp_path)["anna"].fields) == {"occupation": "Nurse"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ANNA.replace("name", "nmae"), "line 2, nmae: unknown key; did you mean name?"),
        (ANNA.replace('"Nurse"', "Nurse"), "line 4"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_is_named_by_line_and_nothing_is_stored(tmp_path: Path, text: str, says: str) -> None:
    good, broken = written("good.toml", BERT), written("broken.toml", text)
    for files in ([broken, good], [good, broken]):
        message = refused("profiles", "import", *files)
        assert "broken.toml" in message
        assert says in message
        assert stored(tmp_path) == {}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    good = written("good.toml", BERT)
    assert "nowhere.toml: cannot be read" in refused("profiles", "import", good, "nowhere.toml")
    assert stored(tmp_path) == {}


def test_two_files_with_one_id_are_a_mistake(tmp_path: Path) -> None:
    one, two = written("one.toml", ANNA), written("two.toml", ANNA.replace("Nurse", "Pilot"))
    message = refused("profiles", "import", one, two)
    assert "two.toml" in message
    assert "'anna'" in message
    assert stored(tmp_path) == {}


def test_import_without_a_file_says_how_to_use_it() -> None:
    result = run("profiles", "import")
    assert result.exit_code == 2
    assert "FILE" in result.stderr


def test_profiles_are_listed_with_what_they_hold() -> None:
    run("profiles", "import", written("anna.toml", ANNA), written("bert.toml", BERT))
    lines = [line.replace("│", " ").split() for line in run("profiles", "list").stdout.splitlines()]
    assert ["anna", "Anna", "Ek", "0"] in lines
    assert ["bert", "Bert", "Ask", "yes", "1"] in lines
    assert "Nurse" not in run("profiles", "list").stdout


def test_the_sample_profiles_can_be_imported(tmp_path: Path) -> None:
    files = sorted(map(str, (ROOT / "profiles").glob("*.toml")))
    assert run("profiles", "import", *files).exit_code == 0
    assert len(stored(tmp_path)) == len(files)


def test_a_data_folder_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_DATA_DIR", written("file", "x"))
    message = refused("profiles", "list")
    assert "COSTEER_DATA_DIR" in message


# Weights


def test_every_bundle_is_listed() -> None:
    result = run("models", "list")
    assert result.exit_code == 0
    for name, bundle in weights.BUNDLES.items():
        line = next(line for line in result.stdout.splitlines() if name in line)
        assert " no " in line
        assert f"{bundle.size / 1e6:,.0f} MB" in line


@pytest.mark.parametrize("command", ["models pull smollm2-135m-instrukt", "serve --port 0"])
def test_an_unknown_model_is_refused_with_a_guess(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COSTEER_LOCAL_MODEL", "smollm2-135m-instrukt")
    message = refused(*command.split())
    assert "'smollm2-135m-instrukt'" in message
    assert "Did you mean smollm2-135m-instruct?" in message


def test_ctrl_c_in_a_download_is_no_error_with_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "resolve", interrupted)
    for command in (["models", "pull"], ["serve", "--port", "0"]):
        result = run(*command)
        assert (result.exit_code, result.stdout, result.stderr) == (130, "", "")


# Settings


@pytest.mark.parametrize("command", ["profiles list", "models list", "serve"])
def test_wrong_settings_are_all_named_as_variables(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COSTEER_PORT", "eighty")
    monkeypatch.setenv("COSTEER_REMOTE_BASE_URL", "host:8001")
    written(".env", "COSTEER_STRENGHT=1\nHF_TOKEN=x\n")
    lines = refused(*command.split()).splitlines()
    assert [line.split(":")[0].split(" is")[0] for line in lines] == [
        "COSTEER_PORT",
        "COSTEER_REMOTE_BASE_URL",
        "COSTEER_STRENGHT",
        "error",
    ]
    assert "Did you mean COSTEER_STRENGTH?" in lines[2]
    assert "http://host:8001/v1" in lines[1]


def test_an_unknown_variable_of_the_environment_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTEER_STRENGHT", "1")
    result = run("profiles", "list")
    assert result.exit_code == 0
    assert result.stderr == "warning: COSTEER_STRENGHT is not a setting. Did you mean COSTEER_STRENGTH?\n"


def test_an_env_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes("COSTEER_REMOTE_MODEL=Größe".encode("latin-1"))
    assert ".env cannot be read as UTF-8" in refused("profiles", "list")


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "-1"], ["--port", "x"]])
def test_a_wrong_port_is_a_mistake_of_usage(arguments: list[str]) -> None:
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert "--port" in result.stderr


# Serving


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
from app.store import Store
from app.writer import Tuning, Writer
from fakes import LOUD, FakeLocal, FakeRemote, FakeTokenizer

@asynccontextmanager
async def open_parts(settings, progress):
    remote = FakeRemote()
    remote.endless, remote.max_model_len = True, 10**9
    try:
        with Store.open(settings.data_dir) as store:
            store.put(LOUD)
            yield Parts(Writer(remote, FakeLocal(), FakeTokenizer(), Tuning()), store, 0.5)
    finally:
        print("closed", flush=True)

app.main.open_parts = open_parts
app.weights.resolve = lambda name, **_: name
{more}
app.cli.main()
"""


STUCK = """
import app.server, asyncio

async def tokenize(self, messages):
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
