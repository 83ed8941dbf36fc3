"""Checks of a vLLM: reachable, API key, model, top_logprobs, round-trip time, prefix cache, re-requests.

They send the fixed texts of this file and of app/tokenization/probes.py, and nothing else.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing

from app.doctor import asking_again
from app.doctor.check import Check, Verdict, failed, ok, skipped, warning
from app.errors import CoSteerError, ModelNotFound, RemoteError, RemoteTimeout, RemoteUnavailable
from app.network.address import without_user
from app.network.proxy import UNUSED, Proxy
from app.remote.interface import UNTOLD
from app.remote.session import new_session
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams

NAMES = ("remote", "api key", "model", "logprobs", "round trip", "prefix cache", asking_again.NAME)
# vLLM before 0.8 returns logprobs after temperature and penalties.
TOO_OLD = re.compile(r"0\.[0-7]\.\d+(?![\w.]*dev)")
AT_MOST = re.compile(r"max allowed: (\d+)")
GREETING = "Hello"
TRIPS = 5
# Nonsense text that fills a few blocks of vLLM's prefix cache: of 16 tokens each, or up to 128 on a CPU.
LONG = " ".join(f"{a}{b}{c}" for a in ("blen", "dro", "ka") for b in ("mi", "zu", "fo") for c in ("x", "tte"))
LONG_TOKENS = 400
SOME = range(300, 400)  # ids that every vocabulary has
# Seconds after which vLLM's metrics are up to date.
COUNTED = 0.5


def checks(
    remote: VLLMRemote,
    *,
    url: str,
    has_key: bool,
    top_logprobs: int,
    proxy: Proxy | None = None,
    unused: bool = False,
    spared: bool = False,
) -> list[Check]:
    """`url`, `has_key` and `proxy` come from the settings, for the messages; `unused`: the settings name a
    proxy, but the remote is reached directly; `spared`: it must not be made to read long prompts."""
    url = without_user(url)
    named = {
        "remote": Check("remote", lambda: _reached(remote, url, proxy, unused=unused)),
        "api key": Check("api key", lambda: _let_in(remote, has_key), needs=("remote",)),
        "model": Check("model", lambda: _served(remote), needs=("api key",)),
        "logprobs": Check("logprobs", lambda: _logprobs(remote, top_logprobs), needs=("model",), seconds=60),
        "round trip": Check("round trip", lambda: _round_trip(remote), needs=("api key",)),
        "prefix cache": Check("prefix cache", lambda: _prefix_cache(remote), needs=("model",), seconds=120),
        asking_again.NAME: Check(asking_again.NAME, lambda: _again(remote), needs=("model",), seconds=120),
    }
    if spared:
        for name in ("prefix cache", asking_again.NAME):
            named[name] = Check(name, _spared, needs=("model",))
    return [named[name] for name in NAMES]


def refused(error: CoSteerError, names: Sequence[str]) -> list[Check]:
    """The checks of a remote whose URL or proxy cannot be used: the first fails, the others are skipped."""

    async def verdict() -> Verdict:
        seen, _, mend = error.message.partition(". ")
        return failed(f"{seen.removesuffix('.')}.", mend)

    first, *others = names
    return [Check(first, verdict), *(Check(name, verdict, needs=(first,)) for name in others)]


async def _reached(remote: VLLMRemote, url: str, proxy: Proxy | None, *, unused: bool) -> Verdict:
    start = "Start the vLLM there, or correct COSTEER_REMOTE_BASE_URL (http://host:8001/v1, or embedded)."
    try:
        version = await remote.version()
    except (RemoteUnavailable, RemoteTimeout) as error:
        return failed(f"{url}: {error.message.partition('. ')[0].removesuffix('.')}.", start)
    except RemoteError:
        return await _reached_without_version(remote, url)
    if TOO_OLD.match(version):
        return failed(f"{url} is a vLLM {version}.", "Upgrade it to 0.8 or later: pip install -U vllm")
    if unused:
        return warning(f"{url} is a vLLM {version}. {UNUSED}", "Unset COSTEER_REMOTE_PROXY.")
    through = "" if proxy is None else f", through the proxy {proxy}"
    return ok(f"{url} is a vLLM {version}{through}")


async def _reached_without_version(remote: VLLMRemote, url: str) -> Verdict:
    """A gateway may show less than a vLLM has."""
    try:
        await remote.cards()
    except RemoteError as error:
        if error.code != "remote_unauthorized":
            return warning(
                f"{url} answers, but neither at /version nor at /models, as a vLLM does.",
                "COSTEER_REMOTE_BASE_URL should end in a vLLM's /v1.",
            )
    return ok(f"{url} answers, and shows no /version: it has to be a vLLM of 0.8 or later")


async def _let_in(remote: VLLMRemote, has_key: bool) -> Verdict:
    try:
        await remote.cards()
    except RemoteError as error:
        if error.code != "remote_unauthorized":
            raise
        seen = "The remote refuses COSTEER_REMOTE_API_KEY." if has_key else "The remote asks for an API key."
        return failed(seen, "COSTEER_REMOTE_API_KEY=... (what its vLLM was started with as --api-key)")
    if not has_key:
        return ok("The remote asks for none")
    asks = await remote.asks_for_key()
    return ok("The remote accepts it" if asks else "The remote asks for none; it is sent one all the same")


async def _served(remote: VLLMRemote) -> Verdict:
    try:
        card = await remote.card()
    except ModelNotFound as error:
        served = [one.id for one in await remote.cards(fresh=False)]
        mend = f"COSTEER_REMOTE_MODEL={served[0]}" if served else "Start the vLLM with --model."
        return failed(error.message.removesuffix(" Set COSTEER_REMOTE_MODEL."), mend)
    size = "no max_model_len told" if card.max_model_len is None else f"{card.max_model_len:,} tokens"
    return ok(f"{card.id}, {size}")


async def _logprobs(remote: VLLMRemote, wanted: int) -> Verdict:
    try:
        prompt = await _ids(remote, GREETING)
        drafted = remote.draft(
            prompt, sampling=SamplingParams(temperature=0.0), top_logprobs=wanted, max_tokens=1
        )
        async with aclosing(drafted) as positions:
            given = [len(position.candidates) async for position in positions]
    except RemoteError as error:
        if error.code != "logprobs_cap":
            raise
        cap = AT_MOST.search(error.message)
        return _too_few(wanted, int(cap[1]) if cap else None)
    if not given:
        return failed("The remote drafted no token with logprobs.", "It has to be a vLLM of 0.8 or later.")
    return ok(f"{wanted} for each token, as asked for") if given[0] >= wanted else _too_few(wanted, given[0])


def _too_few(wanted: int, given: int | None) -> Verdict:
    less = "" if given is None else f"; the remote gives at most {given}"
    lower = "lower COSTEER_TOP_LOGPROBS" if given is None else f"set COSTEER_TOP_LOGPROBS={given}"
    return failed(
        f"COSTEER_TOP_LOGPROBS={wanted} is too many{less}.",
        f"Start vLLM with --max-logprobs {wanted}, or {lower}.",
    )


async def _round_trip(remote: VLLMRemote) -> Verdict:
    took = []
    for _ in range(TRIPS):
        started = time.perf_counter()
        await remote.cards()
        took.append(time.perf_counter() - started)
    return ok(f"{statistics.median(took) * 1000:.1f} ms, the median of {TRIPS} small requests")


async def _prefix_cache(remote: VLLMRemote) -> Verdict:
    """Sends the same long prompt twice: the second time it should be in the cache."""
    remote = remote.in_session(new_session())  # so that a router sends both to one replica
    ids = await _ids(remote, LONG)
    most = (await remote.card()).max_model_len or LONG_TOKENS + 1
    prompt = ([*ids] * (LONG_TOKENS // max(1, len(ids)) + 1))[: min(LONG_TOKENS, most - 1)]
    told = await remote.cached_tokens(prompt)
    before = await _hits(remote) if told is None else None
    told = await remote.cached_tokens(prompt)
    if told is None and before is not None:
        after = await _hits(remote)
        told = round(after - before) if after is not None else None
    if told is None:
        return skipped(
            "Not told: neither its answers nor /metrics say what was cached.",
            "Start vLLM with --enable-prompt-tokens-details to see it.",
        )
    if told <= 0:
        return warning(
            f"Of a prompt of {len(prompt)} tokens, sent twice, none was cached: each draft reads all anew.",
            "Start vLLM with --enable-prefix-caching.",
        )
    if told >= len(prompt):  # vLLM always recomputes the last token
        return ok("At work, by /metrics, which counts what others ask for as well")
    return ok(f"At work: {told} of {len(prompt)} tokens of a prompt sent twice were cached")


async def _ids(remote: VLLMRemote, text: str) -> Sequence[int]:
    """Token ids of a text; some others, where the remote tells none."""
    try:
        return await remote.tokenize_text(text)
    except RemoteError as error:
        if error.code != UNTOLD:
            raise
        return SOME


async def _again(remote: VLLMRemote) -> Verdict:
    remote = remote.in_session(new_session())  # as the requests of a reply are
    return await asking_again.measured(remote, await _ids(remote, LONG))


async def _spared() -> Verdict:
    return skipped("Not looked at: its long prompts would take this machine from replies.", "costeer doctor")


async def _hits(remote: VLLMRemote) -> float | None:
    await asyncio.sleep(COUNTED)
    try:
        return await remote.prefix_cache_hits()
    except RemoteError:
        return None
