"""The server of the small model as it should be, and each way in which it may not be, with what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any, cast

import httpx
import numpy as np
import pytest
from local.trusted.toy_server import URL, ToyServer, ToyTokenizer

from app.doctor import setup, trusted
from app.doctor.check import Finding, State
from app.local.trusted.server import TrustedServer
from app.settings.settings import Settings
from app.steering.formula import FloatArray, log_softmax
from app.tokenization.tokenizer import Tokenizer
from doctor.verdicts import findings

VOCABULARY = 200


def toy(prompt: Any) -> FloatArray:
    return log_softmax(np.random.default_rng(list(prompt)).normal(0.0, 2.0, VOCABULARY))


class Other(ToyTokenizer):
    """Not the server's."""

    def encode(self, text: str) -> list[int]:
        return [1 + len(text)]


async def examined(
    fake: ToyServer, tokenizer: ToyTokenizer | None = None, *, key: str = "", url: str = URL, **given: Any
) -> Mapping[str, Finding]:
    async def load() -> Tokenizer:
        return cast(Tokenizer, tokenizer or ToyTokenizer(VOCABULARY))

    async with aclosing(TrustedServer(url, transport=fake, api_key=key, **given)) as server:
        return await findings(
            trusted.checks(
                server, load, url=url, plaintext="our own cable", has_key=bool(key), top_logprobs=20
            )
        )


async def test_a_server_that_is_well() -> None:
    found = await examined(ToyServer(toy, key="sk"), key="sk")
    assert [one.state for one in found.values()] == [State.OK] * len(trusted.NAMES)
    assert "private text is sent there" in found["small server"].seen
    assert "TLS" not in found["small server"].seen
    assert found["small model"].seen == "toy, 100 tokens"


async def test_why_there_is_no_tls_is_said() -> None:
    found = await examined(ToyServer(toy), url="http://gpu.home:8002/v1")
    assert found["small server"].seen.endswith("without TLS: our own cable")
    assert found["small key"].state is State.WARNING


@pytest.mark.parametrize(
    ("fake", "given", "name", "state", "mend"),
    [
        (ToyServer(toy, key="sk"), {}, "small key", State.FAILED, "COSTEER_LOCAL_API_KEY"),
        (ToyServer(toy, key="sk"), {"key": "no"}, "small key", State.FAILED, "COSTEER_LOCAL_API_KEY"),
        (
            ToyServer(toy, key="a"),
            {"key": "a", "model": "b"},
            "small model",
            State.FAILED,
            "COSTEER_LOCAL_MODEL",
        ),
        (
            ToyServer(toy),
            {"tokenizer": Other(VOCABULARY)},
            "small tokenizer",
            State.FAILED,
            "COSTEER_LOCAL_TOKENIZER",
        ),
        (ToyServer(toy, most=20), {}, "small logprobs", State.WARNING, "--max-logprobs 31"),
        (ToyServer(toy, old=True), {}, "small logprobs", State.FAILED, ""),
    ],
)
async def test_what_is_wrong_is_named_with_what_mends_it(
    fake: ToyServer, given: dict[str, Any], name: str, state: State, mend: str
) -> None:
    found = (await examined(fake, **given))[name]
    assert (found.state, mend in found.mend) == (state, True)


async def test_one_that_does_not_answer_fails_once() -> None:
    fake = ToyServer(toy)
    fake.refusing = httpx.ConnectError("no")
    found = await examined(fake)
    states = [one.state for one in found.values()]
    assert states == [State.FAILED, *[State.SKIPPED] * (len(trusted.NAMES) - 1)]
    assert "COSTEER_LOCAL_BASE_URL" in found["small server"].mend


async def test_a_setup_with_that_server_looks_for_no_weights_and_no_torch() -> None:
    settings = Settings(local_base_url=URL, remote_base_url="http://remote.test/v1")
    async with AsyncExitStack() as stack:
        names = [check.name for check in setup.before_a_start(settings, stack)]
    assert not {"torch", "device", "local weights"} & set(names)
    assert set(trusted.NAMES) <= set(names)
