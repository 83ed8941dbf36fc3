"""A real vLLM on the CPU, from .venv-vllm (install-vllm.sh puts it there).

One for `costeer bench`, until Ctrl-C: .venv/bin/python tests/e2e/vllm_server.py FOLDER [OPTION...]
with a folder that `costeer models pull` names, and options of vLLM's, such as
--enable-auto-tool-choice --tool-call-parser hermes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
MODEL = "smol"
MAX_MODEL_LEN = 4096
MAX_LOGPROBS = 50
START_SECONDS = 600  # a slow machine that does other things as well
STOP_SECONDS = 60
# What a vLLM needs so that it may call tools, with the parser of Qwen's calls.
TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")

ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class VLLMServer:
    """A vLLM that answers: its port, the model it serves as `model`, and the leader of its process group."""

    port: int
    model: str = MODEL
    pid: int = 0

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root}/v1"

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        async with httpx.AsyncClient(timeout=30) as client:
            text = (await client.get(f"{self.root}/metrics")).raise_for_status().text
        lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def serve_vllm(model_path: str, *options: str, port: int = 0) -> Iterator[VLLMServer]:
    """Serve a transformers folder while the block runs, at `port` or a free one, with more `options` of
    vLLM's. Raises RuntimeError with the end of vLLM's log.

    In a session of its own it competes for the processor as one that was started elsewhere does: Linux may
    share time between sessions first, and among the threads of each only then.
    """
    if not PYTHON.exists():
        raise RuntimeError("There is no .venv-vllm. Run tests/e2e/install-vllm.sh first.")
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "vllm.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_command(model_path, port), *options],
                cwd=folder,  # inside the vllm package it would import from there
                env={**os.environ, **ENVIRONMENT},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = VLLMServer(port, pid=process.pid)
        try:
            _wait_until_healthy(server, process, log)
            yield server
        finally:
            _stop(process)


def _command(model_path: str, port: int) -> list[str]:
    options = {
        "model": model_path,
        "served-model-name": MODEL,
        "host": "127.0.0.1",
        "port": port,
        "dtype": "bfloat16",
        "max-model-len": MAX_MODEL_LEN,
        "max-logprobs": MAX_LOGPROBS,
        "max-num-batched-tokens": 512,
        "max-num-seqs": 4,
        "block-size": 32,
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    # The `vllm` console script fails with the CPU build.
    return [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", *arguments, "--enforce-eager"]


def _wait_until_healthy(server: VLLMServer, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{server.root}/health", timeout=10).is_success:
                return
        time.sleep(0.5)
    state = "did not answer in time" if process.poll() is None else f"ended with {process.returncode}"
    raise RuntimeError(f"vLLM {state}. The end of its log:\n{log.read_text(errors='replace')[-6000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # Its engine is a process of its own, which outlives a server that was killed.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), serve_vllm(*sys.argv[1:]) as served:
        print(served.base_url, flush=True)
        signal.pause()
