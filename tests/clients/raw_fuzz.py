"""Raw bytes against a server, right and wrong as HTTP: PORT PID [COUNT [FIRST]].

No answer may be to what is no request (bodies hold what looks like one), nothing is a 500, the server goes on
answering, and its memory stays level. tests/raw_requests.py makes the bytes, and reads them by RFC 9112.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator

from raw_requests import faults, made
from servers import Server

COUNT = 20_000
# What is loaded with the first requests is no leak, nor what waits for the garbage collector.
FIRST = 12_000
AT_ONCE = 8
LEVEL_MIB = 30.0
PATIENCE_SECONDS = 60.0


def main(port: str, pid: str, count: str = str(COUNT), first: str = "0") -> int:
    server = Server(int(port), int(pid))
    told: Counter[str] = Counter()
    start, end = int(first), int(first) + int(count)
    middle = min(start + FIRST, end)
    wrong = asyncio.run(send(server, iter(range(start, middle)), told))
    before = server.rss_mib
    wrong += asyncio.run(send(server, iter(range(middle, end)), told))
    grown = server.rss_mib - before
    for line in wrong[:40]:
        print(f"FAILED {line}")
    if grown > LEVEL_MIB:
        print(f"FAILED memory grew by {grown:.0f} MiB")
    alive = server.get("/health") == {"status": "ok"}
    answers = ", ".join(f"{number} of {status}" for status, number in sorted(told.items()))
    print(f"{count} connections; answers: {answers}; memory {before:.0f} MiB, {grown:+.1f}")
    return int(bool(wrong) or grown > LEVEL_MIB or not alive)


async def send(server: Server, seeds: Iterator[int], told: Counter[str]) -> list[str]:
    wrong: list[str] = []

    async def one_after_another() -> None:
        for seed in seeds:
            sent = made(seed)
            try:
                came = await exchange(server.port, sent, whole=seed % 2 == 0)
            except TimeoutError:
                wrong.append(f"{seed}: no end")
                continue
            told.update(status.decode() for status in re.findall(rb"HTTP/1\.1 ([2-9]\d\d) ", came))
            wrong.extend(f"{seed}: {fault}" for fault in faults(sent, came))

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return wrong


async def exchange(port: int, sent: bytes, *, whole: bool) -> bytes:
    """All that comes, for bytes that are sent in one packet or in several."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = b""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            size = len(sent) if whole else max(1, len(sent) // 7)
            for at in range(0, len(sent), size):
                writer.write(sent[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            writer.write_eof()
            while piece := await reader.read(65536):
                came += piece
    except OSError:  # the connection is gone; what came counts
        pass
    finally:
        writer.close()
    return came


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
