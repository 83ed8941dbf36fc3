"""The whole path over real HTTP: the openai package, the proxy, a real vLLM, and a real local model."""

from __future__ import annotations

import asyncio
import itertools
import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import orjson
import pytest
from fakes import as_hits
from openai.types.chat import ChatCompletionMessageParam
from real_port import behind_a_port

from app.api.dependencies import Parts
from app.assembly import SHARED
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import GenerationRequest, Generator
from app.decoding.reply import Reply
from app.decoding.request import DecodeRequest, DecodingConfig
from app.decoding.vocabulary_match import Match, VocabularyMatcher
from app.decoding.warmup import Warmer
from app.local.engine.runner import ModelRunner
from app.local.model import LocalModel
from app.main import create_app
from app.profiles.profile import ProfileDocument
from app.profiles.profile_file import read_profile_file
from app.profiles.store import Store
from app.prompts.local_prompts import local_prompts
from app.prompts.message import Message
from app.prompts.private import PrivateContext
from app.prompts.retrieval import Retriever
from app.remote.prompt import PublicPrompt
from app.remote.vllm import VLLMRemote
from app.remote.vocabulary import learn_vocabulary
from app.settings.settings import Settings
from app.steering.sampling import SamplingParams
from app.tokenization.alignment import align
from app.tokenization.probes import PROBES
from e2e.vllm_server import MAX_LOGPROBS, MODEL, ROOT, VLLMServer

pytestmark = pytest.mark.vllm

ISABEL, WALTER = (read_profile_file(ROOT / "profiles" / f"{name}.toml") for name in ("isabel", "walter"))
DINNER = "Write a short invitation to dinner on Saturday."
BRIDGE = "Explain in a few sentences how a suspension bridge carries its weight."
NAME = "What is your name?"
BLOCK = 32  # tokens that vLLM's prefix cache keeps together
LONG_REPLY = 2000  # tokens that a client asks for and does not wait for
LONG_DRAFT = 400  # tokens: many passes, and what a device that is starved of its cores has vLLM make in vain
FEW_TOKENS = 1000  # in which vLLM has to notice that nobody reads on, on a machine as slow as may be
IDLE_SECONDS = 60.0  # in which a quick machine makes the whole reply


@dataclass(frozen=True)
class Product:
    """The proxy on a port of its own, and a client to it."""

    client: openai.AsyncOpenAI
    generator: Generator
    store: Store

    async def ask(self, question: str | list[ChatCompletionMessageParam], **fields: Any) -> tuple[str, str]:
        """Text and finish_reason of a whole reply, greedy unless `fields` say otherwise."""
        extra = {name: fields.pop(name) for name in ("profile", "strength") if name in fields}
        reply = await self.client.chat.completions.create(
            model=MODEL, messages=_messages(question), extra_body=extra, **{"temperature": 0, **fields}
        )
        return reply.choices[0].message.content or "", reply.choices[0].finish_reason


def _messages(question: str | list[ChatCompletionMessageParam]) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": question}] if isinstance(question, str) else question


@asynccontextmanager
async def serving(
    base_url: str, runner: ModelRunner, data_dir: Path, *, top_logprobs: int = 20, draft_length: int = SHARED
) -> AsyncIterator[Product]:
    """The product in front of the vLLM at `base_url`, tuned as main.py does for one on the same machine."""
    config = DecodingConfig(
        top_logprobs=top_logprobs,
        max_context_tokens=400,
        max_model_len=runner.max_model_len,
        draft_length=draft_length,
        verify_batch=SHARED,
    )
    with Store.open(data_dir) as store:
        store.profiles.put(ISABEL)
        store.profiles.put(WALTER)
        async with aclosing(VLLMRemote(base_url)) as remote:
            generator = Generator(
                remote, LocalModel(runner), VocabularyMatcher(remote, runner.tokenizer), config
            )
            warmer = Warmer(store.profiles.get, generator.warm)
            retriever = Retriever(store.history, 5)
            sweeper = Sweeper(store, [runner], retriever, warmer.soon)
            parts = Parts(generator, store, retriever, 0.5, remote, warmer, sweeper)
            app = create_app(Settings(), parts)
            async with (
                behind_a_port(app) as url,
                openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
            ):
                yield Product(client, generator, store)


