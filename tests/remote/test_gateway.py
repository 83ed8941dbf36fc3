"""Behind a gateway that shows little replies are the same, or it is said what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from doctor.fake_vllm import FakeVLLM
from doctor.verdicts import findings
from drafting_vllm import MODEL, DraftingVLLM
from fakes import EOS, LOUD, FakeLocal, FakeTokenizer
from gateway import ACCESS, IDS, NOWHERE, SHOWN, Gateway

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.doctor import remote as doctor
from app.doctor.check import State
from app.errors import CoSteerError, RemoteError, TokenizerMismatch
from app.prompts.message import Message
from app.remote.interface import RemoteVocabulary
from app.remote.replicas import Replicas
from app.remote.sent import note
from app.remote.several import SeveralRemotes
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams

CONVERSATION = (Message("user", "Say hello."), Message("assistant", "Hello."), Message("user", "Again, é!"))
ORDER = GenerationRequest(MODEL, CONVERSATION, SamplingParams(temperature=0.0), profile=LOUD, strength=0.5)
NAMED = RemoteVocabulary(FakeTokenizer(), "by the tokenizer of fake")
PREFIXES = ("/v1", "/team/llm/v1", "/openai/deployments/x", "/api")


class Behind:
    """A proxy behind a gateway before a vLLM."""

    def __init__(self, vllm: DraftingVLLM, gateway: Gateway, remote: VLLMRemote) -> None:
        self.vllm, self.gateway, self.remote = vllm, gateway, remote

    def generator(self, known: RemoteVocabulary | None = None, local: Any = None) -> Generator:
        matcher = VocabularyMatcher(self.remote, local or FakeTokenizer(), known)
        return Generator(self.remote, FakeLocal(), matcher, DecodingConfig())

    def asked(self) -> list[dict[str, Any]]:
        """The bodies that came to the vLLM."""
        return [body for _, body in self.vllm.came if body is not None]

    async def written(self, known: RemoteVocabulary | None = None) -> str:
        reply = await self.generator(known).prepare(ORDER)
        return "".join([piece.text async for piece in reply.pieces()])


@asynccontextmanager
async def behind(headers: dict[str, str] = ACCESS, **options: Any) -> AsyncIterator[Behind]:
    vllm = DraftingVLLM()
    async with AsyncExitStack() as stack:
        gateway = Gateway(await stack.enter_async_context(vllm.listening()), **options)
        url = await stack.enter_async_context(gateway.listening())
        remote = VLLMRemote(url, headers=headers, spare=False)
        yield Behind(vllm, gateway, await stack.enter_async_context(aclosing(remote)))


async def written_directly() -> str:
    vllm = DraftingVLLM()
    async with vllm.listening() as url, aclosing(VLLMRemote(url, spare=False)) as remote:
        return await Behind(vllm, Gateway(url), remote).written()


@pytest.mark.parametrize("nowhere", NOWHERE)
async def test_a_reply_is_the_same_where_v1_alone_is_shown(nowhere: str) -> None:
    async with behind(nowhere=nowhere) as proxy:
        assert await proxy.written() == await written_directly() == "HELLO WORLD"
        assert {path for path, _ in proxy.vllm.came} <= {"/v1" + one for one in SHOWN}
        assert set(proxy.gateway.refused) == {"/tokenize", "/v1/tokenize"}


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_whatever_the_path_before_it_is(prefix: str) -> None:
    async with behind(prefix=prefix) as proxy:
        assert await proxy.written() == "HELLO WORLD"
        assert all(path.startswith(prefix.removesuffix("/v1")) for path, _ in proxy.gateway.came)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_tokenizer_beside_the_completions_is_found_and_asked_from_then_on(prefix: str) -> None:
    async with behind(prefix=prefix, shown=(*SHOWN, "/tokenize")) as proxy:
        assert await proxy.remote.tokenize_text("é") == FakeTokenizer().encode("é")
        refused = len(proxy.gateway.refused)
        assert await proxy.remote.tokenize(CONVERSATION) == FakeTokenizer().chat(CONVERSATION)
        assert len(proxy.gateway.refused) == refused == (1 if prefix.endswith("/v1") else 0)
        assert proxy.gateway.came[-1][0] == f"{prefix}/tokenize"


async def test_once_answers_have_told_token_ids_nothing_else_is_asked_for_them() -> None:
    async with behind() as proxy:
        await proxy.remote.tokenize_text("a")
        proxy.gateway.refused.clear()
        tools = ({"type": "function", "function": {"name": "f"}},)
        here = FakeTokenizer().chat(CONVERSATION, tools=tools, opens=False)
        assert await proxy.remote.tokenize(CONVERSATION, tools=tools, opens=False) == here
        assert proxy.gateway.refused == []
        assert proxy.asked()[-1]["tool_choice"] == "none", "the server may have no parser of calls"


async def test_without_token_ids_in_answers_the_tokenizer_that_is_named_cuts_all() -> None:
    async with behind(strips=frozenset({"return_token_ids"})) as proxy:
        with pytest.raises(RemoteError, match=r"COSTEER_REMOTE_TOKENIZER.* return_token_ids") as caught:
            await proxy.written()
        assert caught.value.code == "tokens_untold"
        assert await proxy.written(NAMED) == "HELLO WORLD"
        drafts = [body for body in proxy.asked() if body.get("stream")]
        assert drafts[0]["prompt"] == FakeTokenizer().chat(CONVERSATION)
        described = await proxy.generator(NAMED).alignment()
        assert "no token ids, numbers of tokens agree" in described


class Longer(FakeTokenizer):
    """Cuts texts into more tokens."""

    def encode(self, text: str) -> list[int]:
        return [*super().encode(text), 97, 97]


class OtherTemplate(FakeTokenizer):
    """Writes a system message of its own."""

    def render(self, messages: Any, **options: Any) -> str:
        return super().render([Message("system", "x"), *messages], **options)


@pytest.mark.parametrize(
    ("named", "said"),
    [(Longer(), "is not the remote's"), (OtherTemplate(), "chat template is not that of the tokenizer")],
)
async def test_a_tokenizer_that_is_not_the_remote_s_is_noticed_by_numbers(
    named: FakeTokenizer, said: str
) -> None:
    async with behind(strips=frozenset({"return_token_ids"})) as proxy:
        with pytest.raises(TokenizerMismatch, match=said):
            await proxy.generator(RemoteVocabulary(named, "named")).alignment()


class Thinking(FakeTokenizer):
    """Looks like the fake one, and has a special token that this lacks."""

    def encode(self, text: str) -> list[int]:
        before, name, behind = text.partition("<think>")
        rest = self.encode(behind) if name else []
        return [*super().encode(before), *([EOS] if name else []), *rest]


async def test_a_look_alike_here_is_noticed_where_the_remote_tells_no_token_ids() -> None:
    async with behind(strips=frozenset({"return_token_ids"})) as proxy:
        assert (await proxy.generator(NAMED).alignment()).startswith("identity")
        assert (await proxy.generator(NAMED, Thinking()).alignment()).startswith("bytes")
        with pytest.raises(TokenizerMismatch, match="is not the remote's"):
            await proxy.generator(RemoteVocabulary(Thinking(), "named")).alignment()


async def test_a_gateway_without_usage_is_believed_and_that_is_said() -> None:
    async with behind(strips=frozenset({"return_token_ids"})) as proxy:
        proxy.vllm.counts = False
        assert "nothing could be compared" in await proxy.generator(NAMED).alignment()
        assert await proxy.written(NAMED) == "HELLO WORLD"


async def test_several_that_tell_no_token_ids_are_used_and_none_rests() -> None:
    async with behind(strips=frozenset({"return_token_ids"})) as proxy:
        several = SeveralRemotes(Replicas([proxy.remote, proxy.remote]))
        generator = Generator(
            several, FakeLocal(), VocabularyMatcher(several, FakeTokenizer(), NAMED), DecodingConfig()
        )
        with pytest.raises(RemoteError, match="COSTEER_REMOTE_TOKENIZER"):
            await several.tokenize_text("a")
        reply = await generator.prepare(ORDER)
        assert "".join([piece.text async for piece in reply.pieces()]) == "HELLO WORLD"
        assert [one.state for one in several.replicas.all] == ["ready", "ready"]


async def test_drafts_without_token_ids_are_refused_with_what_to_ask_for() -> None:
    async with behind(strips=IDS) as proxy:
        with pytest.raises(RemoteError, match=r"let the fields return_tokens_as_token_ids"):
            await proxy.written(NAMED)


async def test_a_gateway_that_takes_out_one_of_the_two_fields_with_token_ids() -> None:
    async with behind(strips=frozenset({"return_tokens_as_token_ids"})) as proxy:
        with pytest.raises(RemoteError, match="return_tokens_as_token_ids"):
            await proxy.written()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, json={"choices": [{"text": "Hello"}]}), "let the field stream through"),
        (httpx.Response(200, json={"error": {"message": "no such deployment"}}), "no such deployment"),
        (httpx.Response(200, json={"error": "quota used up"}), "quota used up"),
        (httpx.Response(200, html="<html>"), "COSTEER_REMOTE_HEADERS"),
    ],
)
async def test_what_comes_in_place_of_a_draft_is_said_in_plain_words(
    answer: httpx.Response, said: str
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return answer if request.url.path == "/v1/completions" else FakeVLLM().answer(request)

    async with aclosing(VLLMRemote("http://gateway/v1", transport=httpx.MockTransport(handle))) as remote:
        draft = remote.draft([1], sampling=SamplingParams(), top_logprobs=2, max_tokens=1)
        with pytest.raises(RemoteError, match=said):
            await anext(draft)


@pytest.mark.parametrize("headers", [{}, {**ACCESS, "X-Access-Secret": "wrong"}])
async def test_without_its_headers_it_is_said_which_setting_has_them(headers: dict[str, str]) -> None:
    async with behind(headers) as proxy:
        with pytest.raises(CoSteerError, match="COSTEER_REMOTE_HEADERS"):
            await proxy.written()


async def test_what_was_asked_in_place_of_the_tokenizer_is_told_as_sent() -> None:
    async with behind() as proxy:
        await proxy.remote.card()
        sent = note(wanted=True)
        assert sent is not None
        await proxy.remote.tokenize(CONVERSATION)
        note(wanted=False)
        assert [one.endpoint for one in sent.requests][-1] == "/v1/chat/completions"
        assert sent.requests[-1].body is not None and sent.requests[-1].body["max_tokens"] == 1


async def test_doctor_finds_nothing_wrong_and_says_what_is_not_shown() -> None:
    vllm = FakeVLLM(told_by="usage")

    def answer(request: httpx.Request) -> httpx.Response:
        shown = request.url.path in ["/v1" + one for one in SHOWN]
        return vllm.answer(request) if shown else httpx.Response(404)

    options: dict[str, Any] = {"transport": httpx.MockTransport(answer), "spare": False}
    async with aclosing(VLLMRemote("http://gateway/v1", **options)) as remote:
        checks = doctor.checks(remote, url="http://gateway/v1", has_key=False, top_logprobs=2)
        found = await findings(checks)
    assert {finding.state for finding in found.values()} <= {State.OK, State.SKIPPED}
    assert "/version" in found["remote"].seen


async def test_spare_connections_ask_for_what_it_shows() -> None:
    async with behind() as proxy:
        for _ in range(3):
            await (await proxy.remote._open_spare()).aclose()
        assert [path for path, _ in proxy.gateway.came] == ["/health", "/v1/models", "/v1/models"]
