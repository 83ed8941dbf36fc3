"""A vLLM as its wire shows it, over a fake tokenizer, with knobs for what may be wrong with one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from fakes import FakeTokenizer
from remote.recordings import BASE, as_sse, recording, stream

from app.prompts.message import Message
from app.remote.vllm import VLLMRemote


@dataclass
class FakeVLLM:
    """`down`: nobody listens. `key`: what it asks for. `cap`: of logprobs; `gives`: likewise, unsaid.
    `shift`: of its token ids. `template`: what its own adds to a message. `cached`: tokens of a prompt, told
    in the `usage` of its answers, in its `metrics`, or not at all. `routed_by`: the header by which a router
    chooses a replica, each time another one without it; cached is what that replica was sent before."""

    down: bool = False
    version: str = "0.32.0"
    key: str = ""
    models: tuple[str, ...] = ("fake-model",)
    cap: int = 20
    gives: int = 1000
    shift: int = 0
    template: str = ""
    cached: int = 384
    told_by: str = "metrics"
    seen: list[tuple[str, str]] = field(default_factory=list)
    hits: int = 0
    routed_by: str = ""
    readers: set[str] = field(default_factory=set)

    def remote(self, **options: Any) -> VLLMRemote:
        return VLLMRemote(BASE, transport=httpx.MockTransport(self.answer), spare=False, **options)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.seen.append((path, request.content.decode()))
        if self.down:
            raise httpx.ConnectError("refused")
        given = request.headers.get("authorization")
        if self.key and path.startswith("/v1") and given != f"Bearer {self.key}":
            refused = recording("error_auth")
            return httpx.Response(refused["status"], json=refused["response"])
        if path == "/version":
            return httpx.Response(200, json={"version": self.version})
        if path == "/v1/models":
            listed = [{"id": name, "max_model_len": 4096} for name in self.models]
            return httpx.Response(200, json={"object": "list", "data": listed})
        if path == "/metrics" and self.told_by == "metrics":
            line = f'vllm:prefix_cache_hits_total{{engine="0",model_name="fake-model"}} {float(self.hits)}\n'
            return httpx.Response(200, text=f"# TYPE vllm:prefix_cache_hits counter\n{line}")
        body = orjson.loads(request.content) if request.content else {}
        if path == "/tokenize":
            return httpx.Response(200, json={"tokens": self._tokenized(body)})
        if path == "/v1/completions":
            return self._completed(body, request.headers.get(self.routed_by, ""))
        return httpx.Response(404, json={"detail": "Not Found"})

    def _tokenized(self, body: dict[str, Any]) -> list[int]:
        if "prompt" in body:
            return [token + self.shift for token in FakeTokenizer().encode(body["prompt"])]
        messages = [Message(one["role"], one["content"] + self.template) for one in body["messages"]]
        return FakeTokenizer().chat(messages)

    def _completed(self, body: dict[str, Any], replica: str) -> httpx.Response:
        if body.get("stream"):
            over = body["logprobs"] > self.cap
            chunks = as_sse([_chunk(min(body["logprobs"], self.gives))])
            content = stream("error_stream_logprobs_cap") if over else chunks
            return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=content)
        cached = self.cached if not self.routed_by or replica in self.readers else 0
        self.readers |= {replica} - {""}
        self.hits += cached
        details = {"cached_tokens": cached} if self.told_by == "usage" else None
        usage = {"prompt_tokens": len(body["prompt"]), "prompt_tokens_details": details}
        return httpx.Response(200, json={"choices": [], "usage": usage})


def _chunk(count: int) -> dict[str, Any]:
    """The first of a draft's, and its last; `count` candidates."""
    top = {f"token_id:{number}": -0.1 - number for number in range(count)}
    logprobs = {"tokens": ["token_id:0"], "token_logprobs": [-0.1], "top_logprobs": [top], "text_offset": [0]}
    choice = {"index": 0, "text": "x", "logprobs": logprobs, "finish_reason": "length", "token_ids": [0]}
    return {"id": "cmpl-1", "choices": [choice]}
