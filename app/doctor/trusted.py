"""Checks of the server of the small model: reachable, encrypted, key, model, tokenizer, logprobs, and speed.

They send it the fixed texts of this file and of app/tokenization/probes.py, and nothing else.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable

import numpy as np

from app.doctor.check import Check, Verdict, failed, ok, skipped, warning
from app.errors import CoSteerError, TrustedError, TrustedTimeout, TrustedUnavailable
from app.local.trusted.server import TrustedServer
from app.network.address import without_user
from app.prompts.private import PrivatePrompt
from app.steering.candidates import UNLISTED
from app.tokenization.tokenizer import Tokenizer

NAMES = ("small server", "small key", "small model", "small tokenizer", "small logprobs", "small speed")
TEXT = "The quick brown fox jumps over the lazy dog. "
SALT = "costeer doctor"
LONG_TOKENS, TRIPS = 400, 5
# Of what a long prompt takes for the first time, what it may take again where it is cached.
CACHED, SLOW_SECONDS = 0.7, 0.2


def checks(
    server: TrustedServer,
    tokenizer: Callable[[], Awaitable[Tokenizer]],
    *,
    url: str,
    plaintext: str,
    has_key: bool,
    top_logprobs: int,
    spared: bool = False,
) -> list[Check]:
    """`url`, `plaintext` and `has_key` come from the settings, for the messages. `tokenizer` loads the one
    that prompts are made with. `spared`: the server must not be made to read long prompts."""
    speed = _spared if spared else lambda: _speed(server, tokenizer)
    runs = (
        lambda: _reached(server, without_user(url), plaintext),
        lambda: _let_in(server, has_key=has_key),
        lambda: _served(server),
        lambda: _tokenizer(server, tokenizer),
        lambda: _logprobs(server, tokenizer, top_logprobs),
        speed,
    )
    needs = ((), NAMES[:1], NAMES[1:2], NAMES[2:3], NAMES[3:4], NAMES[4:5])
    return [Check(name, run, need, seconds=90) for name, run, need in zip(NAMES, runs, needs, strict=True)]


async def _reached(server: TrustedServer, url: str, plaintext: str) -> Verdict:
    start = "Start the vLLM there, or correct COSTEER_LOCAL_BASE_URL."
    told = "private text is sent there"
    if url.startswith("http:") and not server.on_this_machine:
        told += f", without TLS: {plaintext}"
    try:
        return ok(f"{url} is a vLLM {await server.version()}; {told}")
    except (TrustedUnavailable, TrustedTimeout) as error:
        seen, _, mend = error.message.partition(". ")
        return failed(f"{url}: {seen.removesuffix('.')}.", mend if "SSL" in mend else start)
    except TrustedError:
        return warning(
            f"{url} answers, but tells no version at /version, as a vLLM does; {told}.",
            "COSTEER_LOCAL_BASE_URL should end in a vLLM's /v1.",
        )


async def _let_in(server: TrustedServer, *, has_key: bool) -> Verdict:
    try:
        await server.models()
    except TrustedError as error:
        if error.code != "trusted_unauthorized":
            raise
        seen = "It refuses COSTEER_LOCAL_API_KEY." if has_key else "It asks for an API key."
        return failed(seen, "COSTEER_LOCAL_API_KEY=... (what its vLLM was started with as --api-key)")
    if await server.asks_for_key():
        return ok("It accepts the key")
    if server.on_this_machine:
        return ok("It asks for none")
    return warning(
        "It asks for no key: whoever reaches it may use it, though not read what others have sent.",
        "Start its vLLM with --api-key, and set COSTEER_LOCAL_API_KEY.",
    )


async def _served(server: TrustedServer) -> Verdict:
    try:
        served = await server.served()
    except TrustedError as error:
        return failed(error.message, "COSTEER_LOCAL_MODEL=... (what its vLLM serves)")
    size = "no max_model_len told" if served.max_model_len is None else f"{served.max_model_len:,} tokens"
    return ok(f"{served.id}, {size}")


async def _tokenizer(server: TrustedServer, tokenizer: Callable[[], Awaitable[Tokenizer]]) -> Verdict:
    try:
        await server.compare(await tokenizer())
    except CoSteerError as error:
        return failed(error.message, "COSTEER_LOCAL_TOKENIZER=... (the hub id or folder of its model)")
    return ok("Prompts are made with its own")


async def _logprobs(
    server: TrustedServer, tokenizer: Callable[[], Awaitable[Tokenizer]], top_logprobs: int
) -> Verdict:
    prompt = PrivatePrompt(tuple((await tokenizer()).encode(TEXT)))
    await server.values([prompt], SALT, np.arange(3))
    wanted = top_logprobs + 1 + UNLISTED
    told = len((await server.tops([prompt], SALT, wanted))[0])
    if told < wanted:
        return warning(
            f"It tells {told} of its likeliest tokens; `auto` takes up to {wanted} to add its own.",
            f"Start its vLLM with --max-logprobs {wanted + UNLISTED}.",
        )
    return ok(f"It tells those of chosen tokens, and {wanted} of its likeliest")


async def _speed(server: TrustedServer, tokenizer: Callable[[], Awaitable[Tokenizer]]) -> Verdict:
    """Reads a long prompt twice: the second time it should be in the prefix cache. Then scores behind it."""
    ids = (await tokenizer()).encode(TEXT)
    most = (await server.served()).max_model_len or LONG_TOKENS + 1
    # Another one each time that it is asked for, so that the first reading is one.
    begin = [ids[time.time_ns() // 10**place % len(ids)] for place in range(8)]
    long = (*begin, *(ids * (LONG_TOKENS // len(ids) + 1)))[: min(LONG_TOKENS, most - 2)]
    first = await _seconds(server.read([PrivatePrompt(long)], SALT))
    again = await _seconds(server.read([PrivatePrompt(long)], SALT))
    trips = [
        await _seconds(server.values([PrivatePrompt((*long, one))] * 2, SALT, np.arange(20)))
        for one in ids[:TRIPS]
    ]
    seen = f"A score takes {statistics.median(trips) * 1000:.0f} ms behind {len(long)} tokens"
    if again > CACHED * first and first > SLOW_SECONDS:
        return warning(
            f"{seen}; these were read as slowly for the second time: nothing is cached.",
            "Start its vLLM with --enable-prefix-caching.",
        )
    return ok(f"{seen}, which took {first * 1000:.0f} ms to read and {again * 1000:.0f} ms again")


async def _seconds(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _spared() -> Verdict:
    return skipped("Not looked at: its long prompts would take this machine from replies.", "costeer doctor")
