"""A vLLM with a real tokenizer and toy distributions: the remote, or the server of the small model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from app.prompts.message import Message
from app.tokenization.tokenizer import Tokenizer

# The logprobs of the tokens after a prompt; every other token has LEAST.
Distribution = Callable[[Sequence[int]], Mapping[int, float]]
LEAST = -20.0


class ToyVLLM:
    """Answers what CoSteer asks of either server. `prompts` are all that it was asked to go on from."""

    def __init__(self, tokenizer: Tokenizer, distribution: Distribution) -> None:
        self.tokenizer = tokenizer
        self.distribution = distribution
        self.prompts: list[list[int]] = []

    def row(self, prompt: Sequence[int], wanted: int, ids: Sequence[int] | None) -> dict[str, float]:
        """The token that would be sampled first, then those that are asked for."""
        told = self.distribution(prompt)
        order = sorted(range(len(self.tokenizer)), key=lambda token_id: -told.get(token_id, LEAST))
        asked = [order[0], *(ids if ids is not None else order[:wanted])]
        return {f"token_id:{token_id}": told.get(token_id, LEAST) for token_id in asked}

    async def draft(self, body: Mapping[str, Any]) -> AsyncIterator[str]:
        """The greedy reply as server-sent events."""
        prompt, most = list(body["prompt"]), body["max_tokens"]
        for number in range(1, most + 1):
            row = self.row(prompt, body["logprobs"], None)
            token_id = int(next(iter(row)).removeprefix("token_id:"))
            prompt.append(token_id)
            choice = {
                "index": 0,
                "text": self.tokenizer.decode([token_id]),
                "logprobs": {"tokens": list(row)[:1], "top_logprobs": [row]},
                "token_ids": [token_id],
                "finish_reason": "length" if number == most else None,
            }
            yield f"data: {orjson.dumps({'choices': [choice]}).decode()}\n\n"
        yield "data: [DONE]\n\n"

    def ids_of(self, body: Mapping[str, Any]) -> list[int]:
        """What /tokenize answers."""
        if "messages" not in body:
            return self.tokenizer.encode(body["prompt"])
        messages = [Message(one["role"], one["content"]) for one in body["messages"]]
        opens, goes_on = body["add_generation_prompt"], body.get("continue_final_message", False)
        return self.tokenizer.chat(messages, opens=opens, continue_final=goes_on)


def served(vllm: ToyVLLM) -> FastAPI:
    """The server, for a port."""
    app = FastAPI()

    @app.get("/health")
    def health() -> Response:
        return Response()

    @app.get("/version")
    def version() -> dict[str, str]:
        return {"version": "0.32.0"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"data": [{"id": "toy", "max_model_len": 4096}]}

    @app.post("/tokenize")
    async def tokenize(request: Request) -> dict[str, Any]:
        return {"tokens": vllm.ids_of(await request.json())}

    @app.post("/v1/completions")
    async def completions(request: Request) -> Any:
        body = await request.json()
        prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
        vllm.prompts += prompts
        if body.get("stream"):
            return StreamingResponse(vllm.draft(body), media_type="text/event-stream")
        rows = [vllm.row(one, body.get("logprobs") or 0, body.get("logprob_token_ids")) for one in prompts]
        return {
            "choices": [
                {"index": index, "logprobs": {"top_logprobs": [row]}} for index, row in enumerate(rows)
            ]
        }

    return app
