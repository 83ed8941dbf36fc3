"""Every byte that a remote receives in a run of all that clients can ask: nothing private, no label."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest
from doctor.verdicts import findings
from fakes import JOINED, LOUD, LOUD_DOCUMENT, PRIVATE, FakeLocal, FakeTokenizer
from remote.recorder import RecordingVLLM, listening

from app.api.dependencies import Parts
from app.api.responses.stored import StoredResponses
from app.api.routes.passthrough import FAMILIES
from app.api.schemas.chat_fields import LABELS, OWN
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import Generator
from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.decoding.warmup import Warmer
from app.doctor import remote as doctor
from app.main import create_app
from app.profiles.profile import ProfileDocument
from app.profiles.shelf import Bounds, MemoryShelf
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from app.remote.vllm import VLLMRemote
from app.settings.settings import Settings

REMOTE_KEY = "sk-of-the-remote"
LABEL = "stays-here"
OBJECT = {"user_id": LABEL, LABEL: LABEL}
LABELLED: dict[str, Any] = dict.fromkeys(LABELS, LABEL) | dict.fromkeys(
    ["metadata", "prompt_cache_options"], OBJECT
)
CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
# Of a client's headers none of these is the remote's business.
HEADERS = {
    "Cookie": f"session={LABEL}",
    "User-Agent": LABEL,
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-User": LABEL,
    "Forwarded": f"for={LABEL}",
    "Referer": f"http://{LABEL}/",
    "OpenAI-Organization": LABEL,
    "OpenAI-Project": LABEL,
    "X-Request-Id": LABEL,
    "Traceparent": LABEL,
}


class Run:
    """The proxy before a recording vLLM, with two profiles, and a client that says more than it should."""

    def __init__(
        self,
        vllm: RecordingVLLM,
        client: httpx.AsyncClient,
        store: Store,
        remote: VLLMRemote,
        kept: MemoryShelf,
    ) -> None:
        self.vllm, self.client, self.store, self.remote, self.kept = vllm, client, store, remote, kept
        self.answered: list[tuple[int, str]] = []

    async def ask(self, method: str, path: str, status: int = 200, **given: Any) -> None:
        headers = {**HEADERS, **given.pop("headers", {})}
        answer = await self.client.request(method, path, headers=headers, **given)
        assert answer.status_code == status, f"{method} {path}: {answer.text}"
        self.answered.append((answer.status_code, path))
        # What the remote's own headers say to this proxy is not for the client.
        assert "set-cookie" not in answer.headers


@pytest.fixture
async def run(tmp_path: Path, clean_environment: Path) -> AsyncIterator[Run]:
    async with listening(RecordingVLLM()) as vllm:
        url = f"http://127.0.0.1:{vllm.port}/v1"
        with Store.open(tmp_path / "data") as store:
            store.profiles.put(LOUD_DOCUMENT)
            store.profiles.put(ProfileDocument(JOINED))
            async with aclosing(VLLMRemote(url, api_key=REMOTE_KEY, session_header="X-Session-Id")) as remote:
                matcher = VocabularyMatcher(remote, FakeTokenizer())
                generator = Generator(
                    remote, FakeLocal(), matcher, DecodingConfig(max_model_len=4096, draft_length=6)
                )
                warmer = Warmer(store.profiles.get, generator.warm)
                retriever = Retriever(store.history, 5)
                sweeper = Sweeper(store, [], retriever, warmer.soon)
                shelf = MemoryShelf(Bounds(100))
                parts = Parts(
                    generator,
                    store,
                    retriever,
                    0.5,
                    remote,
                    warmer,
                    sweeper,
                    responses=StoredResponses(shelf),
                )
                app = create_app(Settings(), parts)
                async with (
                    warmer.running([]),
                    app.router.lifespan_context(app),
                    httpx.AsyncClient(
                        transport=httpx.ASGITransport(app), base_url="http://localhost"
                    ) as client,
                ):
                    yield Run(vllm, client, store, remote, shelf)


def chat(**fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "Write a greeting."}
    return {"model": "fake-model", "messages": [message], "max_tokens": 2, **LABELLED, **fields}


async def steered_and_not(run: Run, key: dict[str, str]) -> None:
    for stream in (False, True):
        await run.ask("POST", CHAT, json=chat(stream=stream, profile="loud", strength=1))
        await run.ask("POST", CHAT, json=chat(stream=stream, model="fake-model@loud"))
        await run.ask("POST", CHAT, json=chat(stream=stream), headers={"X-CoSteer-Profile": "joined"})
        await run.ask("POST", CHAT, json=chat(stream=stream), headers=key)
        await run.ask("POST", CHAT, json=chat(stream=stream))
        await run.ask(
            "POST", CHAT, json=chat(stream=stream, profile="joined", strength=0, costeer={"detail": True})
        )
        off = chat(stream=stream, steering="off", profile="loud", strength=1, costeer={"detail": True})
        await run.ask("POST", CHAT, json=off)
        own = {"preferences": [LABEL, {"text": LOUD.name, "opposite": LABEL}]}
        for named in ({}, {"profile": "loud"}, {"profile": "loud", "steering": "off"}):
            await run.ask("POST", CHAT, json=chat(stream=stream, costeer=own, **named))
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    message = {"role": "user", "content": [{"type": "text", "text": "Hello", **LABELLED}], **LABELLED}
    for model in ("fake-model", "fake-model@loud"):
        asked = chat(model=model, tools=tools, profile="loud")
        await run.ask("POST", CHAT, json=asked, headers=key)
        passed = {**asked, "messages": [message], "tool_choice": "required"}
        await run.ask("POST", CHAT, json=passed, headers=key)


def response(**fields: Any) -> dict[str, Any]:
    item = {"role": "user", "content": [{"type": "input_text", "text": "Write a greeting."}]}
    return {
        "model": "fake-model",
        "input": [item],
        "max_output_tokens": 2,
        "client_metadata": OBJECT,
        **LABELLED,
        **fields,
    }


async def responses(run: Run, key: dict[str, str]) -> None:
    """Turns of conversations that are kept here, steered, not steered and passed on."""
    passed: tuple[dict[str, Any], ...] = (
        {"steering": "off"},
        {"text": {"format": {"type": "json_object"}}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "function", "name": "f", "parameters": {}}]},
    )
    for given, headers in (
        ({"profile": "loud", "strength": 1}, {}),
        ({"model": "fake-model@loud"}, {}),
        ({}, {"X-CoSteer-Profile": "joined"}),
        ({}, key),
        ({}, {}),
    ):
        for stream in (False, True):
            asked = response(stream=stream, costeer={"detail": True, "preferences": [LABEL]}, **given)
            await run.ask("POST", RESPONSES, json=asked, headers=headers)
            newest = [*run.kept._entries][-1]
            last = newest.decode()
            asked |= {"previous_response_id": last, "instructions": "Be brief.", "store": False}
            await run.ask("POST", RESPONSES, json=asked, headers=headers)
            items = [{"type": "item_reference", "id": one} for one in run.kept._entries[newest].names]
            for more in passed:
                await run.ask("POST", RESPONSES, json={**asked, **more}, headers=headers)
                referring = {**response(**given), **more, "input": [*items, *asked["input"]]}
                await run.ask("POST", RESPONSES, json=referring, headers=headers)
            for path in (last, f"{last}/input_items"):
                await run.ask("GET", f"{RESPONSES}/{path}", headers=headers)
            await run.ask("DELETE", f"{RESPONSES}/{last}", headers=headers)
            await run.ask("GET", f"{RESPONSES}/{last}", 404, headers=headers)
    await run.ask("GET", f"{RESPONSES}/resp_1?user={LABEL}&limit=1")


async def filled_in(run: Run, key: dict[str, str]) -> None:
    """Clients send back replies that values were filled into, on whichever path, and with any choice of whose
    they are."""
    said = f"Yours, {LOUD.name}"
    parts = [{"type": kind, "text": said} for kind in ("text", "output_text", "refusal")]
    messages = [
        {"role": "user", "content": "Write a greeting."},
        {"role": "assistant", "content": said, "reasoning_content": said},
        {"role": "assistant", "content": [*parts, {"type": "thinking", "thinking": said}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": said}], "content": parts},
    ]
    unsteered = {"reasoning_effort": "high"}
    bodies: dict[str, dict[str, Any]] = {
        CHAT: {"messages": messages, **unsteered},
        "/v1/responses": {"input": messages, "tools": [{"type": "web_search"}]},
        "/v1/messages": {"messages": messages, "max_tokens": 2},
        "/v1/messages/count_tokens": {"messages": messages},
    }
    guesses = [{"prediction": {"type": "content", "content": guess}} for guess in (said, parts)]
    for named in ({"model": "fake-model@loud"}, {"model": "fake-model", "profile": "loud"}):
        for path, body in bodies.items():
            await run.ask("POST", path, json={**body, **named})
            await run.ask("POST", path, json={**body, "model": "fake-model"}, headers=key)
        for guess in guesses:
            await run.ask("POST", CHAT, json={**bodies[CHAT], **named, **guess})
        line = {"method": "POST", "url": CHAT, "body": {**bodies[CHAT], **named}}
        lines = "\n".join([json.dumps(line)] * 2)
        files = {"file": ("requests.jsonl", lines.encode(), "application/jsonl")}
        await run.ask("POST", "/v1/files", files=files, data={"purpose": "batch"})


async def passed_on(run: Run, key: dict[str, str]) -> None:
    costeer = {"detail": True, "preferences": [LABEL]}
    own = {"profile": "loud", "strength": 1, "steering": "on", "costeer": costeer}
    request = {
        "model": "fake-model@loud",
        "input": [{"role": "user", "content": "Hi", **LABELLED}],
        **own,
        **LABELLED,
    }
    assert set(own) == OWN
    for family in FAMILIES:
        for path in {f"/v1/{family}", f"/v1/{family}/one"} - {CHAT, RESPONSES}:
            await run.ask("GET", f"{path}?limit=2&model=fake-model%40loud")
            await run.ask("DELETE", path)
            for body in (
                request,
                [request],
                {"requests": [{"custom_id": "1", "params": request}]},
                {"batches": [request]},
            ):
                await run.ask("POST", path, json=body, headers=key)
    for name in (*LABELLED, *own):
        await run.ask("GET", f"{CHAT}?{name}={LABEL}")
        await run.ask("POST", f"/v1/files?{name}[a]={LABEL}", json={})
    line = json.dumps({"custom_id": "1", "method": "POST", "url": CHAT, "body": request, **LABELLED, **own})
    files = {"file": ("requests.jsonl", f"{line}\n{line}\n".encode(), "application/jsonl")}
    fields = {
        "model": "fake-model@loud",
        "purpose": "batch",
        "profile": "loud",
        "strength": "1",
        f"metadata[{LABEL}]": LABEL,
    }
    labels = dict.fromkeys(LABELS, LABEL)
    for path in ("/v1/files", "/v1/audio/transcriptions", "/v1/images/edits"):
        await run.ask("POST", path, files=files, data={**fields, **labels})
    await run.ask("POST", "/v1/embeddings", 415, data={"user": LABEL})


async def about_profiles(run: Run) -> None:
    for path in ("/health", "/ready", "/metrics", "/v1/models?aliases=true", "/v1/models/fake-model@loud"):
        await run.ask("GET", path)
    for path in (
        "/v1/profiles",
        "/v1/profiles/loud",
        "/v1/profiles/loud/history",
        "/v1/profiles/loud/export",
    ):
        await run.ask("GET", path)
    text = {"title": LOUD.name, "text": PRIVATE[-1]}
    await run.ask("POST", "/v1/profiles/loud/history", 201, json=[text])
    await run.ask("GET", "/v1/profiles/loud/history/item_1")
    await run.ask("PATCH", "/v1/profiles/joined", json={"name": LOUD.name, "record_history": True})
    await run.ask("POST", CHAT, json=chat(profile="joined"))


async def test_the_remote_learns_nothing_from_any_request(run: Run) -> None:
    secret = run.store.keys.create("app", "loud")[1]
    key = {"Authorization": f"Bearer {secret}"}
    await about_profiles(run)
    await steered_and_not(run, key)
    await responses(run, key)
    await passed_on(run, key)
    await filled_in(run, key)
    checks = doctor.checks(run.remote, url="http://vllm.test/v1", has_key=True, top_logprobs=20)
    assert all(finding.state in {"ok", "warning"} for finding in (await findings(checks)).values())

    received = run.vllm.everything
    assert (
        len(run.vllm.requests) > 200
        and b"Write a greeting." in received
        and b"Yours, [Your name]" in received
        and REMOTE_KEY.encode() in received
    )
    private = (*PRIVATE, LABEL, LOUD.id, JOINED.id, secret, "costeer-", "resp_costeer")
    for word in (*private, "203.0.113.7", "crumb"):
        assert word.encode() not in received, word
    for name in (*OWN, *LABELS, *HEADERS):
        assert f'"{name}":'.encode() not in received, name
        assert f"\n{name}:".lower().encode() not in received.lower() or name == "User-Agent", name
