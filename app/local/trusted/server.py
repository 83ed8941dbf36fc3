"""The server of the small model: a vLLM that may be told private text, as its own setting says and no other.

Nothing else is sent private text, and this is sent it over no proxy and to no address that it redirects to.
No error quotes what the server says.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np
import orjson

from app.errors import TrustedError, TrustedTimeout, TrustedUnavailable, TrustedUnfit
from app.local.trusted import wire
from app.local.trusted.apart import Apart
from app.local.trusted.standing import Clock, Standing
from app.local.trusted.wire import ServedModel, Torn
from app.network.address import on_this_machine, passwords, without_user
from app.network.outgoing import Answer, Connection, Server, Transport
from app.prompts.private import PrivatePrompt
from app.steering.formula import FloatArray, IntArray
from app.tokenization.probes import PROBES, first_difference

TRUSTED = Server(
    "the server of the small model",
    base_url="COSTEER_LOCAL_BASE_URL",
    read_timeout="COSTEER_LOCAL_PATIENCE",
    failed=TrustedError,
    unavailable=TrustedUnavailable,
    timed_out=TrustedTimeout,
)
AT_MOST = re.compile(rb"max allowed: (\d+)")
TRIAL_SALT = "a trial"  # no secret: it sets nobody's texts apart
# How often the likeliest tokens are asked for again where others' requests tear them.
TRIES = 4


class Encoder(Protocol):
    """The tokenizer that the small model's prompts are made with."""

    def encode(self, text: str) -> list[int]: ...


class TrustedServer:
    """One vLLM that reads private prompts. Holds a connection pool; close it with `aclose`."""

    def __init__(
        self,
        base_url: str,
        *,
        model: str = "",
        api_key: str = "",
        connect_timeout: float = 5.0,
        read_timeout: float = 120.0,
        transport: Transport | None = None,
        remote_model: str = "",
        clock: Clock = time.monotonic,
    ) -> None:
        """`base_url` ends in /v1. An empty `model` takes the first that the server lists. `remote_model`:
        what the remote is asked for by name, if by any: a server that has this one, and not the other or no
        other that is named, is told nothing, since the two addresses may be swapped.

        Raises CoSteerError where the certificates that the environment names cannot be used.
        """
        self._base_url = base_url.rstrip("/")
        self._root = self._base_url.removesuffix("/v1")
        self._model = model
        self._remote_model = remote_model
        self._served: ServedModel | None = None
        self._standing = Standing(clock)
        # How many of its likeliest tokens it tells at most, once it has refused more; None before.
        self.most: int | None = None
        self._apart = Apart()
        self._connection = Connection(
            TRUSTED,
            api_key=api_key,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            transport=transport,
            secrets=passwords(self._base_url),
        )

    async def aclose(self) -> None:
        await self._standing.aclose()
        await self._connection.aclose()

    @property
    def on_this_machine(self) -> bool:
        """Whether the server runs here."""
        return on_this_machine(self._base_url)

    @property
    def torn(self) -> bool:
        """Whether its sampler was seen to mix up two kinds of requests, which are kept apart since."""
        return self._apart.needed

    @property
    def heard(self) -> ServedModel | None:
        """The model in use, as it was found last; None before."""
        return self._served

    async def served(self) -> ServedModel:
        """The model in use, as it was found last. Raises TrustedError where the server does not have it."""
        if self._served is None:
            self._served = self._chosen(await self.models())
        return self._served

    async def models(self) -> list[ServedModel]:
        """The models that the server lists."""
        async with self._request("GET", f"{self._base_url}/models", None) as answer:
            with _understood():
                return wire.served(await answer.read())

    async def version(self) -> str:
        """vLLM's version."""
        async with self._request("GET", f"{self._root}/version", None) as answer:
            with _understood():
                return str(orjson.loads(await answer.read())["version"])

    async def tokenize(self, text: str) -> list[int]:
        """Token ids of a text, with no special tokens."""
        body = {"model": (await self.served()).id, "prompt": text, "add_special_tokens": False}
        async with self._request("POST", f"{self._root}/tokenize", body) as answer:
            with _understood():
                tokens: list[int] = orjson.loads(await answer.read())["tokens"]
                return tokens

    async def asks_for_key(self) -> bool:
        """Whether the list of models is refused to a request without an API key or password."""
        answer = await self._connection.open(without_user(f"{self._base_url}/models"))
        await answer.aclose()
        return answer.status in {401, 403}

    async def check(self, tokenizer: Encoder) -> None:
        """Check that it has the model, with `tokenizer` as its tokenizer, by texts that are nobody's: once,
        and again where it may have been started anew. Before that it is told nothing private. Raises
        TrustedError with what to change."""
        await self._standing.prove(partial(self._compare_anew, tokenizer))

    async def _compare_anew(self, tokenizer: Encoder) -> None:
        self._served, self.most = self._chosen(await self.models()), None
        await self.compare(tokenizer)
        if self._standing.silent:  # its engine may hang where the rest of it answers
            await self.try_out(tokenizer)

    async def try_out(self, tokenizer: Encoder) -> None:
        """Have it score a text that is nobody's."""
        prompt = PrivatePrompt(tuple(tokenizer.encode(PROBES[0])))
        await self.values([prompt], TRIAL_SALT, np.arange(3))

    async def compare(self, tokenizer: Encoder) -> None:
        """Raises TrustedError where `tokenizer` is not the server's."""
        theirs = list(await asyncio.gather(*(self.tokenize(text) for text in PROBES)))
        if first_difference(theirs, [tokenizer.encode(text) for text in PROBES]) is not None:
            raise TrustedUnfit(
                "The tokenizer that the small model's prompts are made with is not that of its server. Set "
                "COSTEER_LOCAL_TOKENIZER to the hub id or the folder of the model that the server has.",
                code="tokenizer_mismatch",
            )

    async def read(self, prompts: Sequence[PrivatePrompt], salt: str) -> None:
        """Have the server read these prompts, and keep their KV cache for others with this `salt`."""
        await self._complete(wire.reading_body(prompts, salt))

    async def values(self, prompts: Sequence[PrivatePrompt], salt: str, ids: IntArray) -> FloatArray:
        """[prompts, K]: the logprobs of the tokens `ids` [K] after each prompt."""
        async with self._apart.turn("values"):
            answer = await self._complete(wire.values_body(prompts, salt, ids))
        with _understood():
            return wire.values(answer, len(prompts), ids)

    async def tops(self, prompts: Sequence[PrivatePrompt], salt: str, count: int) -> list[IntArray]:
        """At least `count` of the likeliest tokens after each prompt, or as many as the server tells."""
        for left in reversed(range(TRIES)):
            most = count if self.most is None else min(count, self.most)
            async with self._apart.turn("tops"):
                try:
                    answer = await self._complete(wire.top_body(prompts, salt, most))
                except _TooMany as error:
                    self.most = error.most
                    continue
            with _understood():
                try:
                    return wire.tops(answer, len(prompts), most)
                except Torn:
                    self._apart.needed = True
                    if not left:
                        return wire.tops(answer, len(prompts), 0)
        raise TrustedError("The server of the small model tells none of its likeliest tokens.")

    def _chosen(self, listed: Sequence[ServedModel]) -> ServedModel:
        names = [model.id for model in listed]
        if self._remote_model in names and self._model not in names and self._remote_model:
            if self._model:
                raise TrustedUnfit(
                    "The server of COSTEER_LOCAL_BASE_URL has the model that COSTEER_REMOTE_MODEL names, and "
                    "not the small one. Are the two addresses swapped? It was told nothing."
                )
            raise TrustedUnfit(
                "The server of COSTEER_LOCAL_BASE_URL has the model that COSTEER_REMOTE_MODEL names. Are the "
                "two addresses swapped? It was told nothing. If it has the small model, too, name that in "
                "COSTEER_LOCAL_MODEL; if both models have one name, start one of the servers with another "
                "--served-model-name."
            )
        for model in listed:
            if model.id == self._model or not self._model:
                return model
        raise TrustedUnfit(
            f"The server of the small model does not serve {self._model!r}; it serves: "
            f"{', '.join(names) or 'none'}. Set COSTEER_LOCAL_MODEL."
        )

    async def _complete(self, body: Mapping[str, Any]) -> bytes:
        body = {"model": (await self.served()).id, **body}
        async with self._request("POST", f"{self._base_url}/completions", body) as answer:
            return await answer.read()

    @asynccontextmanager
    async def _request(self, method: str, url: str, body: Mapping[str, Any] | None) -> AsyncIterator[Answer]:
        content = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        began = self._standing.now()
        try:
            answer = await self._connection.send(method, url, content, headers)
            try:
                if answer.status != 200:
                    raise _refusal(answer.status, await answer.read())
                yield answer
            finally:
                await answer.aclose()
        except _TooMany:
            raise
        except TrustedError as error:
            self._standing.fail(began, slow=isinstance(error, TrustedTimeout | TrustedUnavailable))
            raise
        self._standing.answered()