@pytest.fixture
async def product(vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path) -> AsyncIterator[Product]:
    async with serving(vllm.base_url, local_runner, tmp_path) as served:
        yield served


class Relay:
    """Passes TCP on to a port, and keeps every byte that goes there, connection by connection."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.outbound: list[bytearray] = []

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Listen while the block runs; gives the base URL to ask instead of the target's."""
        async with await asyncio.start_server(self._handle, "127.0.0.1", port) as listener:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept = bytearray()
        self.outbound.append(kept)
        upstream, target = await asyncio.open_connection("127.0.0.1", self._target)
        pumps = [
            asyncio.create_task(_pump(reader, target, kept)),
            asyncio.create_task(_pump(upstream, writer)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for closing in (writer, target):
            closing.close()
        await asyncio.wait(pumps)

    def requests(self) -> list[tuple[str, Any]]:
        """Path and JSON body (None when there is none) of every whole request, in order per connection."""
        found = []
        for kept in self.outbound:
            rest = bytes(kept)
            while rest:
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                size = int(length[1]) if length else 0
                found.append((head.split(b" ")[1].decode(), orjson.loads(rest[:size]) if size else None))
                rest = rest[size:]
        return found


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None = None
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            if kept is not None:
                kept += data
            writer.write(data)
            await writer.drain()


def words(text: str) -> str:
    """The words of a text, so that neither case nor punctuation nor a line break hides a match."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.casefold())) + " "


def secrets(document: ProfileDocument) -> set[str]:
    """What may not leave the device: each value whole, and each run of five words of a longer one."""
    profile = document.profile
    values = [value for _, value in profile.fields]
    texts = [text for item in document.history for text in (item.title, item.text)]
    runs = {run for text in (*values, *texts) for run in five_word_runs(text)}
    return {words(text) for text in (profile.name, *profile.name.split(), *values)} | runs


def five_word_runs(text: str) -> Iterator[str]:
    sequence = words(text).split()
    for start in range(len(sequence) - 4):
        yield f" {' '.join(sequence[start : start + 5])} "


def found(needles: Iterable[str], text: str) -> set[str]:
    haystack = words(text)
    return {needle for needle in needles if needle in haystack}


def as_text(outbound: bytes) -> str:
    """Bytes of HTTP as text, JSON's escapes undone."""
    text = outbound.decode(errors="replace")
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
    return re.sub(r"\\[nrt\"/\\bf]", " ", text)


async def direct(vllm: VLLMServer, question: str, max_tokens: int, **sampling: Any) -> tuple[str, str]:
    """vLLM's own text, asked without the proxy in between."""
    messages = {"model": MODEL, "messages": _messages(question), "add_generation_prompt": True}
    neutral = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    neutral |= {"presence_penalty": 0.0, "frequency_penalty": 0.0}
    async with httpx.AsyncClient(base_url=vllm.root, timeout=300) as client:
        ids = (await client.post("/tokenize", json=messages)).raise_for_status().json()["tokens"]
        body = {"model": MODEL, "prompt": ids, "max_tokens": max_tokens, **neutral, **sampling}
        answer = (await client.post("/v1/completions", json=body)).raise_for_status().json()
    return answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]


# (1) A steered reply


async def test_a_steered_reply_streams_and_ends_as_openai_has_it(product: Product) -> None:
    stream = await product.client.chat.completions.create(
        model=MODEL,
        messages=_messages(DINNER),
        max_tokens=40,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_headers={"X-CoSteer-Profile": "isabel"},
    )
    chunks = [chunk async for chunk in stream]
    *written, last = chunks
    assert written[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in written if chunk.choices[0].delta.content]
    assert len(pieces) > 10, "it comes in pieces"
    reasons = [chunk.choices[0].finish_reason for chunk in written]
    assert reasons[-1] in {"stop", "length"} and not any(reasons[:-1])
    assert last.choices == [] and last.usage is not None
    assert 0 < last.usage.completion_tokens <= 40
    assert (last.usage.completion_tokens == 40) == (reasons[-1] == "length")
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


async def test_a_steered_reply_in_one_piece_counts_its_tokens(product: Product, vllm: VLLMServer) -> None:
    reply = await product.client.chat.completions.create(
        model=MODEL,
        messages=_messages(DINNER),
        max_tokens=24,
        temperature=0,
        extra_body={"profile": "isabel"},
    )
    asked = {"model": MODEL, "messages": _messages(DINNER), "add_generation_prompt": True}
    async with httpx.AsyncClient() as client:
        prompt_tokens = (await client.post(f"{vllm.root}/tokenize", json=asked)).json()["count"]
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == prompt_tokens
    assert reply.usage.completion_tokens == 24
    assert reply.usage.total_tokens == prompt_tokens + 24
    assert reply.choices[0].finish_reason == "length"
    assert reply.choices[0].message.content
    assert reply.model == MODEL


# (2) Strength 0 is the remote's own text


@pytest.mark.parametrize(
    ("question", "sampling"),
    [
        (DINNER, {"temperature": 0.8, "seed": 11}),
        (DINNER, {"temperature": 0.8, "seed": 12, "top_p": 0.9, "frequency_penalty": 0.5}),
        (DINNER, {"temperature": 0.0}),
        ("Reply with the one word: yes", {"temperature": 0.0}),
    ],
)
async def test_at_strength_0_the_text_is_the_remotes_own(
    product: Product, vllm: VLLMServer, question: str, sampling: dict[str, Any]
) -> None:
    # Once before: a prompt that vLLM has cached may score a little otherwise than one it has not.
    await direct(vllm, question, 48, **sampling)
    text, finish_reason = await direct(vllm, question, 48, **sampling)
    assert text
    assert await product.ask(question, max_tokens=48, profile="isabel", strength=0, **sampling) == (
        text,
        finish_reason,
    )


async def test_another_seed_is_another_text(vllm: VLLMServer) -> None:
    texts = [await direct(vllm, DINNER, 48, temperature=0.8, seed=seed) for seed in (11, 13)]
    assert texts[0] != texts[1]


# (3) Steering changes the text


async def test_two_profiles_and_none_write_three_texts(product: Product) -> None:
    texts = [
        await product.ask(DINNER, max_tokens=48, profile=profile, strength=strength)
        for profile, strength in [("isabel", 0.0), ("isabel", 1.0), ("walter", 1.0)]
    ]
    assert len(set(texts)) == 3


# (4) Draft and verify


FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "plan",
        "schema": {
            "type": "object",
            "properties": {
                # Letters that the model lists none of: it has to be asked for these.
                "слово": {"type": "string", "pattern": "^[ж-я]{4,8}$"},
                "menu": {"type": "string", "maxLength": 40},
            },
            "required": ["слово", "menu"],
            "additionalProperties": False,
        },
    },
}


