"""What the server of the small model answers where it is no vLLM, or none that is well."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest

from app.errors import TrustedError, TrustedTimeout
from app.local.interface import Wanted
from app.local.trusted import wire
from app.local.trusted.model import TrustedModel
from app.network import outgoing
from local.trusted.test_server import AWARE, CONTRASTS, TOKENIZER, VOCABULARY, server, toy
from local.trusted.toy_server import ToyServer


class Odd(ToyServer):
    """Answers whose rows of logprobs are `changed`."""

    def __init__(self, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__(toy)
        self.changed = changed

    def _row(self, *given: Any, **named: Any) -> dict[str, Any]:
        return self.changed(super()._row(*given, **named))


def each(value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: dict.fromkeys(row, value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (each(None), "not a vLLM's"),
        (each("a"), "not a vLLM's"),
        (each({}), "not a vLLM's"),
        (each([-1.0]), "not a vLLM's"),
        (each(7.5), "no logprobs"),
        (lambda row: {name: None if value < -3 else value for name, value in row.items()}, "not a vLLM's"),
        (lambda row: {f"token_id:{2**70}": -0.1, **row}, "not a vLLM's"),
        (lambda row: {"token_id:-5": -0.1, **row}, "not a vLLM's"),
        (lambda row: {"token": -0.1, **row}, "not a vLLM's"),
        (lambda row: {"token_id:05": -0.1, **row}, "not a vLLM's"),
    ],
)
async def test_what_is_no_logprob_of_a_token_never_gets_to_a_reply(
    changed: Callable[[dict[str, Any]], dict[str, Any]], words: str
) -> None:
    odd = TrustedModel(server(Odd(changed)), TOKENIZER, 4)
    with pytest.raises(TrustedError, match=words):
        async with odd.session(CONTRASTS) as session:
            await session.score([9], 0, Wanted([np.arange(8), np.arange(8)], own=5))


@pytest.mark.parametrize(
    "answer",
    [b"{}", b'{"choices":[]}', b'{"choices":[{"index":0}]}', b'{"choices":[{"index":0,"logprobs":{}}]}'],
)
async def test_an_answer_that_is_no_vllm_s_is_called_that_and_not_an_old_one_s(answer: bytes) -> None:
    transport = ToyServer(toy)
    trusted = server(transport)
    await trusted.check(TOKENIZER)
    transport.refusing = httpx.Response(200, content=answer)
    with pytest.raises(TrustedError, match="not a vLLM's"):
        await trusted.values([AWARE], "salt", np.array([1, 2]))


async def test_a_token_beyond_the_tokenizer_is_no_candidate_and_nothing_is_less_likely_than_nothing() -> None:
    odd = TrustedModel(
        server(Odd(lambda row: {f"token_id:{VOCABULARY}": -0.1, **dict.fromkeys(row, -1e300)})),
        TOKENIZER,
        4,
    )
    async with odd.session(CONTRASTS) as session:
        (scored,) = await session.score([], 0, Wanted([np.arange(8)], own=5))
    assert scored.likeliest(5, np.arange(8)).size == 0
    assert (scored.logprobs(np.arange(8)) == wire.LEAST).all()


async def test_a_size_that_is_none_is_not_believed() -> None:
    for told in (b'"100"', b"-1", b"true", b"0", b"null", b"1e3"):
        assert wire.served(b'{"data":[{"id":"toy","max_model_len":%s}]}' % told)[0].max_model_len is None


async def drip(parts: int, part: bytes) -> AsyncIterator[bytes]:
    for _ in range(parts):
        await asyncio.sleep(0.01)
        yield part


@pytest.mark.parametrize(
    ("kind", "seconds", "part"), [(TrustedTimeout, 0.05, b" "), (TrustedError, 60.0, b" " * 1000)]
)
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_without_an_end_is_given_up(
    kind: type[TrustedError], seconds: float, part: bytes, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "MOST_BYTES", 20_000)
    transport = ToyServer(toy)
    trusted = server(transport, read_timeout=seconds)
    await trusted.check(TOKENIZER)
    transport.refusing = httpx.Response(status, content=drip(10_000, part))
    with pytest.raises(TrustedError) as caught:
        await trusted.values([AWARE], "salt", np.array([1, 2]))
    assert type(caught.value) is kind


async def test_a_compressed_answer_is_bounded_by_what_it_decompresses_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "MOST_BYTES", 100_000)
    transport = ToyServer(toy)
    trusted = server(transport)
    await trusted.check(TOKENIZER)
    bomb = drip(1, gzip.compress(b" " * 10_000_000))
    transport.refusing = httpx.Response(200, content=bomb, headers={"content-encoding": "gzip"})
    with pytest.raises(TrustedError, match="more than any answer"):
        await trusted.values([AWARE], "salt", np.array([1, 2]))
