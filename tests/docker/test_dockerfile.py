"""The image is built from the sources alone, pinned, with no secret; its health check and its end work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.settings.settings import PREFIX, Settings
from docker.files import ROOT, arguments_of, context, image_environment, instructions


def copied() -> list[str]:
    """What COPY takes from the context."""
    sources = []
    for arguments in arguments_of("COPY"):
        if not arguments.startswith("--from"):
            sources += arguments.split()[:-1]
    return [source.removeprefix("./") for source in sources]


def test_what_is_copied_is_there_and_nothing_else_is_in_the_context() -> None:
    assert sorted(context()) == sorted(copied())
    assert all((ROOT / name).exists() for name in copied())


def test_the_context_has_all_that_the_package_is_built_from() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.search(r"^packages = (\[.*\])$", project, re.MULTILINE)
    files = re.findall(r'^(?:readme = |license-files = \[)"(\S+?)"', project, re.MULTILINE)
    assert packages is not None
    assert set(json.loads(packages[1])) | set(files) <= set(copied())


@pytest.mark.parametrize("private", [".git", ".venv", ".venv-vllm", ".env", "tests", "docker", ".hypothesis"])
def test_the_context_leaves_out(private: str) -> None:
    assert not any(name.split("/")[0] in {private, "*", "."} for name in context())


def test_no_weights_databases_or_settings_lie_in_what_is_copied() -> None:
    suffixes = {".gguf", ".safetensors", ".bin", ".db", ".pem", ".key"}
    files = [path for name in copied() for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file()]
    assert [path for path in files if path.suffix in suffixes or path.name.startswith(".env")] == []


def test_what_it_starts_from_is_pinned_and_slim() -> None:
    (python,) = [argument for argument in arguments_of("ARG") if argument.startswith("PYTHON=")]
    assert re.fullmatch(r"PYTHON=3\.\d+\.\d+-slim-[a-z]+", python)
    assert arguments_of("FROM") == ["python:${PYTHON} AS build", "python:${PYTHON}"]


def test_torch_is_the_makefiles_and_for_the_cpu() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pin = re.search(r"^TORCH \?= (\S+)$", makefile, re.MULTILINE)
    assert pin is not None
    given = dict(argument.split("=", 1) for argument in arguments_of("ARG"))
    assert given["TORCH"] == pin[1]
    assert given["TORCH_INDEX"].endswith("/cpu")


@pytest.mark.parametrize("extras", ["", "local", "local sources"])
def test_it_installs_what_the_package_takes_and_its_extras(extras: str) -> None:
    (run,) = [arguments for arguments in arguments_of("RUN") if "tomllib" in arguments]
    script = run.replace("python", shlex.quote(sys.executable), 1).partition(" > requirements.txt")[0]
    done = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, env={"EXTRAS": extras}, capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [one for extra in extras.split() for one in project["optional-dependencies"][extra]]
    assert done.stdout.splitlines() == [*project["dependencies"], *wanted]
    assert "EXTRAS=local" in arguments_of("ARG")


@pytest.mark.parametrize(("extras", "fetched"), [("", False), ("local", True), ("sources local", True)])
def test_it_fetches_torch_for_a_model_in_the_proxy_alone(extras: str, fetched: bool) -> None:
    (run,) = [arguments for arguments in arguments_of("RUN") if "${TORCH_INDEX}" in arguments]
    script = run.partition("&&")[2].replace("/opt/costeer/bin/pip", "echo")
    environment = {"EXTRAS": extras, "TORCH": "torch", "TORCH_INDEX": "index"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == (["install", "--index-url", "index", "torch"] if fetched else [])


def test_no_secret_and_no_download_cache_is_in_a_layer() -> None:
    named = [argument for name, argument in instructions() if name in {"ARG", "ENV"}]
    assert not [text for text in named if re.search(r"KEY|TOKEN|SECRET|PASSWORD", text)]
    build = " ".join(arguments_of("ENV"))
    assert "PIP_NO_CACHE_DIR=1" in build


def test_the_image_by_itself_trusts_no_network() -> None:
    environment = {name for name in image_environment() if name.startswith(PREFIX)}
    assert environment <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert "COSTEER_TRUST_NETWORK" not in environment


def test_it_runs_as_an_ordinary_user_whose_folders_are_volumes() -> None:
    (user,) = arguments_of("USER")
    assert all(int(number) > 0 for number in user.split(":"))
    environment = image_environment()
    folders = [environment["COSTEER_DATA_DIR"], environment["COSTEER_CACHE_DIR"]]
    (volumes,) = arguments_of("VOLUME")
    assert json.loads(volumes) == folders
    (made,) = [run for run in arguments_of("RUN") if "useradd" in run]
    assert f"--uid {user.split(':')[0]} " in made
    assert made.endswith(" ".join(["-m 0700", *folders]))


def test_a_signal_reaches_the_server_itself() -> None:
    assert arguments_of("STOPSIGNAL") == ["SIGTERM"]
    command = [json.loads(arguments) for name in ("ENTRYPOINT", "CMD") for arguments in arguments_of(name)]
    assert command == [["costeer"], ["serve"]]


@pytest.mark.parametrize(("answer", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_health_check_tells_whether_the_server_answers(answer: int | None, healthy: bool) -> None:
    (check,) = arguments_of("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command[0] == "python"
    with served(answer or 200) as (port, paths):
        # Nothing listens on port 1, of the server or of the web proxy, which is for requests to others.
        named = {"COSTEER_PORT": str(port if answer else 1), "http_proxy": "http://127.0.0.1:1"}
        done = subprocess.run(
            [sys.executable, *command[1:]], env=os.environ | named, check=False, stderr=subprocess.DEVNULL
        )
    assert done.returncode == (0 if healthy else 1)
    assert paths == (["/health"] if answer else [])


@contextmanager
def served(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that answers everything with `status`, and the paths it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, paths
        finally:
            server.shutdown()
            thread.join()
