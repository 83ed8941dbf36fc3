"""Tools with a real vLLM and a real embedded model: tokens, the beginning of calls, replies taken over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.local.engine.runner import ModelRunner
from app.local.weights import resolve
from app.prompts.message import Message, ToolCall
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import Handover, RemoteModel, Said
from app.remote.prompt import PublicPrompt
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings
from app.steering.sampling import SamplingParams
from app.tokenization.tokenizer import Tokenizer
from e2e.vllm_server import MODEL, TOOLS, serve_vllm

pytestmark = pytest.mark.vllm

MARKERS = ("<tool_call>", "</tool_call>")
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city now.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
TERSE: dict[str, Any] = {"type": "function", "function": {"name": "wait"}}  # vLLM writes its fields anew
BEGUN = "Let me look both up.\n"


def call(name: str, city: str) -> ToolCall:
    return ToolCall(name, "get_weather", json.dumps({"city": city}))


TWO = (
    Message("user", "Weather in Rome and Oslo?"),
    Message("assistant", BEGUN.strip(), calls=(call("a", "Rome"), call("b", "Oslo"))),
    Message("tool", "18 degrees", answers="a"),
    Message("tool", "3 degrees", answers="b"),
    Message("assistant", "18 and 3 degrees."),
    Message("user", "Weather in Bern and Paris?"),
)
ONE = (
    Message("user", "Weather in Rome?"),
    Message("assistant", "", calls=(call("a", "Rome"),)),
    Message("tool", "18 degrees", answers="a"),
    Message("assistant", "18 degrees."),
    Message("user", "Weather in Bern?"),
)
TEXT = (Message("user", "Why is the sky blue? Answer in one sentence."),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that was hardly taught the tokens of a call's markers, and which calls well where it spells
    them: so its tokenizer has them no more."""
    settings = Settings()
    path = Path(
        resolve(
            "qwen2.5-coder-0.5b-instruct",
            cache_dir=settings.cache_dir,
            weights_dir=settings.weights_dir,
        )
    )
    copy = tmp_path_factory.mktemp("spelled")
    for one in path.iterdir():
        (copy / one.name).symlink_to(one.resolve())
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] not in MARKERS]
    for marker in MARKERS:
        tokenizer["model"]["vocab"].pop(marker, None)
    (copy / "tokenizer.json").unlink()
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    return str(copy)


@pytest.fixture(scope="module")
def base_url(folder: str) -> Iterator[str]:
    with serve_vllm(folder, *TOOLS) as server:
        yield server.base_url


@pytest.fixture
async def remote(base_url: str) -> AsyncIterator[VLLMRemote]:
    async with aclosing(VLLMRemote(base_url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def embedded(folder: str) -> Iterator[EmbeddedRemote]:
    runner = ModelRunner(folder, leave_a_core=True)
    yield EmbeddedRemote(runner)
    runner.close()


async def said(remote: RemoteModel, messages: Sequence[Message], **how: Any) -> tuple[str, list[Any], str]:
    """Text, names and arguments of the calls, finish_reason."""
    asked = {"temperature": 0}
    handover = Handover(tuple(messages), (WEATHER,), max_tokens=90, asked=asked, **how)
    async with aclosing(remote.take_over(handover)) as pieces:
        spoken: list[Said] = [piece async for piece in pieces]
    calls: dict[int, list[str]] = {}
    for piece in (one for each in spoken for one in each.calls):
        made = calls.setdefault(piece.index, ["", ""])
        made[0] += piece.name or ""
        made[1] += piece.arguments
    assert spoken[-1].tokens > 0
    return "".join(piece.text for piece in spoken), list(calls.values()), spoken[-1].finish_reason or ""


async def alone(base_url: str, messages: Sequence[Message]) -> tuple[str, list[Any], str]:
    """The same of vLLM by itself."""
    body = {"model": MODEL, "messages": [one.wire() for one in messages], "tools": [WEATHER]}
    async with httpx.AsyncClient(timeout=120) as client:
        url = f"{base_url}/chat/completions"
        answer = await client.post(url, json={**body, "temperature": 0, "max_tokens": 90})
    (choice,) = answer.raise_for_status().json()["choices"]
    functions = [one["function"] for one in choice["message"].get("tool_calls") or ()]
    calls = [[one["name"], one["arguments"]] for one in functions]
    return choice["message"]["content"] or "", calls, choice["finish_reason"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("messages", [TWO, ONE, TEXT])
async def test_a_reply_that_it_takes_over_whole_is_vllm_s_own(
    remote: VLLMRemote, base_url: str, messages: Sequence[Message], streamed: bool
) -> None:
    assert await said(remote, messages, stream=streamed) == await alone(base_url, messages)


@pytest.mark.parametrize("streamed", [True, False])
async def test_behind_some_text_it_makes_the_calls_that_it_would_have_made(
    remote: VLLMRemote, base_url: str, streamed: bool
) -> None:
    text, calls, reason = await alone(base_url, TWO)
    assert (text, len(calls), reason) == (BEGUN, 2, "tool_calls")
    assert await said(remote, TWO, stream=streamed, begun=text) == ("", calls, reason)


async def test_its_drafts_begin_calls_with_the_opening_that_was_learnt(
    remote: VLLMRemote, folder: str
) -> None:
    public = PublicPrompt(remote, Tokenizer(folder))
    opening = await public.opening((WEATHER,))
    assert opening is not None and opening.anywhere
    for messages, expected in ((ONE, True), (TWO, True), (TEXT, False)):
        prompt = await public.ids(messages, tools=(WEATHER,))
        greedy = SamplingParams(temperature=0.0)
        drafts = remote.draft(prompt, sampling=greedy, top_logprobs=1, max_tokens=30)
        async with aclosing(drafts) as positions:
            ids = [one.token_id async for one in positions]
        found = [opening.begins(ids[at:], at) is True for at in range(len(ids))]
        assert any(found) == expected


@pytest.mark.parametrize("tools", [(), (WEATHER,), (TERSE,), (WEATHER, TERSE)])
async def test_tools_and_calls_are_tokenized_as_by_the_remote(
    remote: VLLMRemote, folder: str, tools: tuple[Any, ...]
) -> None:
    public = PublicPrompt(remote, Tokenizer(folder))
    await public.compare()
    assert public.rendered_here
    for messages in (TWO, TWO[:4], ONE):
        assert await public.ids(messages, tools=tools) == await remote.tokenize(messages, tools=tools)


async def test_the_embedded_model_makes_the_same_calls(embedded: EmbeddedRemote, base_url: str) -> None:
    for messages in (ONE, TWO):
        assert await said(embedded, messages) == await alone(base_url, messages)
    _, calls, reason = await said(embedded, TWO, begun=BEGUN)
    assert ([json.loads(one[1]) for one in calls], reason) == (
        [{"city": "Bern"}, {"city": "Paris"}],
        "tool_calls",
    )
    text, one, _ = await said(embedded, TWO, parallel=False)
    assert (text, one) == (BEGUN, calls[:1])


@pytest.mark.parametrize(
    ("choice", "reason"),
    [("required", "tool_calls"), ({"type": "function", "function": {"name": "get_weather"}}, "stop")],
)
async def test_the_embedded_model_calls_where_it_has_to(
    embedded: EmbeddedRemote, choice: Any, reason: str
) -> None:
    text, calls, ended = await said(embedded, TEXT, choice=choice)
    assert (text, len(calls), ended) == ("", 1, reason)
    assert calls[0][0] == "get_weather"
    assert isinstance(json.loads(calls[0][1]), dict)
