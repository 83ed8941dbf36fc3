"""The server of the small model: what it is sent, and what becomes of its refusals."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import httpx
import numpy as np
import orjson
import pytest
from remote.recordings import recording

from app.errors import TrustedError, TrustedTimeout, TrustedUnavailable, TrustedUnfit
from app.local.engine.owner import Owner
from app.local.interface import Wanted
from app.local.trusted import standing, wire
from app.local.trusted.model import TrustedModel
from app.local.trusted.server import TrustedServer
from app.local.trusted.standing import QUIET_SECONDS
from app.prompts.message import Message
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, log_softmax
from app.tokenization.probes import PROBES
from app.tokenization.tokenizer import Tokenizer
from local.trusted.toy_server import URL, ToyServer, ToyTokenizer

VOCABULARY = 300
SECRET_IDS = (17, 23, 211)
AWARE, AGNOSTIC = PrivatePrompt((*SECRET_IDS, 3, 1)), PrivatePrompt((3, 1))
CONTRASTS = [Contrast(AWARE, AGNOSTIC)]
TOKENIZER = cast(Tokenizer, ToyTokenizer(VOCABULARY))


def toy(prompt: Any) -> FloatArray:
    return log_softmax(np.random.default_rng(list(prompt)).normal(0.0, 2.0, VOCABULARY))


def server(transport: ToyServer, **given: Any) -> TrustedServer:
    return TrustedServer(URL, transport=transport, **given)


def model(transport: ToyServer, listed: int = 4, **given: Any) -> TrustedModel:
    return TrustedModel(server(transport, **given), TOKENIZER, listed)


async def test_the_values_are_the_distribution_s_whatever_number_of_tokens_is_asked_for() -> None:
    """More than one request has room for too, and for more positions than share one."""
    transport = ToyServer(toy)
    candidates = [np.arange(300)[::-1], np.arange(100), np.arange(50, 160), np.array([5, 299]), np.arange(3)]
    generated = [9, 8, 7, 6]
    async with model(transport).session(CONTRASTS) as session:
        scored = await session.score(generated, 0, Wanted(candidates, own=0))
    assert len(scored) == 5
    for position, (one, asked) in enumerate(zip(scored, candidates, strict=True)):
        wanted = [toy((*prompt.ids, *generated[:position]))[asked] for prompt in (AWARE, AGNOSTIC)]
        np.testing.assert_array_equal(one.logprobs(asked), [wanted])
    assert all(len(body["logprob_token_ids"]) <= wire.MOST_IDS for body in transport.bodies)


async def test_a_token_that_was_not_asked_about_is_an_error_and_one_beyond_all_is_unmatched() -> None:
    async with model(ToyServer(toy)).session(CONTRASTS) as session:
        (one,) = await session.score([], 0, Wanted([np.array([5, VOCABULARY + 3])], own=0))
    assert one.logprobs(np.array([VOCABULARY + 3, 5]))[0, :, 0].tolist() == [0.0, 0.0]
    with pytest.raises(KeyError):
        one.logprobs(np.array([6]))


async def test_its_own_candidates_are_the_likeliest_that_the_remote_did_not_list() -> None:
    listed = np.argsort(-toy(AWARE.ids), kind="stable")[[0, 1, 3, 9]]
    async with model(ToyServer(toy)).session(CONTRASTS) as session:
        (one,) = await session.score([], 0, Wanted([listed], own=5))
    rest = [i for i in np.argsort(-toy(AWARE.ids), kind="stable").tolist() if i not in listed]
    more = one.likeliest(5, listed)
    assert more.tolist() == rest[:5]
    assert one.logprobs(more)[0, 1].tolist() == toy(AGNOSTIC.ids)[more].tolist()


async def test_a_server_that_tells_few_of_its_likeliest_tokens_gives_fewer_own_candidates() -> None:
    transport = ToyServer(toy, most=6)
    listed = np.argsort(-toy(AWARE.ids), kind="stable")[:4]
    trusted = server(transport)
    async with TrustedModel(trusted, TOKENIZER, 4).session(CONTRASTS) as session:
        (one,) = await session.score([], 0, Wanted([listed], own=5))
    assert len(one.likeliest(5, listed)) == 2
    assert trusted.most == 6


async def test_prompts_are_read_ahead_under_the_owner_s_salt_which_no_other_shares() -> None:
    transport = ToyServer(toy)
    trusted = model(transport)
    owners = [Owner("a", "uid-a", 1), Owner("a", "uid-a", 2), Owner("b", "uid-b", 1), None]
    for owner in owners:
        kept = trusted.kept_for(owner)
        await kept.warm(AWARE)
        async with kept.session(CONTRASTS) as session:
            assert await session.score([], 0, Wanted(own=5)) == []
    salts = [body["cache_salt"] for body in transport.bodies]
    assert len(set(salts)) == len(owners)
    assert not any("uid" in salt or not salt for salt in salts)
    assert all(len(set(salts[number * 3 : number * 3 + 3])) == 1 for number in range(4))


async def test_before_anything_private_it_is_checked_by_texts_that_are_nobody_s() -> None:
    transport = ToyServer(toy, models=["big"])
    trusted = model(transport, model="small", remote_model="big")
    with pytest.raises(TrustedError, match="swapped"):
        await trusted.warm(AWARE)
    unnamed = model(transport, remote_model="big")
    with pytest.raises(TrustedError, match="swapped"):
        await unnamed.warm(AWARE)
    assert transport.asked == ["/v1/models"] * 2
    other = TrustedModel(server(transport), cast(Tokenizer, Shifted(VOCABULARY)), 4)
    async with other.session(CONTRASTS) as session:
        with pytest.raises(TrustedError, match="COSTEER_LOCAL_TOKENIZER"):
            await session.score([], 0, Wanted([np.array([1])]))
    assert transport.bodies == []


async def test_how_much_it_takes_is_learnt_whenever_it_comes_up_and_of_one_that_is_started_anew() -> None:
    transport, clock = ToyServer(toy), Passing()
    trusted = model(transport, clock=clock)
    transport.refusing = httpx.ConnectError("no")
    assert await trusted.longest(1) is None
    transport.refusing = None
    assert await trusted.longest(1) == 100
    asked = len(transport.asked)
    transport.longest = 50
    assert (await trusted.longest(100), len(transport.asked)) == (100, asked), (
        "it is not asked for each reply"
    )
    assert (await trusted.longest(101), len(transport.asked)) == (100, asked), "nor while it answers"
    clock.now += QUIET_SECONDS + 1
    await trusted.check()
    assert await trusted.longest(1) == 50
    transport.longest = 200
    clock.now += QUIET_SECONDS + 1
    assert await trusted.longest(50) == 50
    assert await trusted.longest(51) == 200, "before a prompt is refused it is asked again"
    transport.longest = None
    clock.now += QUIET_SECONDS + 1
    assert await trusted.longest(201) is None


async def test_one_that_is_silent_holds_up_nobody_for_long_who_wants_to_know_how_much_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.local.trusted.model.LEASH_SECONDS", 0.01)

    class Silent(ToyServer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            return await super().handle_async_request(request)

    trusted = server(Silent(toy))
    assert await TrustedModel(trusted, TOKENIZER, 4).longest(1) is None
    await trusted.aclose()


class Passing:
    """A clock."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("fails", [True, False], ids=["while it is asked", "while nothing is asked of it"])
