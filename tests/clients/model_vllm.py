"""A vLLM-shaped server of a small model in float32: real text, the same each time, and soon started."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import uvicorn
from fake_vllm import head, refused_with, sse
from fastapi import FastAPI, Request, Response

from app.local.engine.runner import ModelRunner
from app.prompts.message import Message
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import DraftToken
from app.steering.sampling import SamplingParams

MODEL = "smol"
MAX_MODEL_LEN = 4096
MAX_LOGPROBS = 50


def create(runner: ModelRunner) -> FastAPI:
    app = FastAPI()
    remote = EmbeddedRemote(runner)

    @app.get("/health")
    def health() -> Response:
        return Response()

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        card = {"id": MODEL, "object": "model", "created": 1795354971, "owned_by": "vllm"}
        return {"object": "list", "data": [{**card, "max_model_len": MAX_MODEL_LEN}]}

    @app.post("/tokenize")
    async def tokenize(request: Request) -> dict[str, Any]:
        body = await request.json()
        if "messages" in body:
            messages = [Message(one["role"], one["content"]) for one in body["messages"]]
            tokens = await asyncio.to_thread(runner.tokenizer.chat, messages)
        else:
            tokens = runner.tokenizer.encode(body["prompt"])
        return {"count": len(tokens), "max_model_len": MAX_MODEL_LEN, "tokens": tokens, "token_strs": None}

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        body = await request.json()
        if len(body["prompt"]) >= MAX_MODEL_LEN:
            message = f"This model's maximum context length is {MAX_MODEL_LEN} tokens."
            return refused_with(message, 400, "BadRequestError", "input_tokens")
        return sse(chunks(remote, runner, body))

    return app


async def chunks(remote: EmbeddedRemote, runner: ModelRunner, body: Mapping[str, Any]) -> AsyncIterator[str]:
    """The events of a draft, one for each token. Too many logprobs are refused in the stream, as by vLLM."""
    if body["logprobs"] > MAX_LOGPROBS:
        message = (
            f"Requested sample logprobs of {body['logprobs']}, which is greater than max allowed: "
            f"{MAX_LOGPROBS} (parameter=logprobs, value={body['logprobs']})"
        )
        yield json.dumps(
            {"error": {"message": message, "type": "BadRequestError", "param": "logprobs", "code": 400}}
        )
        yield "[DONE]"
        return
    common = head("cmpl", "text_completion")
    drafts = remote.draft(
        body["prompt"],
        sampling=SamplingParams(temperature=body["temperature"], seed=body.get("seed")),
        top_logprobs=body["logprobs"],
        max_tokens=body["max_tokens"],
    )
    number = 0
    async with aclosing(drafts) as positions:
        async for drafted in positions:
            number += 1
            reason = "stop" if drafted.ends else "length" if number == body["max_tokens"] else None
            text = "" if drafted.ends else runner.tokenizer.decode([drafted.token_id])
            yield json.dumps({**common, "choices": [choice(drafted, text, reason)]})
    yield "[DONE]"


def choice(drafted: DraftToken, text: str, reason: str | None) -> dict[str, Any]:
    names = [f"token_id:{token_id}" for token_id in drafted.candidates.tolist()]
    logprobs: Sequence[float] = drafted.logprobs.tolist()
    return {
        "index": 0,
        "text": text,
        "logprobs": {
            "text_offset": [0],
            "token_logprobs": [logprobs[0]],
            "tokens": [names[0]],
            "top_logprobs": [dict(zip(names, logprobs, strict=True))],
        },
        "finish_reason": reason,
        "stop_reason": None,
        "prompt_token_ids": None,
        "token_ids": [drafted.token_id],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True, help="a transformers folder")
    options = parser.parse_args()
    runner = ModelRunner(
        options.model, name=MODEL, dtype="float32", max_model_len=MAX_MODEL_LEN, leave_a_core=True
    )
    uvicorn.run(create(runner), port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
