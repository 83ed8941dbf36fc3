"""The small model on a real vLLM, the remote on another: replies are as with it in this process, the remote
hears nothing private, and a server that stalls, is killed, is replaced or does not fit harms no reply."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from gateway import Gateway
from openai.types.chat import ChatCompletionChunk
from real_port import behind_a_port

from app.api.dependencies import Parts
from app.assembly import open_parts
from app.cli import serving as starting
from app.errors import TrustedUnfit
from app.local.weights import SILENT
from app.main import create_app
from app.profiles.profile_file import read_profile_file
from app.settings.settings import Settings
from app.tokenization.tokenizer import Tokenizer
from e2e.conftest import BUNDLE
from e2e.test_vllm import Relay, found, secrets
from e2e.vllm_server import MODEL, ROOT, VLLMServer, serve_vllm

pytestmark = pytest.mark.vllm

ISABEL, WALTER = (read_profile_file(ROOT / "profiles" / f"{name}.toml") for name in ("isabel", "walter"))
QUESTIONS = (
    "Write a short invitation to dinner on Saturday.",
    "What do you see from your window this morning?",
)
LONG = "Write a long story about a journey by train through the mountains, with every detail."
TOKENS, KILLED_AFTER, LONG_TOKENS = 24, 8, 400
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
        """A greedy reply, for Isabel unless `fields` say otherwise; `kill` is killed in the middle."""
        stream = await self._asked(question, TOKENS, fields)
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

    async def steered(self, question: str, max_tokens: int) -> AsyncGenerator[bool, None]:
        """Of each token of a greedy reply for Isabel, as it comes, whether the small model was heard."""
        stream = await self._asked(question, max_tokens, {"costeer": {"detail": True}})
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    for token in (choice.model_extra or {}).get("costeer", {}).get("tokens", []):
                        yield token["local_delta"] is not None

    async def _asked(
        self, question: str, max_tokens: int, fields: dict[str, Any]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await self.client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": question}],
            max_tokens=max_tokens,
            temperature=0,
            stream=True,
            extra_body={"profile": "isabel", **fields},
        )


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Served]:
    chosen = Settings(data_dir=folder, **settings)
    async with open_parts(chosen) as parts:
        parts.store.profiles.put(ISABEL)
        parts.store.profiles.put(WALTER)
        async with (
            behind_a_port(create_app(chosen, parts)) as url,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield Served(client, parts)


def on_a_server(base_url: str, bundle_path: str, **settings: Any) -> dict[str, Any]:
    return {"local_base_url": base_url, "local_model": MODEL, "local_tokenizer": bundle_path, **settings}


@pytest.fixture(scope="module")
def other_path(bundle_path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same model with another tokenizer, which joins no letters."""
    folder = tmp_path_factory.mktemp("other")
    for file in Path(bundle_path).iterdir():
        (folder / file.name).symlink_to(file)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"] = []
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return str(folder)


async def test_replies_are_those_of_the_small_model_in_this_process_and_the_remote_hears_nothing_private(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, tmp_path: Path
) -> None:
    to_remote, to_trusted = Relay(remote.port), Relay(trusted.port)
    asked: list[dict[str, Any]] = [
        {"question": question, "strength": strength, "profile": profile}
        for question, profile in (
            (QUESTIONS[0], "isabel"),
            (QUESTIONS[1], "isabel"),
            (QUESTIONS[0], "walter"),
        )
        for strength in (0.5, "auto")
    ]
    async with to_remote.listening() as remote_url, to_trusted.listening() as trusted_url:
        server = on_a_server(trusted_url, bundle_path)
        async with serving(tmp_path / "server", remote_base_url=remote_url, **server) as served:
            there = [await served.reply(**one) for one in asked]
    async with serving(
        tmp_path / "here", remote_base_url=remote.base_url, local_model=BUNDLE, dtype="float32"
    ) as served:
        here = [await served.reply(**one) for one in asked]
        alone = [await served.reply(question, strength=0) for question in QUESTIONS]
    assert [one.text for one in there] == [one.text for one in here]
    assert [one.finish for one in there] == [one.finish for one in here]
    assert not any((one.marks or {}).get("unassisted") for one in there)
    assert len({here[0].text, here[4].text, alone[0].text}) == 3, "it steers, by the person"

    tokenizer = Tokenizer(bundle_path)
    private = secrets(ISABEL) | secrets(WALTER)

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


