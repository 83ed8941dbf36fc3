"""A remote that answers at once from a bare asyncio protocol, so that it is not what is measured.

Streams carry in each event the time at which it was sent, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

MODEL = "fast-fake"
EVENTS = 40
PACE_SECONDS = 0.005
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
HEAD = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": "Hello there, friend.",
    "refusal": None,
    "annotations": [],
}
CHOICE = {"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}
CARD = {"id": MODEL, "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 8192}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125, 1.0] * 96}
ANSWERS: dict[bytes, dict[str, Any]] = {
    b"/v1/models": {"object": "list", "data": [CARD]},
    b"/v1/embeddings": {"object": "list", "data": [VECTOR], "model": MODEL, "usage": USAGE},
    b"/v1/chat/completions": {**HEAD, "object": "chat.completion", "choices": [CHOICE], "usage": USAGE},
    b"/health": {},
}
START = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection. Takes one request at a time, as clients send them."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        declared = [line for line in head.lower().split(b"\r\n")[1:] if line.startswith(b"content-length:")]
        if len(body) < sum(int(line.partition(b":")[2]) for line in declared):
            return
        self._received = b""
        path = head.split(b" ", 2)[1]
        if b'"stream":true' in body.replace(b" ", b""):
            self._write(START)
            self._event(0)
        else:
            whole = WHOLE.get(path, MISSING)
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._write, whole)
            else:
                self._write(whole)

    def _event(self, number: int) -> None:
        if number == EVENTS:
            self._write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            return
        choice = {"index": 0, "delta": {"content": "word "}, "logprobs": None, "finish_reason": None}
        body = {**HEAD, "object": "chat.completion.chunk", "choices": [choice], "sent": time.monotonic()}
        self._write(_chunk(b"data: " + json.dumps(body).encode() + b"\n\n"))
        asyncio.get_running_loop().call_later(PACE_SECONDS, self._event, number + 1)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _whole(body: object, status: str = "200 OK") -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    return head.encode() + data


WHOLE = {path: _whole(body) for path, body in ANSWERS.items()}
MISSING = _whole({"error": {"message": "no such path"}}, "404 Not Found")


async def serve(port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=0, help="what a whole answer takes")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.delay_ms / 1000))
