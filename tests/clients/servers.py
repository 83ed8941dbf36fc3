"""The servers under test, started from this working tree and stopped again: CoSteer, and the fake vLLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).with_name("fake_vllm.py")
MODEL_VLLM = Path(__file__).with_name("model_vllm.py")
FAST_FAKE = Path(__file__).with_name("fast_fake.py")
BUNDLE = "smollm2-135m-instruct"
TOOLS_BUNDLE = "qwen2.5-coder-0.5b-instruct"  # its template has tools
MAX_MODEL_LEN = 8192
START_SECONDS = 120
STOP_SECONDS = 30
# COSTEER_SOURCE tests another checkout with the same environment.
SOURCE = Path(os.environ.get("COSTEER_SOURCE", ROOT))
PYTHON = str(ROOT / ".venv/bin/python")
PROFILE = {
    "id": "isabel",
    "name": "Isabel",
    "fields": {"writing_style": "Warm, with exclamation marks", "job": "Baker in Lisbon"},
}


@dataclass(frozen=True)
class Server:
    """One that answers."""

    port: int
    pid: int

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.root + path, timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def post(self, path: str, body: object, media_type: str = "application/json") -> Any:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": media_type})  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    @property
    def rss_mib(self) -> float:
        """Memory that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it has used, of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def fake_vllm(seconds_a_token: float | None = None) -> Iterator[Server]:
    """The scripted remote; how long a token of its essays takes."""
    port = _free_port()
    pace = [] if seconds_a_token is None else ["--seconds-a-token", str(seconds_a_token)]
    with _started([PYTHON, str(FAKE), "--port", str(port), *pace], {}, port) as server:
        yield server


@contextmanager
def model_vllm(folder: str) -> Iterator[Server]:
    """A remote with a small model in it: a folder that transformers takes."""
    port = _free_port()
    command = [PYTHON, str(MODEL_VLLM), "--port", str(port), "--model", folder]
    with _started(command, {}, port) as server:
        yield server


@contextmanager
def fast_fake(delay_ms: float = 0) -> Iterator[Server]:
    """A remote that costs next to nothing, and takes so long for a whole answer."""
    port = _free_port()
    command = [PYTHON, str(FAST_FAKE), "--port", str(port), "--delay-ms", str(delay_ms)]
    with _started(command, {}, port) as server:
        yield server


@contextmanager
def costeer(remote: Server | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """CoSteer with an empty database, in front of `remote`, else with the small model in both roles."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "COSTEER_DATA_DIR": folder,
            "COSTEER_PORT": str(port),
            "COSTEER_LOCAL_MODEL": BUNDLE,
            "COSTEER_EMBEDDED_MODEL": BUNDLE,
            "COSTEER_REMOTE_BASE_URL": remote.base_url if remote else "embedded",
            "COSTEER_MAX_MODEL_LEN": str(MAX_MODEL_LEN),
            **(settings or {}),
        }
        command = [PYTHON, "-c", "from app.cli import main; main()", "serve"]
        with _started(command, environment, port) as server:
            yield server


@contextmanager
def prism(command: str, specification: Path) -> Iterator[Server]:
    """Stoplight's mock, which answers what OpenAI's specification says."""
    port = _free_port()
    with _started([command, "mock", "-p", str(port), str(specification)], {}, port, "/models") as server:
        yield server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _started(
    command: list[str], environment: Mapping[str, str], port: int, path: str = "/health"
) -> Iterator[Server]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=SOURCE,
            env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(port, process.pid)
        try:
            _wait(server, process, path)
            yield server
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server, process: subprocess.Popen[bytes], path: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    request = urllib.request.Request(server.root + path, headers={"Authorization": "Bearer x"})  # noqa: S310
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return
        time.sleep(0.2)
    raise RuntimeError(f"{process.args!r} does not answer")