async def test_json_of_a_schema_is_steered_and_the_rest_is_asked_for(product: Product) -> None:
    texts = set()
    for profile in ("isabel", "walter"):
        text, finish_reason = await product.ask(
            DINNER, max_tokens=100, profile=profile, strength=1, response_format=FORMAT
        )
        assert finish_reason == "stop"
        plan = orjson.loads(text)
        assert [*plan] == ["слово", "menu"]
        assert re.fullmatch("[ж-я]{4,8}", plan["слово"])
        assert len(plan["menu"]) <= 40
        texts.add(text)
    assert len(texts) == 2


async def test_a_request_to_the_remote_brings_many_tokens(
    vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path
) -> None:
    relay = Relay(vllm.port)
    async with relay.listening() as base_url, serving(base_url, local_runner, tmp_path) as product:
        reply = await product.generator.prepare(
            GenerationRequest(
                model=MODEL,
                messages=(Message("user", DINNER),),
                sampling=SamplingParams(temperature=0),
                max_tokens=64,
                profile=ISABEL.profile,
                history=as_hits(ISABEL.history),
                strength=0.5,
            )
        )
        async for _ in reply.pieces():
            pass
    stats = reply.stats
    asked = [body for path, body in relay.requests() if path == "/v1/completions"]
    assert stats.tokens > 32
    assert stats.remote_requests == len(asked) < stats.tokens / 2
    # A request ends at a disagreement, at its length or at the end of the reply, and at nothing else.
    assert stats.remote_requests <= stats.changed + math.ceil(stats.tokens / SHARED) + 1
    assert stats.acceptance == 1 - stats.changed / stats.tokens
    assert 0.5 < stats.acceptance < 1.0
    # Each goes on from where the one before was left, and from nothing but accepted tokens.
    prompts = [body["prompt"] for body in asked]
    assert all(longer[: len(prompt)] == prompt for prompt, longer in itertools.pairwise(prompts))


