"""Raw bytes for a server to read as HTTP, right and wrong, and which requests RFC 9112 finds in them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"CONNECT", b"get", b"G T", b"", b"\x00", b"PRI")
TARGETS = (
    *(b"/health", b"/v1/models", b"/v1//models", b"/no/such", b"/%00%ff", b"/a?b=c#d", b"*", b"", b"health"),
    *(
        b"http://localhost/health",
        b"http://other.example/v1/profiles",
        b"localhost:443",
        b"/" + b"a" * 70_000,
    ),
    *(b"/v1/chat/completions", b"/v1/embeddings", b"/\xff", b"/a b", b"//", b"/v1/profiles/../models"),
)
VERSIONS = (b"HTTP/1.1",) * 6 + (
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/1.9",
    b"HTTP/0.9",
    b"HTTP/1.1 ",
    b"http/1.1",
)
HOSTS = (
    *(b"Host: localhost\r\n",) * 8,
    *(b"", b"Host: localhost\r\nHost: other\r\n", b"Host: a b\r\n", b"Host : localhost\r\n", b"Host:\r\n"),
)
EXTRAS = (
    *(b"",) * 6,
    *(b"Connection: close\r\n", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"),
    *(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n", b"Expect: 100-continue\r\n"),
    *(
        b"X-Nul: a\x00b\r\n",
        b"X-Cr: a\rb\r\n",
        b"X-Fold: a\r\n b\r\n",
        b"X-Lf: a\nX-B: b\r\n",
        b": empty\r\n",
    ),
    *(
        b"No colon\r\n",
        b"X-Long: " + b"a" * 70_000 + b"\r\n",
        b"X-\xff: a\r\n",
        b"X-Latin: \xe9\r\n",
        b" X: a\r\n",
    ),
    *(b"Content-Type: application/json\r\n", b"Trailer: X\r\n", b"TE: trailers\r\n", b"X-A: b\r\n" * 9000),
)
# How a body's length is told: %d is its length, and CHUNKS stands for chunks.
FRAMES = (
    *(b"Content-Length: %d\r\n",) * 8,
    *(b"Transfer-Encoding: chunked\r\n",) * 5,
    *(
        b"Content-Length: %d\r\nContent-Length: %d\r\n",
        b"Content-Length: %d, %d\r\n",
        b"Content-Length: +%d\r\n",
    ),
    *(b"Content-Length: %d\r\nContent-Length: 0\r\n", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
    *(b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", b"Transfer-Encoding: xchunked\r\n"),
    *(
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ),
    *(b"Transfer-Encoding: chunked, identity\r\n", b"Content-Length: -1\r\n", b"Content-Length: 0x%x\r\n"),
    *(b"Content-Length: 99999999999999999999999\r\n", b"Content-Length: \r\n", b"Content_Length: %d\r\n"),
)
CHUNKS = (
    *(b"%x\r\n", b"%X\r\n", b"000%x\r\n", b"%x;name=value\r\n", b'%x;a="b"\r\n') * 3,
    *(
        b"%x\n",
        b"0x%x\r\n",
        b"+%x\r\n",
        b"-%x\r\n",
        b"%x;\n\r\n",
        b"ffffffffffffffffffffffff%x\r\n",
        b"\r\n",
        b"g\r\n",
    ),
)
LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?")
SANE, NEW = re.compile(rb"[ -~]{1,64}"), re.compile(rb"[0-9a-f]{32}")
MARKER = b"smuggled"


def made(seed: int) -> bytes:
    """What a connection sends: requests, each with an X-Request-Id, and with bodies that look like one."""
    rng = random.Random(seed)
    data = b"".join(_request(rng, f"{seed}-{number}".encode()) for number in range(rng.choice((1, 1, 2, 3))))
    if rng.random() < 0.25:
        at = rng.randrange(min(len(data), 400))
        cut = rng.choice((0, 1, 2))
        byte = rng.choice((b"", b"\x00", b"\r", b"\n", b"\r\n", b" ", b":", b"0", b"\xff", b"\t"))
        data = data[:at] + byte + data[at + cut :]
    return data


def _request(rng: random.Random, name: bytes) -> bytes:
    hostile = rng.random() < 0.6

    def one(choices: tuple[bytes, ...], usual: bytes) -> bytes:
        return rng.choice(choices) if hostile and rng.random() < 0.5 else usual

    frame = one(FRAMES, rng.choice(FRAMES[:13])) if rng.random() < 0.6 else b""
    body = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + MARKER + b"-" + name + b"\r\n\r\n"
    method = one(METHODS, b"POST" if frame else b"GET")
    head = method + b" " + one(TARGETS, b"/health") + b" " + one(VERSIONS, b"HTTP/1.1") + b"\r\n"
    frame = re.sub(rb"%([dx])", lambda found: (b"%" + found[1]) % len(body), frame)
    head += one(HOSTS, HOSTS[0]) + b"X-Request-Id: " + name + b"\r\n" + one(EXTRAS, b"") + frame + b"\r\n"
    if not frame:
        return head
    return head + (_chunked(rng, body, one) if b"chunked" in frame else body)


def _chunked(rng: random.Random, body: bytes, one: Callable[[tuple[bytes, ...], bytes], bytes]) -> bytes:
    size = rng.choice((len(body), 1, 7, 50))
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(_sized(one(CHUNKS, CHUNKS[0]), part) + part + b"\r\n" for part in parts)
    return framed + b"0\r\n" + rng.choice((b"", b"", b"X-Trailer: a\r\n")) + b"\r\n"


def _sized(line: bytes, part: bytes) -> bytes:
    return re.sub(rb"%([xX])", lambda found: (b"%" + found[1]) % len(part), line)


def requests(data: bytes, *, lenient: bool = False) -> Iterator[bytes]:
    """The X-Request-Id of each request in `data`, up to the first that is wrong or that ends the connection.

    Written from RFC 9112 alone. With `lenient` a line feed alone ends a line of a head, and a folded header
    is unfolded, as it allows.
    """
    while data:
        if data.startswith(b"\r\n"):
            data = data[2:]
            continue
        blank = re.search(rb"\r?\n\r?\n" if lenient else rb"\r\n\r\n", data)
        if blank is None:
            return
        head, data = data[: blank.start()], data[blank.end() :]
        if lenient:
            head = re.sub(rb"\r?\n[ \t]+", b" ", head)
        lines = re.split(rb"\r?\n" if lenient else b"\r\n", head)
        line = LINE.fullmatch(lines[0])
        fields = [FIELD.fullmatch(one) for one in lines[1:]]
        if line is None or not all(fields):
            return
        pairs = [(found[1].lower(), found[2]) for found in fields if found is not None]
        values: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        hosts = len(values.get(b"host", []))
        if hosts > 1 or (hosts == 0 and line[3] == b"1") or not _framed(values, int(line[3])):
            return
        yield b"".join(values.get(b"x-request-id", [])[:1])
        tokens = b",".join(values.get(b"connection", [])).lower().replace(b" ", b"").split(b",")
        if line[3] == b"0" or b"close" in tokens:
            return
        # Who needs no body answers before it has come, so that what is wrong with it comes too late.
        rest = _after_body(data, values)
        if rest is None:
            return
        data = rest


def _framed(values: dict[bytes, list[bytes]], minor: int) -> bool:
    """Whether the headers say where the body ends."""
    codings, lengths = values.get(b"transfer-encoding"), _lengths(values)
    if codings is not None:
        return not lengths and minor == 1 and [one.lower() for one in codings] == [b"chunked"]
    return not lengths or (len(lengths) == 1 and all(one.isdigit() for one in lengths))


def _lengths(values: dict[bytes, list[bytes]]) -> set[bytes]:
    return {one.strip() for value in values.get(b"content-length", []) for one in value.split(b",")}


def _after_body(data: bytes, values: dict[bytes, list[bytes]]) -> bytes | None:
    """What follows the body; None where that is wrong, or where more of it has to come."""
    if b"transfer-encoding" in values:
        return _after_chunks(data)
    length = sum(int(one) for one in _lengths(values))
    return data[length:] if length <= len(data) else None


def _after_chunks(data: bytes) -> bytes | None:
    while True:
        line, end, data = data.partition(b"\r\n")
        size = SIZE.fullmatch(line)
        if not end or size is None:
            return None
        length = int(size[1], 16)
        if length == 0:
            break
        if data[length : length + 2] != b"\r\n":
            return None
        data = data[length + 2 :]
    while True:  # trailers
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        if not line:
            return data


def _names(request: list[bytes], answer: bytes) -> bool:
    """Whether the answer's id is the request's; one that is none that a log could hold gets another."""
    if request and SANE.fullmatch(request[0]) is None:
        return NEW.fullmatch(answer) is not None
    return request == [answer]


def faults(sent: bytes, came: bytes) -> list[str]:
    """What is wrong with the answers `came` to `sent`; that they are of requests that were sent, foremost."""
    answers = re.findall(rb"HTTP/1\.1 ([2-9]\d\d) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", came)
    ids = [
        b"".join(re.findall(rb"(?i)^x-request-id: ([^\r\n]*)", head, re.MULTILINE)[:1]) for _, head in answers
    ]
    found = []
    if any(status == b"500" for status, _ in answers):
        found.append("a 500")
    if not all(ids):
        found.append("an answer without an id")
    allowed = [list(requests(sent, lenient=lenient)) for lenient in (False, True)]
    for number, (status, _) in enumerate(answers):
        named = [_names(one[number : number + 1], ids[number]) for one in allowed]
        last = number == len(answers) - 1
        if not any(named) and not (last and status[:1] in b"45"):
            found.append(f"answer {number} of {len(answers)} is to no request: {ids[number]!r}, {status!r}")
        if last and ids[number].startswith(MARKER) and not any(named):
            found.append("an answer to a body")
    return found
