"""Two real vLLMs of one model, of which one is killed in the middle of replies: the other one goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest
from real_port import behind_a_port

from app.api.dependencies import Parts
from app.assembly import open_parts
from app.main import create_app
from app.profiles.profile_file import read_profile_file
from app.settings.settings import Settings
from e2e.conftest import BUNDLE
from e2e.test_vllm import Relay
from e2e.vllm_server import MODEL, ROOT, VLLMServer, serve_vllm

pytestmark = pytest.mark.vllm

BRIDGE = "Explain in a few sentences how a suspension bridge carries its weight."
TOKENS, KILLED_AFTER = 96, 24


@pytest.fixture
def doomed(bundle_path: str) -> Iterator[VLLMServer]:
    with serve_vllm(bundle_path) as server:
        yield server


class Served:
    """The product over two vLLMs; `relay` sees what the second one is sent."""

    def __init__(self, client: openai.AsyncOpenAI, parts: Parts, relay: Relay) -> None:
        self.client, self.parts, self.relay = client, parts, relay

    def prompts(self) -> list[list[int]]:
        """Of the drafts that the second one was asked for."""
        return [body["prompt"] for path, body in self.relay.requests() if path == "/v1/completions"]

    async def reply(self, kill: VLLMServer | None, **fields: object) -> tuple[str, int, str | None]:
        """Text, number of tokens and finish_reason; `kill` is killed in the middle."""
        stream = await self.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": BRIDGE}],
            max_tokens=TOKENS,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            logprobs=True,
            extra_body=fields,
        )
        text, tokens, finish, told = "", 0, None, 0
        async for chunk in stream:
            told = chunk.usage.completion_tokens if chunk.usage else told
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
                tokens += len((choice.logprobs.content or []) if choice.logprobs else [])
            if kill is not None and tokens >= KILLED_AFTER:
                os.killpg(kill.pid, signal.SIGKILL)
                kill = None
        assert told - 1 <= tokens <= told  # what ends a text has no logprobs of its own
        return text, told, finish


@pytest.fixture
async def served(doomed: VLLMServer, vllm: VLLMServer, tmp_path: Path) -> AsyncIterator[Served]:
    relay = Relay(vllm.port)
    async with relay.listening() as second:
        settings = Settings(
            remote_base_url=f"{doomed.base_url},{second}", local_model=BUNDLE, data_dir=tmp_path, strength=0.5
        )
        async with open_parts(settings) as parts:
            parts.store.profiles.put(read_profile_file(ROOT / "profiles" / "isabel.toml"))
            async with (
                behind_a_port(create_app(settings, parts)) as url,
                openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
            ):
                yield Served(client, parts, relay)


async def test_a_reply_whose_vllm_is_killed_goes_on_at_the_other_one(
    served: Served, doomed: VLLMServer
) -> None:
    assert not served.prompts()
    text, tokens, finish = await served.reply(doomed, profile="isabel")
    assert tokens == TOKENS if finish == "length" else finish == "stop"
    prompts = served.prompts()
    assert prompts, "the second one has written none of it"
    # What it was sent is the prompt and the reply as far as the client has it: nothing is lost or doubled.
    tokenizer = served.parts.generator.tokenizer
    whole = tokenizer.decode(prompts[-1])
    begun = whole[whole.index(BRIDGE) + len(BRIDGE) :]
    assert text.startswith(begun[begun.index("assistant\n") + len("assistant\n") :])
    # The next one goes to the one that works, at once.
    sent = len(served.prompts())
    _, tokens, finish = await served.reply(None, profile="isabel")
    assert tokens == TOKENS if finish == "length" else finish == "stop"
    assert len(served.prompts()) > sent
