"""The remote model behind a stock vLLM, over HTTP. Only token ids and public messages go in.

Written against vLLM 0.32 and recordings of it (tests/fixtures/vllm-0.32). All of httpx, and all that can go
wrong with it, stays in this file.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson

from app.draft import Drafted, RemoteCard
from app.errors import (
    ContextLengthExceeded,
    ModelNotFound,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
)
from app.prompts import Message
from app.sampling import Sampling

TOKEN_PREFIX = "token_id:"  # noqa: S105  # what vLLM writes before an id with return_tokens_as_token_ids


class VLLMRemote:
    """One vLLM server. Holds a connection pool; close it with `aclose`."""

    def __init__(
        self,
        base_url: str,
        *,
        model: str = "",
        api_key: str = "",
        connect_timeout: float = 5.0,
        read_timeout: float = 120.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`base_url` ends in /v1. An empty `model` takes the first that the server lists."""
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._card: RemoteCard | None = None
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        timeout = httpx.Timeout(read_timeout, connect=connect_timeout)
        # The key goes to this host only: redirects are not followed.
        self._client = httpx.AsyncClient(
            headers=headers, timeout=timeout, transport=transport, follow_redirects=False
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    @property
    def on_this_machine(self) -> bool:
        """Whether the remote runs here and so shares the processor with the local model."""
        host = urlsplit(self._base_url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    async def card(self) -> RemoteCard:
        """The model in use, asked for once. Raises ModelNotFound when the remote does not serve it."""
        if self._card is not None:
            return self._card
        async with self._request("GET", f"{self._base_url}/models", None) as response:
            with _map_errors():
                listed = orjson.loads(await response.aread())["data"]
                cards = [RemoteCard(str(m["id"]), m.get("max_model_len")) for m in listed]
        for card in cards:
            if card.id == self._model or not self._model:
                self._card = card
                return card
        served = ", ".join(card.id for card in cards) or "none"
        raise ModelNotFound(
            f"The remote does not serve {self._model!r}; it serves: {served}. Set COSTEER_REMOTE_MODEL."
        )

    async def tokenize(self, messages: Sequence[Message]) -> list[int]:
        """Prompt ids of the public conversation, rendered by the remote's own chat template."""
        if not all(type(message) is Message for message in messages):
            raise TypeError("only messages of the public conversation go to the remote")
        conversation = [{"role": m.role, "content": m.content} for m in messages]
        return await self._tokenize({"messages": conversation, "add_generation_prompt": True})

    async def tokenize_text(self, text: str) -> list[int]:
        """Token ids of plain text, with no special tokens."""
        return await self._tokenize({"prompt": text, "add_special_tokens": False})

    async def draft(
        self, prompt: Sequence[int], *, sampling: Sampling, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[Drafted, None]:
        """Drafted positions as they arrive; closing the iterator closes the connection, and vLLM aborts."""
        ids = list(prompt)
        if not all(isinstance(token_id, int) for token_id in ids):
            raise TypeError("only token ids of the public prompt go to the remote")
        body = {
            "model": (await self.card()).id,
            "prompt": ids,
            "max_tokens": max_tokens,
            "logprobs": top_logprobs,
            "stream": True,
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
            **_sampling_fields(sampling),
        }
        finished = False
        async with self._request("POST", f"{self._base_url}/completions", body) as response:
            with _map_errors():
                async for data in _events(response.aiter_bytes()):
                    if data == b"[DONE]":
                        break
                    positions, finish_reason = _parse_chunk(data)
                    finished = finished or finish_reason is not None
                    for position in positions:
                        yield position
        if not finished:
            raise RemoteError("The remote's stream ended before the reply was finished.")

    async def _tokenize(self, body: Mapping[str, Any]) -> list[int]:
        root = self._base_url.removesuffix("/v1")
        async with self._request("POST", f"{root}/tokenize", {"model": (await self.card()).id, **body}) as r:
            with _map_errors():
                tokens: list[int] = orjson.loads(await r.aread())["tokens"]
        return tokens

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, body: Mapping[str, Any] | None
    ) -> AsyncIterator[httpx.Response]:
        content = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        with _map_errors():
            request = self._client.build_request(method, url, content=content, headers=headers)
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A pooled connection that the server had closed while it was idle (vLLM does so after 5 s).
                # Nothing of an answer had come, so asking once more is safe.
                response = await self._client.send(request, stream=True)
        try:
            if response.status_code != httpx.codes.OK:
                with _map_errors():
                    raise _refusal(response.status_code, await response.aread())
            yield response
        finally:
            await response.aclose()


def _sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """Every field, neutral ones too: vLLM fills omitted ones from the model's generation_config."""
    fields: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.logit_bias:
        fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    if sampling.seed is not None:
        fields["seed"] = sampling.seed
    return fields


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of server-sent events, however the bytes are cut. Splits at line feeds only: the JSON may
    hold other line separators unescaped, at which str.splitlines would cut it."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def _parse_chunk(data: bytes) -> tuple[list[Drafted], str | None]:
    """The drafted positions of one event, which may hold several or none, and its finish_reason."""
    chunk = orjson.loads(data)
    if "error" in chunk:
        raise _from_error(chunk["error"], RemoteError.status)
    if not chunk["choices"]:  # the usage event
        return [], None
    (choice,) = chunk["choices"]
    finish_reason: str | None = choice["finish_reason"]
    logprobs = choice["logprobs"]
    if logprobs is None:
        if choice["text"]:
            raise RemoteError("The remote sends text without logprobs; is it a vLLM of 0.8 or later?")
        return [], finish_reason
    ids = choice.get("token_ids")
    if ids is None:  # before vLLM 0.10.2
        ids = [_token_id(token) for token in logprobs["tokens"]]
    positions = [
        Drafted(
            token_id=token_id,
            candidates=np.fromiter(map(_token_id, top), np.int64, len(top)),
            logprobs=np.fromiter(top.values(), np.float64, len(top)),
            ends=finish_reason == "stop" and index == len(ids) - 1,
        )
        for index, (token_id, top) in enumerate(zip(ids, logprobs["top_logprobs"], strict=True))
    ]
    return positions, finish_reason


def _token_id(token: str) -> int:
    if not token.startswith(TOKEN_PREFIX):
        raise RemoteError("The remote does not return tokens as ids; is it a vLLM of 0.8 or later?")
    return int(token[len(TOKEN_PREFIX) :])


@contextmanager
def _map_errors() -> Iterator[None]:
    """httpx's exceptions and malformed answers, as ours. Messages never quote what was sent."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise RemoteUnavailable(
            "The remote cannot be reached. Start it, or correct COSTEER_REMOTE_BASE_URL."
        ) from error
    except httpx.TimeoutException as error:
        raise RemoteTimeout(
            "The remote sent nothing for too long. Try again, or raise COSTEER_REMOTE_READ_TIMEOUT."
        ) from error
    except httpx.RequestError as error:
        raise RemoteError(
            f"The connection to the remote broke ({type(error).__name__}). Try again."
        ) from error
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RemoteError(
            "The remote's answer is not a vLLM's. COSTEER_REMOTE_BASE_URL should end in a vLLM's /v1."
        ) from error


def _refusal(status: int, body: bytes) -> Exception:
    try:
        error = orjson.loads(body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        error = f"HTTP status {status}"
    return _from_error(error, status)


def _from_error(error: Any, status: int) -> Exception:
    """vLLM's error, an object or (401) a bare string, as ours."""
    fields = error if isinstance(error, dict) else {"message": str(error)}
    message = str(fields.get("message", "no message"))
    param = fields.get("param")
    code = fields.get("code")
    status = code if isinstance(code, int) else status
    known = _known_error(status, message, param)
    if known is not None:
        return known
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return RemoteUnavailable(f"The remote is overloaded: {message}. Try again later.", status=status)
    if status in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
        return RemoteRejected(f"The remote refuses the request: {message}", param=param, status=400)
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return RemoteUnavailable(f"The remote is not available: {message}. Try again later.")
    return RemoteError(f"The remote failed with status {status}: {message}")


def _known_error(status: int, message: str, param: str | None) -> Exception | None:
    """The refusals that we can say more about than the remote does."""
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return RemoteError(
            f"The remote does not let us in: {message}. Set COSTEER_REMOTE_API_KEY.",
            code="remote_unauthorized",
        )
    if httpx.codes.is_redirect(status):
        return RemoteError(
            "The remote answers from another address, and redirects are not followed. "
            "Set COSTEER_REMOTE_BASE_URL to that address."
        )
    if status == httpx.codes.NOT_FOUND:
        if param == "model":
            return ModelNotFound(f"{message} Set COSTEER_REMOTE_MODEL to a model that the remote serves.")
        return RemoteError("The remote has no such path. COSTEER_REMOTE_BASE_URL should end in a vLLM's /v1.")
    if "sample logprobs" in message:
        return RemoteError(
            f"{message}. Start vLLM with a higher --max-logprobs, or lower COSTEER_TOP_LOGPROBS.",
            code="logprobs_cap",
        )
    if param == "input_tokens" or "maximum context length" in message:
        return ContextLengthExceeded(message)
    return None
