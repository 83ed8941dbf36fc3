"""The small model on a real vLLM, the remote on another: replies are as with it in this process, the remote
hears nothing private, and a server that is killed in the middle of a reply loses nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from real_port import behind_a_port

from app.api.dependencies import Parts
from app.assembly import open_parts
from app.main import create_app
from app.profiles.profile_file import read_profile_file
from app.settings.settings import Settings
from app.tokenization.tokenizer import Tokenizer
from e2e.conftest import BUNDLE
from e2e.test_vllm import Relay, found, secrets
from e2e.vllm_server import MODEL, ROOT, VLLMServer, serve_vllm

pytestmark = pytest.mark.vllm

ISABEL = read_profile_file(ROOT / "profiles" / "isabel.toml")
QUESTIONS = (
    "Write a short invitation to dinner on Saturday.",
    "What do you see from your window this morning?",
)
TOKENS, KILLED_AFTER = 24, 8
FLOAT32 = ("--dtype", "float32")  # in bfloat16 the same greedy request is answered differently now and then


@pytest.fixture(scope="module")
def remote(bundle_path: str) -> Iterator[VLLMServer]:
    with serve_vllm(bundle_path, *FLOAT32) as server:
        yield server


@pytest.fixture(scope="module")
def trusted(bundle_path: str) -> Iterator[VLLMServer]:
    with serve_vllm(bundle_path, *FLOAT32) as server:
        yield server


@dataclass
class Reply:
    """A streamed reply; `marks` is the last chunk's key `costeer`, and `error` what ended it."""

    text: str = ""
    finish: str | None = None
    marks: dict[str, Any] | None = None
    error: openai.APIError | None = None


@dataclass
class Served:
    """The product behind a port."""

    client: openai.AsyncOpenAI
    parts: Parts

    async def reply(self, question: str, kill: VLLMServer | None = None, **fields: Any) -> Reply:
        """A greedy reply for Isabel; `kill` is killed in the middle."""
        stream = await self.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": question}],
            max_tokens=TOKENS,
            temperature=0,
            stream=True,
            extra_body={"profile": "isabel", **fields},
        )
        reply, pieces = Reply(), 0
        try:
            async for chunk in stream:
                for choice in chunk.choices:
                    reply.text += choice.delta.content or ""
                    reply.finish = choice.finish_reason or reply.finish
                    pieces += 1
                reply.marks = (chunk.model_extra or {}).get("costeer") or reply.marks
                if kill is not None and pieces >= KILLED_AFTER:
                    os.killpg(kill.pid, signal.SIGKILL)
                    kill = None
        except openai.APIError as error:
            reply.error = error
        assert kill is None, "the reply was over before"
        return reply


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Served]:
    chosen = Settings(data_dir=folder, **settings)
    async with open_parts(chosen) as parts:
        parts.store.profiles.put(ISABEL)
        async with (
            behind_a_port(create_app(chosen, parts)) as url,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield Served(client, parts)


def on_a_server(base_url: str, bundle_path: str, **settings: Any) -> dict[str, Any]:
    return {"local_base_url": base_url, "local_model": MODEL, "local_tokenizer": bundle_path, **settings}


async def test_replies_are_those_of_the_small_model_in_this_process_and_the_remote_hears_nothing_private(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, tmp_path: Path
) -> None:
    to_remote, to_trusted = Relay(remote.port), Relay(trusted.port)
    asked = [(question, strength) for question in QUESTIONS for strength in (0.5, "auto")]
    async with to_remote.listening() as remote_url, to_trusted.listening() as trusted_url:
        server = on_a_server(trusted_url, bundle_path)
        async with serving(tmp_path / "server", remote_base_url=remote_url, **server) as served:
            there = [await served.reply(question, strength=strength) for question, strength in asked]
    async with serving(
        tmp_path / "here", remote_base_url=remote.base_url, local_model=BUNDLE, dtype="float32"
    ) as served:
        here = [await served.reply(question, strength=strength) for question, strength in asked]
        alone = [await served.reply(question, strength=0) for question in QUESTIONS]
    assert [one.text for one in there] == [one.text for one in here]
    assert [one.finish for one in there] == [one.finish for one in here]
    assert here[0].text != alone[0].text, "it steers"

    tokenizer = Tokenizer(bundle_path)
    private = secrets(ISABEL)

    def read(relay: Relay) -> str:
        """All that was sent, ids decoded."""
        sent = [body for path, body in relay.requests() if path == "/v1/completions"]
        assert sent
        prompts = [body["prompt"] for body in sent]
        ids = [one for prompt in prompts for one in (prompt if isinstance(prompt[0], list) else [prompt])]
        return b"".join(map(bytes, relay.outbound)).decode(errors="replace") + " | ".join(
            tokenizer.decode(one) for one in ids
        )

    # What the remote reads of the reply so far is the reply; what nobody wrote there may not be in it.
    said = found(private, " ".join(one.text for one in (*there, *here)))
    assert found(private, read(to_remote)) <= said
    told = found(private, read(to_trusted))
    assert len(told) > len(said) and len(told) > 20, "the small model's server is told the person"


async def test_killed_in_mid_reply_it_leaves_the_rest_to_the_remote_and_steers_again_once_it_is_back(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, tmp_path: Path
) -> None:
    """The last test here: it leaves no server of the small model behind."""
    server = on_a_server(trusted.base_url, bundle_path, remote_base_url=remote.base_url, strength=0.5)
    question = QUESTIONS[0]
    async with (
        serving(tmp_path / "goes on", **server) as served,
        serving(tmp_path / "ends", **server, on_local_failure="error") as strict,
    ):
        whole = await served.reply(question)
        assert whole.finish is not None and not (whole.marks or {}).get("unassisted")
        broken = await served.reply(question, trusted)
        assert broken.error is None and broken.finish is not None and broken.marks is not None
        assert 0 < broken.marks["unassisted"] < TOKENS
        assert "the local model failed" in broken.marks["mishap"]
        assert broken.text[:20] == whole.text[:20], "until then it was steered"
        away = await served.reply(question)
        assert away.finish is not None and away.marks is not None
        assert away.marks["unassisted"]

        with serve_vllm(bundle_path, *FLOAT32, port=trusted.port) as back:
            again = await served.reply(question)
            assert again.text == whole.text
            assert not (again.marks or {}).get("unassisted")
            assert (await strict.reply(question)).text == whole.text
            ended = await strict.reply(question, back)
            assert ended.error is not None and ended.finish is None
            assert whole.text.startswith(ended.text)
            assert "small model" in str(ended.error)
