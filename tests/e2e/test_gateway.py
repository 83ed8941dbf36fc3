"""A real vLLM behind a gateway that shows three paths of it, to those who have its headers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from doctor.verdicts import findings
from fakes import LOUD, LOUD_HISTORY, as_hits
from gateway import ACCESS, Gateway

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.doctor import remote as doctor
from app.doctor.check import State
from app.errors import RemoteError
from app.local.engine.runner import ModelRunner
from app.local.model import LocalModel
from app.prompts.message import Message
from app.remote.interface import RemoteVocabulary
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from e2e.vllm_server import MODEL, VLLMServer, serve_vllm

pytestmark = pytest.mark.vllm

ORDER = GenerationRequest(
    MODEL,
    (Message("system", "Be kind."), Message("user", "Say hello, and what you like.")),
    SamplingParams(temperature=0.0),
    max_tokens=16,
    profile=LOUD,
    history=as_hits(LOUD_HISTORY),
    strength=0.5,
)
UNTOLD = frozenset({"return_token_ids"})


@pytest.fixture(scope="module")
def vllm(bundle_path: str) -> Iterator[VLLMServer]:
    """In float32: in bfloat16 the same greedy request is answered differently now and then."""
    with serve_vllm(bundle_path, "--dtype", "float32") as server:
        yield server


def generator_of(remote: VLLMRemote, runner: ModelRunner, known: RemoteVocabulary | None = None) -> Generator:
    matcher = VocabularyMatcher(remote, runner.tokenizer, known)
    return Generator(remote, LocalModel(runner), matcher, DecodingConfig(max_model_len=runner.max_model_len))


async def written(generator: Generator) -> str:
    reply = await generator.prepare(ORDER)
    assert reply.request.steered
    return "".join([piece.text async for piece in reply.pieces()])


@asynccontextmanager
async def behind(vllm: VLLMServer, **options: Any) -> AsyncIterator[tuple[Gateway, VLLMRemote]]:
    gateway = Gateway(vllm.base_url, **options)
    async with gateway.listening() as url, aclosing(VLLMRemote(url, headers=ACCESS, spare=False)) as remote:
        yield gateway, remote


@pytest.mark.parametrize("strips", [frozenset[str](), UNTOLD], ids=["told in answers", "untold"])
async def test_a_steered_reply_is_the_one_without_the_gateway(
    vllm: VLLMServer, local_runner: ModelRunner, strips: frozenset[str]
) -> None:
    async with aclosing(VLLMRemote(vllm.base_url)) as remote:
        directly = generator_of(remote, local_runner)
        prompt = (await directly.prepare(ORDER)).request.prompt
        text = await written(directly)
    named = RemoteVocabulary(local_runner.tokenizer, "by its tokenizer") if strips else None
    async with behind(vllm, strips=strips) as (gateway, remote):
        generator = generator_of(remote, local_runner, named)
        reply = await generator.prepare(ORDER)
        assert reply.request.prompt == prompt
        assert await written(generator) == text
        assert (await generator.alignment()).startswith("identity")
        refused, gateway.refused = set(gateway.refused), []
        assert refused == {"/tokenize", "/v1/tokenize"}
        assert all(headers["x-access-secret"] == ACCESS["X-Access-Secret"] for _, headers in gateway.came)
        await written(generator)
        assert gateway.refused == [], "what it does not show is not asked for again"


async def test_its_answers_tell_the_same_token_ids_as_its_tokenizer(vllm: VLLMServer) -> None:
    tools = ({"type": "function", "function": {"name": "wait", "parameters": {"type": "object"}}},)
    talk = (Message("user", "Hi, Zoë!"), Message("assistant", " Hello. \n"), Message("user", "And?"))
    async with aclosing(VLLMRemote(vllm.base_url)) as direct, behind(vllm) as (_, remote):
        for one in (direct, remote):
            assert (await one.card()).id == MODEL
        assert await remote.tokenize_text("a <|im_start|> é") == await direct.tokenize_text(
            "a <|im_start|> é"
        )
        kinds: list[dict[str, Any]] = [{}, {"tools": tools}, {"opens": False}, {"continue_final": True}]
        for options in kinds:
            messages = talk[:2] if "continue_final" in options else talk
            assert await remote.tokenize(messages, **options) == await direct.tokenize(messages, **options)
        assert await remote.count(talk) == len(await direct.tokenize(talk))


async def test_without_any_token_ids_it_is_said_what_to_set(
    vllm: VLLMServer, local_runner: ModelRunner
) -> None:
    async with behind(vllm, strips=UNTOLD) as (_, remote):
        with pytest.raises(RemoteError, match="COSTEER_REMOTE_TOKENIZER"):
            await written(generator_of(remote, local_runner))


async def test_doctor_finds_nothing_wrong(vllm: VLLMServer) -> None:
    for strips in (frozenset[str](), UNTOLD):
        async with behind(vllm, strips=strips) as (_, remote):
            checks = doctor.checks(remote, url="http://gateway/v1", has_key=False, top_logprobs=20)
            found = await findings(checks)
        assert {one.state for one in found.values()} <= {State.OK, State.SKIPPED}, found