# (5) Privacy


async def test_its_vocabulary_is_learned_from_it_and_steers(
    vllm: VLLMServer, local_runner: ModelRunner
) -> None:
    """As if its tokenizer were another one than the local model's."""
    tokenizer = local_runner.tokenizer
    question = (Message("user", DINNER),)
    async with aclosing(VLLMRemote(vllm.base_url)) as remote:
        vocabulary = (await learn_vocabulary(remote)).vocabulary
        assert vocabulary.eos_ids <= tokenizer.eos_ids
        assert len(vocabulary) >= len(tokenizer)
        wrong = [
            token_id
            for token_id in range(len(tokenizer))
            if (data := vocabulary.token_bytes(token_id)) is not None
            and data != tokenizer.token_bytes(token_id)
            and tokenizer.special_name(token_id) is None
        ]
        assert wrong == []
        public = PublicPrompt(remote, None)
        match = Match(vocabulary, public, align(vocabulary, tokenizer), "bytes")
        assert match.alignment is not None
        assert match.alignment.exact > 0.99
        prompts = local_prompts(PrivateContext(ISABEL.profile), question, tokenizer, 300)
        request = DecodeRequest(
            prompt=await public.ids(question),
            sampling=SamplingParams(temperature=0.0),
            max_tokens=24,
            eos_ids=vocabulary.eos_ids,
            contrasts=prompts.contrasts(),
            strength=1.0,
        )
        reply = Reply(request, (), remote, match.model(LocalModel(local_runner)), vocabulary)
        text = "".join([piece.text async for piece in reply.pieces()])
    assert reply.stats.changed > 0
    assert reply.stats.unassisted == 0
    assert text
    assert "\N{REPLACEMENT CHARACTER}" not in text


async def test_nothing_private_is_sent(vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path) -> None:
    relay = Relay(vllm.port)
    first: ChatCompletionMessageParam = {"role": "user", "content": BRIDGE}
    second: ChatCompletionMessageParam = {"role": "user", "content": "And what would break first in a storm?"}
    async with relay.listening() as base_url, serving(base_url, local_runner, tmp_path) as product:
        steered = {"max_tokens": 40, "profile": "isabel", "strength": 1.0}
        text, _ = await product.ask([first], **steered)
        turns: list[ChatCompletionMessageParam] = [first, {"role": "assistant", "content": text}, second]
        await product.ask(turns, **steered)
        unsteered, _ = await product.ask([first], max_tokens=40, strength=0)
    assert text != unsteered, "the conversation was steered"

    everything = as_text(b"\n".join(relay.outbound))
    prompts = [
        body["prompt"] for _, body in relay.requests() if body and isinstance(body.get("prompt"), list)
    ]
    read = "\n".join(local_runner.tokenizer.decode(ids) for ids in prompts)
    assert len(prompts) > 2

    private = secrets(ISABEL)
    assert len(private) > 400
    assert found(private, everything) == set()
    assert found(private, read) == set()
    # The same check finds what is public, so it would find what is not: conversations among the token ids,
    # since both sides render them alike, and as text what that was found out with.
    for message in (first, second):
        public = set(five_word_runs(str(message["content"])))
        assert found(public, read) == public
    compared = set(five_word_runs(PROBES[0]))
    assert found(compared, everything) == compared
    assert found(private, ISABEL.history[0].text.upper()) != set()
    assert found(private, as_text(orjson.dumps({"x": f"by {ISABEL.profile.name}\n"}))) != set()


async def test_a_name_is_filled_in_for_the_client_alone_over_three_turns(
    vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path
) -> None:
    """By a client that knows nothing of it, which sends back what it saw."""
    relay = Relay(vllm.port)
    turns: list[ChatCompletionMessageParam] = []
    replies, hits = [], []
    async with relay.listening() as base_url, serving(base_url, local_runner, tmp_path) as product:
        for question in (NAME, "Say it again, please.", "Now write a short greeting."):
            before = await vllm.metric("vllm:prefix_cache_hits_total")
            turns.append({"role": "user", "content": question})
            text, _ = await product.ask(turns, max_tokens=48, profile="isabel", strength="auto")
            turns.append({"role": "assistant", "content": text})
            replies.append(text)
            hits.append(await vllm.metric("vllm:prefix_cache_hits_total") - before)
    name = ISABEL.profile.name
    assert any(part in replies[0] for part in name.split()), "the client read the name, or a part of it"

    prompts = [body["prompt"] for _, body in relay.requests() if body and "prompt" in body]
    read = [local_runner.tokenizer.decode(ids) for ids in prompts if isinstance(ids, list)]
    for part in name.split():
        assert part.casefold() not in as_text(b"\n".join(relay.outbound)).casefold()
        assert all(part.casefold() not in text.casefold() for text in read)
    # The conversation that is sent back begins as the remote wrote it, so that its prefix cache has it.
    assert any("[your" in text.casefold() for text in read)
    assert min(hits[1:]) > BLOCK