class _TooMany(TrustedError):
    """More of the likeliest tokens were asked for than `most`."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The server of the small model tells {most} of its likeliest tokens at most.")
        self.most = most


@contextmanager
def _understood() -> Iterator[None]:
    """Raise malformed responses as TrustedError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        # Not chained: the error may quote the response.
        raise TrustedUnfit(
            "The answer of the small model's server is not a vLLM's. COSTEER_LOCAL_BASE_URL should end in a "
            "vLLM's /v1."
        ) from None


def _refusal(status: int, body: bytes) -> TrustedError:
    """An error response as an exception, of which numbers alone are told: it may quote the request."""
    if status in {401, 403}:
        return TrustedUnfit(
            "The server of the small model does not let us in. Set COSTEER_LOCAL_API_KEY.",
            code="trusted_unauthorized",
        )
    if 300 <= status < 400:
        return TrustedUnfit(
            "The server of the small model answers from another address, and redirects are not followed. Set "
            "COSTEER_LOCAL_BASE_URL to that address."
        )
    if status == 404:
        return TrustedUnfit(
            "The server of the small model has no such model or path. COSTEER_LOCAL_BASE_URL should end in a "
            "vLLM's /v1, and COSTEER_LOCAL_MODEL name what it serves."
        )
    if status == 400 and b"sample logprobs" in body and (most := AT_MOST.search(body)):
        return _TooMany(int(most[1]))
    if status == 400 and b"maximum context length" in body:
        return TrustedError(
            "The prompt is longer than the server of the small model takes. Lower COSTEER_MAX_MODEL_LEN to "
            "its --max-model-len, or raise that."
        )
    if status in {408, 504}:
        return TrustedTimeout("The server of the small model ran out of time. Try again.")
    if status in {429, 502, 503}:
        return TrustedUnavailable(f"The server of the small model is not available (status {status}).")
    return TrustedError(f"The server of the small model failed with status {status}.")
