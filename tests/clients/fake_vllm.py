"""A vLLM-shaped server whose replies are scripted: tools, embeddings and streams without a model's weights.

Shaped by the recordings in tests/fixtures/vllm-0.32. It takes the tokenizer of a bundle, which the local
model shares. Its replies depend on the conversation only, so that a steered reply may leave its script and
come back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.local.weights import resolve
from app.prompts.message import Message
from app.settings.settings import Settings
from app.tokenization.tokenizer import Tokenizer

# What openai-python's own tests ask for.
MODEL = "gpt-6-astra"
MAX_MODEL_LEN = 8192
SHORT = "Hello there, friend."
# A question that holds this gets a reply of thousands of tokens, one every SECONDS_A_TOKEN.
ESSAY = "essay"
LONG = " ".join(f"Line {number} of a long essay." for number in range(400))
SECONDS_A_TOKEN = 0.02
SURE, UNSURE = -0.01, -6.0
# The fields of a response that a request may set.
UNASKED: dict[str, Any] = {
    "background": False,
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}


class FakeVLLM:
    """The script, and what runs at the moment."""

    def __init__(self, tokenizer: Tokenizer, seconds_a_token: float = SECONDS_A_TOKEN) -> None:
        self.tokenizer = tokenizer
        self.seconds_a_token = seconds_a_token
        (self.eos,) = sorted(tokenizer.eos_ids)[-1:]
        self.opening = tokenizer.chat([Message("user", "")])[-3:]  # what stands before a reply
        self.running = 0
        self.served = 0

    def script(self, prompt: Sequence[int]) -> Iterator[int]:
        """The reply's tokens from where the prompt ends; the prompt may hold the start of the reply."""
        start = next(
            (at + 3 for at in range(len(prompt) - 3, -1, -1) if list(prompt[at : at + 3]) == self.opening),
            len(prompt),
        )
        text = LONG if self.is_slow(prompt) else SHORT
        yield from [*self.tokenizer.encode(text), self.eos][len(prompt) - start :]
        yield self.eos

    def is_slow(self, prompt: Sequence[int]) -> bool:
        return ESSAY in self.tokenizer.decode(prompt[-80:])

    def logprobs(self, token_id: int, wanted: int) -> dict[str, list[Any]]:
        """Of one position: the scripted token, and others far behind."""
        others = (number for number in count(1000) if number != token_id)
        ids = [token_id, *(next(others) for _ in range(wanted - 1))]
        return {
            "text_offset": [0],
            "token_logprobs": [SURE],
            "tokens": [f"token_id:{token_id}"],
            "top_logprobs": [{f"token_id:{i}": SURE if i == token_id else UNSURE - i / 1e4 for i in ids}],
        }


def create_fake(fake: FakeVLLM) -> FastAPI:
    app = FastAPI()

    @app.get("/running")
    def running() -> dict[str, int]:
        """For the checks: requests that are being answered, and all that ever were."""
        return {"running": fake.running, "served": fake.served}

    @app.get("/health")
    def health() -> Response:
        return Response()

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        card = {"id": MODEL, "object": "model", "created": 1795354971, "owned_by": "vllm"}
        return {
            "object": "list",
            "data": [{**card, "root": MODEL, "parent": None, "max_model_len": MAX_MODEL_LEN}],
        }

    @app.post("/tokenize")
    async def tokenize(request: Request) -> dict[str, Any]:
        body = await request.json()
        if "messages" in body:
            ids = fake.tokenizer.chat([Message(m["role"], text_of(m)) for m in body["messages"]])
        else:
            ids = fake.tokenizer.encode(body["prompt"])
        return {"count": len(ids), "max_model_len": MAX_MODEL_LEN, "tokens": ids, "token_strs": None}

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        body = await request.json()
        if (refused := refusal(body)) is not None:
            return refused
        prompt = body["prompt"]
        if isinstance(prompt, str):
            prompt = fake.tokenizer.encode(prompt)
        if body.get("stream"):
            return sse(completion_chunks(fake, body, prompt))
        ids = [t for t, _ in zip(fake.script(prompt), range(body.get("max_tokens") or 16), strict=False)]
        choice = {
            "index": 0,
            "text": fake.tokenizer.decode(ids),
            "logprobs": None,
            "finish_reason": "stop" if ids[-1] == fake.eos else "length",
            "stop_reason": None,
        }
        return JSONResponse(
            {**head("cmpl", "text_completion"), "choices": [choice], "usage": usage(prompt, ids)}
        )

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.json()
        if (refused := refusal(body)) is not None:
            return refused
        message, finish_reason = reply_to(body)
        if body.get("stream"):
            return sse(chat_chunks(fake, body, message, finish_reason))
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return JSONResponse(
            {**head("chatcmpl", "chat.completion"), "choices": [choice], "usage": usage([0] * 9, [0] * 5)}
        )

    # Replies that are stored at OpenAI. vLLM has none; openai-python's own tests ask for them.
    @app.get("/v1/chat/completions")
    def stored() -> dict[str, Any]:
        return {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}

    @app.get("/v1/chat/completions/{_reply_id}")
    def one_stored(_reply_id: str) -> dict[str, Any]:
        message, finish_reason = reply_to({"messages": []})
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return {**head("chatcmpl", "chat.completion"), "choices": [choice]}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> dict[str, Any]:
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vector: Any = [0.25, -0.5, 0.125, 1.0]
        if body.get("encoding_format") == "base64":
            vector = "AACAPgAAAL8AAAA+AACAPw=="
        data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(len(texts))]
        return {
            "object": "list",
            "data": data,
            "model": MODEL,
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        }

    @app.get("/v1/responses/{response_id}")
    @app.delete("/v1/responses/{response_id}")
    def no_response(response_id: str) -> Response:
        message = f"Response with id '{response_id}' not found."
        return refused_with(message, 404, "NotFoundError", "response_id")

    @app.post("/v1/responses")
    async def responses(request: Request) -> Any:
        earlier = (await request.json()).get("previous_response_id")
        if earlier is not None:
            return no_response(earlier)
        part = {"type": "output_text", "text": SHORT, "annotations": [], "logprobs": []}
        output = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": int(time.time()),
            "completed_at": int(time.time()),
            "status": "completed",
            "model": MODEL,
            "output": [output],
            "usage": {
                "input_tokens": 9,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 14,
            },
            **UNASKED,
        }

    return app