# (6) A client that goes away


@pytest.mark.parametrize(("strength", "draft_length"), [(0.0, LONG_REPLY), (0.5, LONG_DRAFT), (0.5, SHARED)])
async def test_vllm_is_idle_soon_after_the_client_has_gone(
    vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path, strength: float, draft_length: int
) -> None:
    async def running() -> float:
        return sum([await vllm.metric(f"vllm:num_requests_{state}") for state in ("running", "waiting")])

    before = await vllm.metric("vllm:generation_tokens_total")
    async with serving(vllm.base_url, local_runner, tmp_path, draft_length=draft_length) as product:
        stream = await product.client.chat.completions.create(
            model=MODEL,
            messages=_messages("Tell me a very long story about the sea."),
            stream=True,
            temperature=0.7,
            seed=2,
            extra_body={"profile": "walter", "strength": strength, "max_tokens": LONG_REPLY},
        )
        seen_busy = False
        async for chunk in stream:
            seen_busy = seen_busy or await running() > 0
            if seen_busy and chunk.choices[0].delta.content:
                break
        assert seen_busy, "the gauge shows a request that runs"
        await stream.close()
        async with asyncio.timeout(IDLE_SECONDS):
            while await running() > 0:  # noqa: ASYNC110  # metrics can only be asked for
                await asyncio.sleep(0.05)
        made = await vllm.metric("vllm:generation_tokens_total")
        assert made - before < FEW_TOKENS
        await asyncio.sleep(1)
        assert await vllm.metric("vllm:generation_tokens_total") == made, "and it stays so"


# (7) Errors


async def test_a_cap_below_top_logprobs_says_what_to_change(
    vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path
) -> None:
    async with serving(vllm.base_url, local_runner, tmp_path, top_logprobs=MAX_LOGPROBS + 1) as product:
        with pytest.raises(openai.APIStatusError) as refused:
            await product.ask(DINNER, max_tokens=8, profile="isabel")
        assert refused.value.status_code == 502
        with pytest.raises(openai.APIError) as broken:
            stream = await product.client.chat.completions.create(
                model=MODEL, messages=_messages(DINNER), max_tokens=8, stream=True
            )
            async for _ in stream:
                pass
    for error in (refused.value, broken.value):
        assert isinstance(error.body, dict)
        assert set(error.body) == {"message", "type", "param", "code"}
        assert error.body["code"] == "logprobs_cap"
        assert "--max-logprobs" in error.body["message"] and "COSTEER_TOP_LOGPROBS" in error.body["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_past_the_limit_is_refused(product: Product, stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await product.client.chat.completions.create(
            model=MODEL, messages=_messages("bridge " * 4200), stream=stream, extra_body={"profile": "isabel"}
        )
    assert refused.value.status_code == 400
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    assert (await product.ask(DINNER, max_tokens=2))[0], "it goes on serving"


async def test_a_remote_that_is_not_there_yet(
    vllm: VLLMServer, local_runner: ModelRunner, tmp_path: Path
) -> None:
    relay = Relay(vllm.port)
    async with relay.listening() as base_url:
        pass
    port = httpx.URL(base_url).port
    assert port is not None
    async with serving(base_url, local_runner, tmp_path) as product:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as refused:
                await product.ask(DINNER, max_tokens=4, profile="isabel")
            assert (refused.value.status_code, refused.value.code) == (503, "remote_unavailable")
            assert "COSTEER_REMOTE_BASE_URL" in refused.value.message
        async with relay.listening(port):
            assert (await product.ask(DINNER, max_tokens=4, profile="isabel"))[0], "it goes on serving"
