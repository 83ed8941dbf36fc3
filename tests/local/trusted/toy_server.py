"""A vLLM with toy distributions behind a transport: what a server of the small model answers, by its wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import orjson

from app.steering.formula import FloatArray
from app.tokenization.probes import PROBES

URL = "https://trusted.test:8002/v1"
# What vLLM 0.32 writes in place of -inf.
LEAST = -9999.0
# [V]: of the tokens after a prompt.
Distribution = Callable[[Sequence[int]], FloatArray]


class ToyTokenizer:
    """As large as the toy vocabulary; cuts texts into their lengths."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def encode(self, text: str) -> list[int]:
        return [len(text)]


class ToyServer(httpx.AsyncBaseTransport):
    """Answers as vLLM 0.32 does. `tearing`: as its older sampler, which leaves out the likeliest tokens of a
    request that shares a pass with one for tokens by their ids: here, one that comes next to such a one."""

    def __init__(
        self,
        distribution: Distribution,
        *,
        most: int = 50,
        key: str = "",
        models: Sequence[str] = ("toy",),
        tearing: bool = False,
        old: bool = False,
    ) -> None:
        self.distribution = distribution
        self.most = most
        self.key = key
        self.models = models
        self.tearing = tearing
        self.old = old
        self.bodies: list[dict[str, Any]] = []  # of completions
        self.asked: list[str] = []  # the paths of all requests
        self.refusing: httpx.Response | Exception | None = None
        self.longest: int | None = 100
        self.shifted = 0  # 0: its tokenizer is ToyTokenizer
        self._by_ids = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if isinstance(self.refusing, Exception):
            raise self.refusing
        if self.refusing is not None:
            return self.refusing
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return httpx.Response(401, json={"error": "Unauthorized"})
        body = orjson.loads(await request.aread() or b"{}")
        match request.url.path:
            case "/v1/models":
                size = self.longest
                listed = [{"id": name, "max_model_len": size, "root": f"org/{name}"} for name in self.models]
                return httpx.Response(200, json={"data": listed})
            case "/version":
                return httpx.Response(200, json={"version": "0.32.0"})
            case "/tokenize":
                assert body["prompt"] in PROBES
                if body["model"] not in self.models:
                    return httpx.Response(404, json={"error": {"message": "no such model"}})
                return httpx.Response(200, json={"tokens": [len(body["prompt"]) + self.shifted]})
            case "/v1/completions":
                return await self._completed(body)
        return httpx.Response(404, json={"detail": "Not Found"})

    async def _completed(self, body: dict[str, Any]) -> httpx.Response:
        self.bodies.append(body)
        assert body["model"] in self.models and body["max_tokens"] == 1
        ids = None if self.old else body.get("logprob_token_ids")
        if ids is None and (wanted := body.get("logprobs") or 0) > self.most:
            message = (
                f"Requested sample logprobs of {wanted}, which is greater than max allowed: {self.most} "
                f"{body['prompt']}"
            )
            return httpx.Response(400, json={"error": {"message": message, "code": 400}})
        if ids is not None and len(ids) > 128:
            return httpx.Response(400, json={"error": {"message": "greater than max allowed: 128"}})
        self._by_ids += ids is not None
        try:
            await _steps(3)
            torn = self.tearing and ids is None and self._by_ids
            rows = [self._row(prompt, body, ids, torn=bool(torn)) for prompt in body["prompt"]]
            choices = [
                {"index": index, "logprobs": {"top_logprobs": [row]}} for index, row in enumerate(rows)
            ]
        finally:
            self._by_ids -= ids is not None
        return httpx.Response(200, json={"choices": choices[::-1]})

    def _row(
        self, prompt: Sequence[int], body: dict[str, Any], ids: Sequence[int] | None, *, torn: bool
    ) -> dict[str, float]:
        logprobs = self.distribution(prompt)
        order = np.argsort(-logprobs, kind="stable")
        told = [int(order[0]), *(ids if ids is not None else order[: body.get("logprobs") or 0].tolist())]
        row = {f"token_id:{token_id}": float(logprobs[token_id]) for token_id in told}
        if torn:
            row = {name: row[name] for name in list(row)[:1]}
            row.setdefault("token_id:0", LEAST)
        return row


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