async def test_started_anew_with_another_model_it_is_told_nothing_until_the_one_that_is_meant_is_back(
    fails: bool,
) -> None:
    transport, clock = ToyServer(toy), Passing()
    trusted = TrustedModel(server(transport, clock=clock), TOKENIZER, 4)
    async with trusted.session(CONTRASTS) as session:
        wanted = Wanted([np.array([1, 2])], own=0)
        assert await session.score([], 0, wanted)
        if fails:
            transport.refusing = httpx.ConnectError("no")
            with pytest.raises(TrustedUnavailable):
                await session.score([], 0, wanted)
            transport.refusing = None
        else:
            clock.now += QUIET_SECONDS + 1
        transport.shifted, told = 1, len(transport.bodies)
        for _ in range(2):
            await trusted._server.models()  # as those ask who look whether it is ready
            with pytest.raises(TrustedError, match="COSTEER_LOCAL_TOKENIZER"):
                await session.score([], 0, wanted)
        assert len(transport.bodies) == told
        transport.shifted = 0
        assert await session.score([], 0, wanted)
        assert len(transport.bodies) > told


async def test_while_it_answers_it_is_compared_once() -> None:
    transport, clock = ToyServer(toy), Passing()
    trusted = TrustedModel(server(transport, clock=clock), TOKENIZER, 4)
    async with trusted.session(CONTRASTS) as session:
        for _ in range(5):
            await session.score([], 0, Wanted([np.array([1, 2])], own=0))
            clock.now += QUIET_SECONDS - 1
    assert transport.asked.count("/tokenize") == len(PROBES)


