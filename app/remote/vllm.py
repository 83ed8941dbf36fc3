"""The remote behind a vLLM server: its models, tokens and drafts, and requests that are passed on to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

import orjson

from app.errors import ModelNotFound, RemoteError, RemoteRejected, TokenizerMismatch
from app.network.address import on_this_machine, passwords
from app.network.outgoing import NO_HEADERS, Answer, Connection, Transport
from app.network.proxy import Proxy
from app.prompts.message import Message, Tool
from app.remote.errors import OURS, REMOTE, check_finished, is_for_the_client, refusal, web_page
from app.remote.handover import chat_body, pieces, said, without_blanks
from app.remote.interface import DraftToken, Forward, Handover, ModelCard, RemoteVocabulary, Said
from app.remote.sent import leaving
from app.remote.session import check_session, new_session
from app.remote.spare_connections import SPARES, Spares
from app.remote.token_ids import TokenIds
from app.remote.vocabulary import learn_vocabulary
from app.remote.wire import (
    cards,
    draft_body,
    drafted_positions,
    events,
    prefix_cache_hits,
    timely,
    token_strings,
    tokenize_body,
    tokenize_text_body,
    understood,
    unstreamed,
)
from app.steering.sampling import SamplingParams


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
        token_timeout: float = 20.0,
        transport: Transport | None = None,
        proxy: Proxy | None = None,
        spare: bool | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        session_header: str = "",
    ) -> None:
        """`base_url` ends in /v1. An empty `model` takes the first that the server lists. `spare`: whether
        spare connections are opened before a draft needs them; None: unless the server is on this machine.
        `headers` go with each request, and no error quotes their values. `session_header` is the name of one
        that tells which requests are of one conversation; empty: none does.

        Raises CoSteerError where the proxy, or the certificates that the environment names, cannot be used.
        """
        self._base_url = base_url.rstrip("/")
        self._token_timeout = token_timeout
        self._root = self._base_url.removesuffix("/v1")
        self._model = model
        self._session_header, self._session = session_header, ""
        self._token_ids = TokenIds(self._root, self._base_url)
        self._card: ModelCard | None = None
        self._cards: list[ModelCard] = []
        self._connection = Connection(
            REMOTE,
            api_key=api_key,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            transport=transport,
            proxy=proxy,
            secrets=[*passwords(self._base_url), *passwords(proxy.url if proxy else "")],
            headers=headers,
            watch=leaving,
        )
        self._shows_health = True
        spare = not self.on_this_machine if spare is None else spare
        self._spares = Spares(self._open_spare, SPARES if spare else 0)

    async def aclose(self) -> None:
        await self._spares.aclose()
        await self._connection.aclose()

    @property
    def on_this_machine(self) -> bool:
        """Whether the remote runs here and so shares the processor with the local model."""
        return on_this_machine(self._base_url)

    passes_on = True

    @property
    def names_sessions(self) -> bool:
        """Whether each request has a header that tells of which conversation it is."""
        return bool(self._session_header)

    def in_session(self, session: str) -> VLLMRemote:
        """The same server with the same connections, whose requests are of this conversation."""
        check_session(session)
        bound = copy(self)
        bound._session = session
        return bound

    async def card(self) -> ModelCard:
        """The model in use, cached once found. Raises ModelNotFound when the remote does not serve it."""
        if self._card is not None:
            return self._card
        listed = await self.cards()
        for card in listed:
            if card.id == self._model or not self._model:
                self._card = card
                return card
        served = ", ".join(card.id for card in listed) or "none"
        raise ModelNotFound(
            f"The remote does not serve {self._model!r}; it serves: {served}. Set COSTEER_REMOTE_MODEL."
        )

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        """The models that the remote lists; unless `fresh`, the list may be the one it last sent."""
        if fresh or not self._cards:
            async with self._request("GET", f"{self._base_url}/models", None) as answer:
                with understood():
                    self._cards = cards(self._connection.shown(await answer.read()))
            # It may have been started anew with another limit.
            if (known := self._card) is not None:
                self._card = next((card for card in self._cards if card.id == known.id), known)
        return list(self._cards)

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        """Prompt ids of the public conversation, rendered by the remote's own chat template: open for the
        assistant's reply, or with its last message open to be continued, or without `opens` closed. `tools`
        are those that the reply may call."""
        body = tokenize_body(messages, continue_final=continue_final, tools=tools, opens=opens)
        return await self._token_ids.of(body, self._post)

    async def tokenize_text(self, text: str) -> list[int]:
        """Token ids of plain text, with no special tokens."""
        return await self._token_ids.of(tokenize_text_body(text), self._post)

    async def count(self, public: str | Sequence[Message]) -> int | None:
        """How many tokens a text or a conversation has, by the usage of an answer; None where none is told.
        Where a gateway takes fields out, a text may have one more, which begins every text."""
        if isinstance(public, str):
            body = tokenize_text_body(public)
        else:
            body = tokenize_body(public, continue_final=False, tools=(), opens=True)
        return await self._token_ids.count(body, self._post)

    async def token_strings(self, text: str) -> list[tuple[int, str]]:
        """Token ids of plain text, with no special tokens, each with its string in the vocabulary.

        Raises RemoteError when the remote does not return the strings.
        """
        body = {**tokenize_text_body(text), "return_token_strs": True}
        return token_strings(await self._token_ids.ask("tokenize", body, self._post))

    async def detokenize(self, ids: Sequence[int]) -> str:
        """The text of public token ids, special tokens written out; parts of characters show as U+FFFD."""
        if not all(isinstance(token_id, int) for token_id in ids):
            raise TypeError("only public token ids go to the remote")
        answer = await self._token_ids.ask("detokenize", {"tokens": list(ids)}, self._post)
        with understood():
            return str(orjson.loads(answer)["prompt"])

    async def vocabulary(self) -> RemoteVocabulary:
        """The vocabulary as learned from the server's endpoints; see vocabulary.py. Raises TokenizerMismatch,
        and what those requests raise."""
        try:
            learned = await learn_vocabulary(self)
        except RemoteRejected as error:
            raise TokenizerMismatch(
                "The remote's tokenizer is not the local model's, and it does not say what its tokens "
                "spell. Set COSTEER_REMOTE_TOKENIZER to the hub id or folder of its model."
            ) from error
        unknown = f", {learned.unknown} of its tokens are not known" if learned.unknown else ""
        return RemoteVocabulary(learned.vocabulary, f"learned from the remote{unknown}")

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        """Draft tokens as they arrive; closing the iterator closes the connection, and vLLM aborts."""
        body = draft_body(prompt, sampling, top_logprobs, max_tokens)
        body = {"model": (await self.card()).id, **body}
        begun = finished = False
        await self._spares.release()
        async with self._request("POST", f"{self._base_url}/completions", body) as answer:
            self._spares.keep()
            await self._check_streamed(answer)
            with understood():
                async for data in timely(self._events(answer), self._token_timeout):
                    if data == b"[DONE]":
                        continue  # read the response to its end, so that its connection is reused
                    self._spares.keep()
                    positions, finish_reason = drafted_positions(data, begun=begun)
                    finished = finished or finish_reason is not None
                    for position in positions:
                        begun = True
                        yield position
                    check_finished(finish_reason)
        if not finished:
            raise RemoteError("The remote's stream ended before the reply was finished.")
        if not begun:
            raise RemoteError("The remote ended its reply without drafting a token.")

    async def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        """The rest of a reply, by the server's chat endpoint and its own parsers; closing the iterator closes
        the connection, and vLLM aborts."""
        body = chat_body(handover, (await self.card()).id)
        await self._spares.release()
        async with self._request("POST", f"{self._base_url}/chat/completions", body) as answer:
            with understood():
                if handover.stream:
                    await self._check_streamed(answer)
                    spoken = pieces(timely(self._events(answer), self._token_timeout))
                else:
                    spoken = _whole(answer)
                async for piece in without_blanks(spoken) if handover.begun else spoken:
                    yield piece

    async def version(self) -> str:
        """vLLM's version, requested each time. Raises what every request raises."""
        async with self._request("GET", f"{self._root}/version", None) as answer:
            with understood():
                return str(orjson.loads(await answer.read())["version"])

    async def asks_for_key(self) -> bool:
        """Whether the list of models is refused to a request without an API key."""
        answer = await self._connection.open(f"{self._base_url}/models")
        await answer.aclose()
        return answer.status in OURS

    async def cached_tokens(self, prompt: Sequence[int]) -> int | None:
        """How many tokens of a public prompt were in the remote's prefix cache, by the usage of a one-token
        completion; None when it does not report that, as a vLLM without --enable-prompt-tokens-details."""
        ids = list(prompt)
        if not all(isinstance(token_id, int) for token_id in ids):
            raise TypeError("only token ids of the public prompt go to the remote")
        body = {"model": (await self.card()).id, "prompt": ids, "max_tokens": 1, "temperature": 0.0}
        async with self._request("POST", f"{self._base_url}/completions", body) as answer:
            with understood():
                usage = orjson.loads(await answer.read()).get("usage") or {}
                told: int | None = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        return told

    async def prefix_cache_hits(self) -> float | None:
        """Tokens that the prefix cache has saved since the remote started; None when it reports none."""
        async with self._request("GET", f"{self._root}/metrics", None) as answer:
            return prefix_cache_hits(await answer.read())

    async def forward(self, request: Forward) -> Answer:
        """The remote's streamed response to a client's own request: a success, or OpenAI's error object.

        The request carries the remote's API key and, of the client's headers, the two of `request`. Every
        other error response is raised.
        """
        if type(request) is not Forward:
            raise TypeError("only what a client asks to be passed on goes to the remote")
        # No compression: it would hold back what is passed on piece by piece.
        headers = {"Accept-Encoding": "identity"}
        headers |= {"Content-Type": request.content_type} if request.content_type else {}
        headers |= {"Accept": request.accept} if request.accept else {}
        headers |= self._of_session()
        answer = await self._connection.send(
            request.method,
            f"{self._base_url}/{request.path}" + (f"?{request.query}" if request.query else ""),
            request.body or None,
            headers,
            repeatable=not request.lasting,
            watched=False,  # it is the client's own
        )
        if 200 <= answer.status < 300:
            if request.method == "POST" and not request.lasting and _is_a_page(answer):
                await answer.aclose()
                raise web_page()
            return answer
        try:
            said = await answer.read()
        finally:
            await answer.aclose()
        public = self._connection.without_secrets(said)
        if said == public and is_for_the_client(answer.status, said):
            return answer
        raise refusal(answer.status, public, answer.headers, forwarded=True)

    async def _open_spare(self) -> Answer:
        # vLLM answers this at once and without a key, and the response has no body. A gateway that does not
        # show it might take many such requests for an attack.
        if self._shows_health:
            answer = await self._connection.open(f"{self._root}/health")
            self._shows_health = answer.status == 200
            return answer
        answer = await self._connection.send("GET", f"{self._base_url}/models", None, {}, watched=False)
        await answer.read()
        return answer

    async def _post(self, url: str, body: Mapping[str, Any]) -> tuple[int, bytes, Mapping[str, str]]:
        """The response to a request that names the model, whatever its status."""
        answer = await self._send("POST", url, {"model": (await self.card()).id, **body})
        try:
            said = await answer.read()
            kept = self._connection.shown if answer.status == 200 else self._connection.without_secrets
            return answer.status, kept(said), answer.headers
        finally:
            await answer.aclose()

    def _of_session(self) -> dict[str, str]:
        """The header for a router. A request that is of no conversation has an id of its own: without any a
        router that goes by it would lead all such requests to one replica."""
        return {self._session_header: self._session or new_session()} if self._session_header else {}

    @asynccontextmanager
    async def _request(self, method: str, url: str, body: Mapping[str, Any] | None) -> AsyncIterator[Answer]:
        answer = await self._send(method, url, body)
        try:
            if answer.status != 200:
                said = self._connection.without_secrets(await answer.read())
                raise refusal(answer.status, said, answer.headers)
            if _is_a_page(answer):
                raise web_page()
            yield answer
        finally:
            await answer.aclose()

    async def _events(self, answer: Answer) -> AsyncIterator[bytes]:
        async for data in events(answer.body()):
            yield self._connection.shown(data)

    async def _check_streamed(self, answer: Answer) -> None:
        if answer.headers.get("content-type", "").startswith("application/json"):
            raise unstreamed(self._connection.shown(await answer.read()))

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        content = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return await self._connection.send(method, url, content, headers | self._of_session())


def _is_a_page(answer: Answer) -> bool:
    """Whether it is for people, as a gateway's to sign in."""
    return answer.headers.get("content-type", "").startswith("text/html")


async def _whole(answer: Answer) -> AsyncIterator[Said]:
    yield said(await answer.read())
