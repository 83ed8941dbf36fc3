"""Milliseconds to the headers and the role chunk of a steered, streamed reply to a prompt of 4,000 tokens."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time

TOKENS = 4000
RUNS = 5
LIMIT_MS = 200.0


def main(port: str, model: str) -> int:
    measured = [first_bytes(int(port), model, number) for number in range(RUNS)]
    sizes = {size for _, _, size in measured}
    print(f"prompts of {min(sizes)} to {max(sizes)} tokens; milliseconds, median and worst of {RUNS}:")
    failed = min(sizes) < TOKENS
    for name, times in (
        ("headers", [h for h, _, _ in measured]),
        ("role chunk", [r for _, r, _ in measured]),
    ):
        print(f"{name} {statistics.median(times):.0f}, {max(times):.0f}")
        failed |= statistics.median(times) >= LIMIT_MS
    return int(failed)


def first_bytes(port: int, model: str, number: int) -> tuple[float, float, int]:
    """To the headers, to the role chunk, and the size of the prompt; reads the reply to its end."""
    words = " ".join(f"harbour {number} wind" for _ in range(TOKENS // 4))
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": f"{words}. What is this about?"}],
            "max_tokens": 2,
            "profile": "isabel",
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.connect()
    start = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    headers = time.perf_counter() - start
    if answer.status != http.HTTPStatus.OK:
        raise SystemExit(f"FAILED {answer.status}: {answer.read(500)!r}")
    role = size = None
    for line in answer:
        if line.startswith(b"data: {"):
            chunk = json.loads(line[6:])
            if role is None and chunk["choices"][0]["delta"].get("role"):
                role = time.perf_counter() - start
            size = (chunk.get("usage") or {}).get("prompt_tokens", size)
    connection.close()
    if role is None or size is None:
        raise SystemExit("FAILED no role chunk, or no usage")
    return 1000 * headers, 1000 * role, size


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