async def test_started_anew_it_may_call_its_model_otherwise_and_tell_more_tokens() -> None:
    transport, clock = ToyServer(toy, models=["small"], most=3), Passing()
    trusted = server(transport, clock=clock)
    await trusted.check(TOKENIZER)
    assert len((await trusted.tops([AWARE], "salt", 10))[0]) == 3
    transport.models, transport.most = ["smaller"], 20
    clock.now += QUIET_SECONDS + 1
    await trusted.check(TOKENIZER)
    assert (await trusted.served()).id == "smaller"
    assert len((await trusted.tops([AWARE], "salt", 10))[0]) == 10


class Shifted(ToyTokenizer):
    """Another tokenizer."""

    def encode(self, text: str) -> list[int]:
        return [1 + len(text)]


REFUSALS = [
    (httpx.Response(401, json={"error": "no"}), TrustedError, "COSTEER_LOCAL_API_KEY"),
    (httpx.Response(307, headers={"location": "http://elsewhere/"}), TrustedError, "redirects"),
    (httpx.Response(404, json={"error": {"message": "no"}}), TrustedError, "COSTEER_LOCAL_MODEL"),
    (httpx.Response(400, json={"error": {"message": "bad: 17, 23, 211"}}), TrustedError, "400"),
    (httpx.Response(503), TrustedUnavailable, "503"),
    (httpx.Response(500, text="trace: 17, 23, 211"), TrustedError, "500"),
    (httpx.Response(200, text="<html>17, 23, 211"), TrustedError, "COSTEER_LOCAL_BASE_URL"),
    (httpx.ConnectError("no"), TrustedUnavailable, "COSTEER_LOCAL_BASE_URL"),
    (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), TrustedUnavailable, "SSL_CERT_FILE"),
    (httpx.ReadTimeout("late"), TrustedTimeout, "COSTEER_LOCAL_PATIENCE"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), REFUSALS)
async def test_each_refusal_says_what_to_change_and_quotes_nothing(
    answer: httpx.Response | Exception, kind: type[TrustedError], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    transport = ToyServer(toy)
    trusted = server(transport, api_key="sk-trusted")
    await trusted.check(TOKENIZER)
    transport.refusing = answer
    with pytest.raises(kind, match=words) as caught:
        await trusted.values([AWARE], "salt", np.array([1, 2]))
    said = f"{caught.value!r} {caught.value.__cause__} {caplog.text}"
    assert "17, 23" not in said and "sk-trusted" not in said
    assert "remote" not in caught.value.message


async def test_a_vllm_that_knows_no_logprob_token_ids_is_named_as_too_old() -> None:
    with pytest.raises(TrustedError, match="logprob_token_ids"):
        await server(ToyServer(toy, old=True)).values([AWARE], "salt", np.array([1, 2, 250]))


@pytest.mark.parametrize("given", [(1, 2), [1, 2], Message("user", "hello"), "text"])
async def test_only_private_prompts_go_there(given: Any) -> None:
    transport = ToyServer(toy)
    with pytest.raises(TypeError):
        await server(transport).read([given], "salt")
    assert transport.bodies == []


async def test_a_session_that_ends_ends_its_requests() -> None:
    transport = ToyServer(toy)
    async with model(transport).session(CONTRASTS) as session:
        await session.score([], 0, Wanted([np.array([1])], own=5))
        session.cost.observe(2, 0.1)
        assert await session.score([4], 0, Wanted([np.array([1])], own=5))
    assert session._tasks == {}


def test_a_recorded_response_is_understood() -> None:
    recorded = recording("logprob_token_ids")
    ids = np.array(sorted(recorded["request"]["body"]["logprob_token_ids"]))
    found = wire.values(orjson.dumps(recorded["response"]), 1, ids)
    told = recorded["response"]["choices"][0]["logprobs"]["top_logprobs"][0]
    assert found.tolist() == [[told[f"token_id:{token_id}"] for token_id in ids]]


async def test_it_is_tried_out_with_a_text_that_is_nobody_s() -> None:
    transport = ToyServer(toy)
    await model(transport).try_out()
    assert [body["prompt"] for body in transport.bodies] == [[TOKENIZER.encode(PROBES[0])]]


UNFIT: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    ({"models": ["other"]}, {"model": "small"}, 0, "'small'; it serves: other.*COSTEER_LOCAL_MODEL"),
    ({"models": ["big"]}, {"model": "small", "remote_model": "big"}, 0, "swapped"),
    ({"models": ["big"]}, {"remote_model": "big"}, 0, "swapped.*COSTEER_LOCAL_MODEL"),
    ({"key": "secret"}, {}, 0, "COSTEER_LOCAL_API_KEY"),
    ({}, {}, 1, "COSTEER_LOCAL_TOKENIZER"),
    ({"old": True}, {}, 0, "logprob_token_ids"),
]