def reply_to(body: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The message, and why it ends: a call of the first tool where it may be called and has not been."""
    # vLLM 0.32 has annotations of null. OpenAI's specification does not allow that, and llm-comply fails it.
    message: dict[str, Any] = {"role": "assistant", "content": SHORT, "refusal": None, "annotations": []}
    answered = any(m["role"] == "tool" for m in body["messages"])
    if body.get("tools") and body.get("tool_choice") != "none" and not answered:
        function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"location": "Paris"}'}
        call = {"id": "chatcmpl-tool-1", "type": "function", "function": function}
        return {**message, "content": None, "tool_calls": [call]}, "tool_calls"
    if (body.get("response_format") or {}).get("type") in {"json_object", "json_schema"}:
        return {**message, "content": '{"answer": "Hello"}'}, "stop"
    return message, "stop"


async def chat_chunks(
    fake: FakeVLLM, body: Mapping[str, Any], message: Mapping[str, Any], finish_reason: str
) -> AsyncIterator[str]:
    common = head("chatcmpl", "chat.completion.chunk")

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return json.dumps({**common, "choices": [choice]})

    essay = ESSAY in json.dumps(body["messages"][-1:])
    words = (LONG if essay else message["content"] or "").split()
    if essay and (limit := body.get("max_tokens")):
        words, finish_reason = words[:limit], "length"
    fake.running, fake.served = fake.running + 1, fake.served + 1
    try:
        yield chunk({"role": "assistant", "content": ""})
        for index, call in enumerate(message.get("tool_calls", [])):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            yield chunk(
                {"tool_calls": [{**call, "index": index, "function": {"name": name, "arguments": ""}}]}
            )
            for piece in (arguments[:9], arguments[9:]):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        for word in words:
            await asyncio.sleep(fake.seconds_a_token if essay else 0)
            yield chunk({"content": f"{word} "})
        yield chunk({}, finish_reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            yield json.dumps({**common, "choices": [], "usage": usage([0] * 9, [0] * 5)})
        yield "[DONE]"
    finally:
        fake.running -= 1


async def completion_chunks(
    fake: FakeVLLM, body: Mapping[str, Any], prompt: Sequence[int]
) -> AsyncIterator[str]:
    common = head("cmpl", "text_completion")
    limit = body.get("max_tokens") or 16
    pause = fake.seconds_a_token if fake.is_slow(prompt) else 0
    fake.running, fake.served = fake.running + 1, fake.served + 1
    try:
        for number, token_id in enumerate(fake.script(prompt), 1):
            await asyncio.sleep(pause)
            wanted = body.get("logprobs")
            ended = token_id == fake.eos
            choice = {
                "index": 0,
                "text": "" if ended else fake.tokenizer.decode([token_id]),
                "logprobs": fake.logprobs(token_id, wanted) if wanted else None,
                "finish_reason": "stop" if ended else "length" if number == limit else None,
                "stop_reason": None,
                "prompt_token_ids": list(prompt) if number == 1 else None,
                "token_ids": [token_id],
            }
            yield json.dumps({**common, "choices": [choice]})
            if choice["finish_reason"]:
                break
        yield "[DONE]"
    finally:
        fake.running -= 1


def refusal(body: Mapping[str, Any]) -> Response | None:
    """vLLM's error for a model that it does not serve."""
    if body.get("model") == MODEL:
        return None
    message = f"The model `{body.get('model')}` does not exist."
    return refused_with(message, 404, "NotFoundError", "model")


def refused_with(message: str, status: int, kind: str, param: str) -> Response:
    """vLLM's error object."""
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": status}}, status)


def text_of(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


def head(prefix: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{uuid.uuid4().hex[:16]}",
        "object": kind,
        "created": int(time.time()),
        "model": MODEL,
    }


def usage(prompt: Sequence[int], reply: Sequence[int]) -> dict[str, int]:
    sizes = {"prompt_tokens": len(prompt), "completion_tokens": len(reply)}
    return {**sizes, "total_tokens": sum(sizes.values())}


def sse(events: AsyncIterator[str]) -> Response:
    async def lines() -> AsyncIterator[str]:
        async for event in events:
            yield f"data: {event}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bundle", default="smollm2-135m-instruct")
    parser.add_argument("--seconds-a-token", type=float, default=SECONDS_A_TOKEN, help="of an essay")
    options = parser.parse_args()
    settings = Settings()
    path = resolve(options.bundle, cache_dir=settings.cache_dir, weights_dir=settings.weights_dir)
    fake = FakeVLLM(Tokenizer(str(path)), options.seconds_a_token)
    uvicorn.run(create_fake(fake), port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