async def test_one_that_does_not_fit_refuses_the_start_and_says_what_to_change(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, other_path: str, tmp_path: Path
) -> None:
    async def refused(**changed: Any) -> str:
        given = {**on_a_server(trusted.base_url, bundle_path), "remote_base_url": remote.base_url, **changed}
        with pytest.raises(TrustedUnfit) as caught:
            async with starting._opened(Settings(data_dir=tmp_path, **given), nullcontext(SILENT)):
                pass
        return caught.value.message

    assert "COSTEER_LOCAL_MODEL" in await refused(local_model="another")
    assert "swapped" in await refused(local_model="another", remote_model=MODEL)
    assert "COSTEER_LOCAL_TOKENIZER" in await refused(local_tokenizer=other_path)
    paths = ("/v1/completions", "/v1/models", "/tokenize")
    old = Gateway(trusted.root, prefix="", strips=frozenset({"logprob_token_ids"}), shown=paths, asks={})
    async with old.listening() as url:
        assert "logprob_token_ids" in await refused(local_base_url=f"{url}/v1")
    with pytest.raises(ValueError, match="COSTEER_LOCAL_SAME_SERVER"):
        await refused(remote_base_url=trusted.base_url)


async def test_one_that_stalls_in_mid_reply_leaves_tokens_to_the_remote_and_steers_the_rest(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, tmp_path: Path
) -> None:
    server = on_a_server(trusted.base_url, bundle_path, remote_base_url=remote.base_url, strength=0.5)
    async with serving(tmp_path, **server) as served:
        await served.reply(LONG)  # its prompts are read
        before, since = 0, []  # tokens that were steered; of each since it stalls, whether it is
        try:
            async with aclosing(served.steered(LONG, LONG_TOKENS)) as tokens:
                async for steered in tokens:
                    if before == KILLED_AFTER:
                        since.append(steered)
                    elif steered and (before := before + 1) == KILLED_AFTER:
                        os.killpg(trusted.pid, signal.SIGSTOP)
                    if since.count(False) == KILLED_AFTER:
                        os.killpg(trusted.pid, signal.SIGCONT)
                    if since.count(False) >= KILLED_AFTER and since[-KILLED_AFTER:] == [True] * KILLED_AFTER:
                        break
        finally:
            os.killpg(trusted.pid, signal.SIGCONT)
    assert since.count(False) >= KILLED_AFTER
    assert since[-KILLED_AFTER:] == [True] * KILLED_AFTER, "once it goes on, it steers"


async def test_killed_in_mid_reply_it_leaves_the_rest_to_the_remote_and_steers_again_once_it_is_back(
    remote: VLLMServer, trusted: VLLMServer, bundle_path: str, other_path: str, tmp_path: Path
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

        with serve_vllm(other_path, *FLOAT32, port=trusted.port) as another:
            asked = await another.metric("vllm:prompt_tokens_total")
            replaced = await served.reply(question)
            assert replaced.text == away.text and replaced.marks is not None
            assert "TrustedUnfit" in replaced.marks["mishap"]
            assert asked == await another.metric("vllm:prompt_tokens_total"), "it is told nothing"

        with serve_vllm(bundle_path, *FLOAT32, port=trusted.port) as back:
            again = await served.reply(question)
            assert again.text == whole.text
            assert not (again.marks or {}).get("unassisted")
            assert (await strict.reply(question)).text == whole.text
            ended = await strict.reply(question, back)
            assert ended.error is not None and ended.finish is None
            assert whole.text.startswith(ended.text)
            assert "small model" in str(ended.error)