@pytest.mark.parametrize(("served", "given", "shifted", "words"), UNFIT)
async def test_what_it_is_not_is_told_apart_from_what_it_cannot_do_now(
    served: dict[str, Any], given: dict[str, Any], shifted: int, words: str
) -> None:
    transport = ToyServer(toy, **served)
    transport.shifted = shifted
    with pytest.raises(TrustedUnfit, match=words):
        await model(transport, **given).try_out()
    for passing in (httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.Response(503)):
        transport = ToyServer(toy)
        transport.refusing = passing
        with pytest.raises(TrustedError) as caught:
            await model(transport).try_out()
        assert not isinstance(caught.value, TrustedUnfit)


class Stalling(ToyServer):
    """Answers once it may, completions at least."""

    def __init__(self, *, engine_alone: bool) -> None:
        super().__init__(toy)
        self.may = asyncio.Event()
        self.may.set()
        self._engine_alone = engine_alone

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.may.is_set() and (request.url.path.endswith("completions") or not self._engine_alone):
            self.asked.append("waits")
            try:
                async with asyncio.timeout(0.05):
                    await self.may.wait()
            except TimeoutError:
                raise httpx.ReadTimeout("late") from None
        return await super().handle_async_request(request)


@pytest.mark.parametrize("engine_alone", [True, False])
async def test_one_that_was_silent_is_asked_in_the_background_and_keeps_nobody_waiting(
    engine_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "LEASH_SECONDS", 0.0)
    transport = Stalling(engine_alone=engine_alone)
    trusted = server(transport)
    async with TrustedModel(trusted, TOKENIZER, 4).session(CONTRASTS) as session:
        wanted = Wanted([np.array([1, 2])], own=0)
        assert await session.score([], 0, wanted)
        transport.may.clear()
        with pytest.raises(TrustedTimeout, match="COSTEER_LOCAL_PATIENCE"):
            await session.score([], 0, wanted)
        del transport.asked[:]
        for _ in range(3):
            with pytest.raises(TrustedTimeout, match="Restart it"):
                await session.score([], 0, wanted)
        await asyncio.sleep(0.01)
        assert transport.asked.count("waits") == 1, "one trial for all"
        assert not transport.bodies[1:], "which is told nothing private"
        transport.may.set()
        monkeypatch.setattr(standing, "LEASH_SECONDS", 1.0)
        assert await session.score([], 0, wanted)
    await trusted.aclose()


async def test_a_trial_ends_with_the_server_s_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LEASH_SECONDS", 0.0)
    transport = Stalling(engine_alone=False)
    trusted = server(transport)
    trusted._standing.fail(0.0, slow=True)
    transport.may.clear()
    with pytest.raises(TrustedTimeout):
        await trusted.check(TOKENIZER)
    await trusted.aclose()
    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}


@pytest.mark.parametrize("user", ["", "lotte:pw@"])
@pytest.mark.parametrize("asks", [True, False])
async def test_whether_it_asks_for_a_key_is_seen_without_a_key_and_without_a_password(
    user: str, asks: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        refused = asks and "authorization" not in request.headers
        return httpx.Response(401 if refused else 200, json={"data": [{"id": "toy"}]})

    trusted = TrustedServer(
        URL.replace("://", f"://{user}"),
        api_key="" if user else "sk-trusted",
        transport=httpx.MockTransport(answer),
    )
    assert [one.id for one in await trusted.models()] == ["toy"]
    assert await trusted.asks_for_key() is asks
