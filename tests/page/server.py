"""`costeer serve` in a process of its own, with the smallest model as remote and as small model."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent.parent
MODEL = "smollm2-135m-instruct"
COMMAND = (sys.executable, "-c", "from app.cli import main; main()")


@dataclass(frozen=True)
class Server:
    """A running server: `url` without a slash at its end, and its data folder."""

    url: str
    data_dir: Path
    environment: dict[str, str]

    def api(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """What a request answers, as JSON; raises for a refusal."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = httpx.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def costeer(self, *arguments: str) -> str:
        """What the command prints, over the same data folder."""
        command = [*COMMAND, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[Server]:
    """Serve while the block runs; `settings` are those of the environment, without COSTEER_."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("COSTEER_")},
        "PYTHONPATH": str(ROOT),
        "COSTEER_CONFIG": "none",
        "COSTEER_DATA_DIR": str(data_dir),
        "COSTEER_EMBEDDED_MODEL": MODEL,
        "COSTEER_LOCAL_MODEL": MODEL,
        "COSTEER_PORT": "0",
        **{f"COSTEER_{name.upper()}": value for name, value in settings.items()},
    }
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(_address(process), data_dir, environment)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    """The URL that the server prints once it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.,").removesuffix("/v1")
    assert process.stderr is not None
    raise AssertionError(f"The server did not start:\n{process.stderr.read()}")
