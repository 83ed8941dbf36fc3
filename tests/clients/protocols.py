"""Clients that speak HTTP in other ways than most: http1.0 | http2 | jdk | litellm, then BASE_URL MODEL."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

JDK = Path(__file__).with_name("JdkClient.java")
SECONDS = 120


def request(model: str, *, stream: bool) -> str:
    message = {"role": "user", "content": "Say hello."}
    return json.dumps({"model": model, "messages": [message], "max_tokens": 24, "stream": stream})


def http_1_0(base_url: str, model: str) -> str:
    """No chunks, and the end of the answer is that of the connection; with our half of it ended, or not."""
    address = urlsplit(base_url)
    for stream, ends in ((False, False), (True, False), (False, True), (True, True)):
        body = request(model, stream=stream)
        head = f"POST {address.path}/chat/completions HTTP/1.0\r\nHost: {address.netloc}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((address.hostname, address.port or 80), timeout=SECONDS) as connection:
            connection.sendall((head + body).encode())
            if ends:
                connection.shutdown(socket.SHUT_WR)
            came = b"".join(iter(lambda: connection.recv(65536), b""))
        lines, _, answer = came.partition(b"\r\n\r\n")
        expect(b" 200 " in lines.splitlines()[0], came[:300])
        expect(b"transfer-encoding" not in lines.lower(), lines)
        if stream:
            events = [line for line in answer.splitlines() if line]
            expect(all(line.startswith(b"data: ") for line in events), answer[:300])
            expect(events[-1] == b"data: [DONE]", answer[-300:])
        else:
            expect("choices" in json.loads(answer), answer[:300])
    return "two whole replies and two streams, unframed"


def http_2(base_url: str, model: str) -> str:
    """curl asks for an upgrade, and takes the answer in HTTP/1.1."""
    for stream in (False, True):
        command = ["curl", "-sS", "-N", "--http2", "--max-time", str(SECONDS), f"{base_url}/chat/completions"]
        command += ["-H", "Content-Type: application/json", "-d", request(model, stream=stream)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        wanted = "data: [DONE]" if stream else '"finish_reason"'
        expect(run.returncode == 0 and wanted in run.stdout, f"{run.stdout[:300]}{run.stderr[:300]}")
    return "a whole reply and a stream"


def jdk(base_url: str, model: str) -> str:
    if shutil.which("java") is None:
        return "skipped: there is no java on this machine"
    run = subprocess.run(
        ["java", str(JDK), base_url, model], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    expect(run.returncode == 0, f"{run.stdout[:300]}{run.stderr[:300]}")
    return run.stdout.strip()


def litellm(base_url: str, model: str) -> str:
    """With fields that mean something at OpenAI only: the reply is written all the same."""
    completion = import_module("litellm").completion
    for fields in ({"store": True}, {"store": False}, {"service_tier": "flex"}, {"service_tier": "auto"}):
        reply = completion(
            model=f"openai/{model}",
            api_base=base_url,
            api_key="unused",
            messages=[{"role": "user", "content": "Say hello."}],
            max_tokens=24,
            num_retries=0,
            **fields,
        )
        expect(bool(reply.choices[0].message.content), f"nothing was said with {fields}")
    return "store and service_tier are answered"


def expect(holds: bool, otherwise: object) -> None:
    if not holds:
        raise AssertionError(otherwise)


CLIENTS: Mapping[str, Callable[[str, str], str]] = {
    "http1.0": http_1_0,
    "http2": http_2,
    "jdk": jdk,
    "litellm": litellm,
}


def main(name: str, base_url: str, model: str) -> int:
    try:
        print(CLIENTS[name](base_url, model))
    except Exception as error:
        print(f"FAILED {type(error).__name__}: {str(error)[:400]}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
