"""One reply as it is generated: tokens become text, and the text ends at a stop string."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from app.decoding.request import DecodeRequest, Token
from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.disclosure.filling import Filler
from app.errors import RemoteError
from app.local.interface import LocalModel
from app.prompts.message import ToolCall
from app.remote.interface import CallPiece, Handover, RemoteModel
from app.tokenization.detokenizer import Detokenizer
from app.tokenization.stop_strings import StopScanner
from app.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class TokenText:
    """Tokens and the text that they decode to: one token, or several that share a character.

    The text is cut short where a stop string begins inside a token. `filled`: a value was written in, in the
    place of a placeholder that these tokens spell.
    """

    tokens: tuple[Token, ...]
    text: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the reply (perhaps empty), and the tokens whose text is complete with it.

    `finish_reason` is set on the last piece; by then the remote and the local model have been released. `end`
    is the end-of-sequence token, if one ended the reply. `calls` are pieces of tool calls, which the remote
    writes by itself; `logprobs` are OpenAI's, of what it wrote by itself.
    """

    text: str
    token_texts: tuple[TokenText, ...] = ()
    finish_reason: str | None = None
    end: Token | None = None
    calls: tuple[CallPiece, ...] = ()
    logprobs: Mapping[str, Any] | None = None


class Told(Protocol):
    """Is told what replies tell the remote."""

    def spent(self, nats: float) -> None:
        """The nats of a reply that has ended, finished or not."""

    def finished(self, reply: str, as_told: str | None, calls: Sequence[ToolCall] = ()) -> int:
        """A finished reply with its calls, and the text as the remote has it; None where a stop string has
        cut that. Returns how many private words it was the first to say. Blocks: for a worker thread."""
        ...


class Reply:
    """A reply that is ready to be generated: everything that could be refused has been checked.

    `continues`: its text continues the prompt's. `unsteered` is why it is not steered; None when it is.
    `told` is told what the reply tells the remote. `handover` is for the remote to go on by itself where it
    calls a tool, or from the beginning where the reply is not steered; None: it calls none.
    """

    def __init__(
        self,
        request: DecodeRequest,
        stop: Sequence[str],
        remote: RemoteModel,
        local: LocalModel,
        vocabulary: Vocabulary,
        *,
        stats: Stats | None = None,
        continues: bool = False,
        unsteered: str | None = None,
        told: Told | None = None,
        handover: Handover | None = None,
    ) -> None:
        self.request = request
        self.vocabulary = vocabulary
        self.stats = stats or Stats()
        self.unsteered = unsteered
        self.stops = tuple(stop)
        self.remote = remote
        self.local = local
        self.continues = continues
        self.told = told
        self.handover = handover

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the public prompt."""
        return len(self.request.prompt)

    def copies(self, n: int) -> list[Reply]:
        """This reply and `n` - 1 others to the same request, each sampled on its own: seed, seed + 1, ...
        They share the budget."""
        if n > 1 and self.request.budget is not None:
            self.request = replace(self.request, budget=self.request.budget / n)
        return [self, *(self._copy(index) for index in range(1, n))]

    def _copy(self, index: int) -> Reply:
        sampling = self.request.sampling
        if sampling.seed is not None:
            # Past the largest seed that vLLM takes, it wraps around to the smallest.
            seed = (sampling.seed + index + 2**63) % 2**64 - 2**63
            sampling = replace(sampling, seed=seed)
        return Reply(
            replace(self.request, sampling=sampling),
            self.stops,
            self.remote,
            self.local,
            self.vocabulary,
            stats=Stats(self.stats.clock),
            continues=self.continues,
            unsteered=self.unsteered,
            told=self.told,
            handover=self.handover,
        )

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The text as it is generated. Closing the iterator releases the remote and the local model."""
        written = _Written(self)
        client: list[str] = []
        calls: list[CallPiece] = []
        last = Piece("", (), "stop")
        try:
            async with aclosing(written.pieces()) as pieces:
                async for piece in pieces:
                    client.append(piece.text)
                    calls += piece.calls
                    if piece.finish_reason is None:
                        yield piece
                    else:
                        last = piece
        finally:
            if self.told is not None and self.stats.nats:
                # Counted even if the client has left: a thread that has begun is not stopped.
                await asyncio.shield(asyncio.to_thread(self.told.spent, self.stats.nats))
        self.stats.filled = written.filled
        if self.told is not None:
            self.stats.said = await asyncio.to_thread(
                self.told.finished, "".join(client), written.as_told, _whole_calls(calls)
            )
        yield last


def _whole_calls(pieces: Sequence[CallPiece]) -> list[ToolCall]:
    """The calls that all these pieces are of."""
    of: dict[int, list[CallPiece]] = {}
    for piece in pieces:
        of.setdefault(piece.index, []).append(piece)
    return [
        ToolCall(
            "".join(one.id or "" for one in some),
            "".join(one.name or "" for one in some),
            "".join(one.arguments for one in some),
        )
        for _, some in sorted(of.items())
    ]


class _Written:
    """One reply as it is written: what is drafted and steered, and what the remote goes on with by itself."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        guard = reply.request.guard
        # A grammar knows no placeholders, and a value could break what it holds to.
        fills = guard is not None and reply.request.grammar is None
        self._placeholders = guard.guarded.placeholders if guard is not None and fills else ()
        self._filler = Filler(self._placeholders)
        after = reply.request.prompt if reply.continues else ()
        self._text = _Text(reply.vocabulary, after, reply.stops, self._filler)
        self._ids: list[int] = []
        self._by_itself: list[str] = []

    @property
    def filled(self) -> int:
        """How many values were written in."""
        return self._filler.filled

    @property
    def as_told(self) -> str | None:
        """The text as the remote has it; None where a stop string has cut that."""
        drafted = self._reply.vocabulary.decode(self._ids)
        return None if self._text.stopped else "".join([drafted, *self._by_itself])

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """See Reply.pieces."""
        stats, handover = self._reply.stats, self._reply.handover
        # Where nothing is steered, or a call is asked for, there is nothing to draft.
        stats.called = handover is not None and (not self._reply.request.steered or handover.choice != "auto")
        if not stats.called:
            async with aclosing(self._drafted()) as pieces:
                async for piece in pieces:
                    yield piece
        if stats.called and not self._text.stopped:
            assert handover is not None  # noqa: S101  # else nothing is known to begin a call
            async with aclosing(self._taken_over(handover)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _drafted(self) -> AsyncGenerator[Piece, None]:
        """What is drafted, up to a call if there is one: then no piece has a finish_reason."""
        reply, text = self._reply, self._text
        finish_reason, end = "stop", None
        tokens = decode(reply.request, remote=reply.remote, local=reply.local, stats=reply.stats)
        async with aclosing(tokens):
            async for token in tokens:
                if token.finish_reason == "stop":
                    end = token  # it has no text
                    break
                self._ids.append(token.token_id)
                yield text.push(token)
                if text.stopped:
                    break
                finish_reason = token.finish_reason or finish_reason
        last = text.flush(finish_reason, end)
        yield replace(last, finish_reason=None) if reply.stats.called and not text.stopped else last

    async def _taken_over(self, handover: Handover) -> AsyncGenerator[Piece, None]:
        """What the remote goes on with, by its own parser."""
        stats, ids = self._reply.stats, self._ids
        if ids:
            left = handover.max_tokens - len(ids) if handover.max_tokens is not None else None
            begun = handover.begun + self._reply.vocabulary.decode(ids)
            handover = replace(handover, begun=begun, max_tokens=left)
        stats.remote_requests += 1
        stream = self._reply.remote.take_over(handover)
        async with aclosing(stream):
            while True:
                with stats.spending("remote"):
                    said = await anext(stream, None)
                if said is None:
                    raise RemoteError("The remote's stream ended before the reply was finished.")
                stats.tokens += said.tokens
                stats.alone += said.tokens
                self._by_itself.append(said.text)
                text = self._filler.push(said.text)
                if said.finish_reason is not None:
                    text += self._filler.flush()
                yield Piece(text, (), said.finish_reason, calls=said.calls, logprobs=said.logprobs)
                if said.finish_reason is not None:
                    return


class _Text:
    """The text of one reply as it may be released, and the tokens that it consists of."""

    def __init__(
        self, vocabulary: Vocabulary, after: Sequence[int], stops: Sequence[str], filler: Filler
    ) -> None:
        self._detokenizer = Detokenizer(vocabulary, after)
        self._filler = filler
        self._stop = StopScanner(stops)
        self._unspelled: list[Token] = []  # tokens whose characters are not complete yet
        self._spelled: deque[TokenText] = deque()  # tokens whose text is not all released yet
        self._out = 0  # released characters of the first one's text
        self._filled = 0  # values in the text of all of them

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended the reply."""
        return self._stop.stopped

    def push(self, token: Token) -> Piece:
        """The text that can be released after this token."""
        self._unspelled.append(token)
        text = self._filler.push(self._detokenizer.push(token.token_id))
        if text:
            self._spell(text)
        return self._piece(self._stop.push(text))

    def flush(self, finish_reason: str, end: Token | None) -> Piece:
        """The last piece."""
        if self.stopped:
            return Piece("", (), "stop")
        text = self._filler.push(self._detokenizer.flush()) + self._filler.flush()
        if self._unspelled:
            self._spell(text)
        piece = self._piece(self._stop.push(text) + self._stop.flush())
        return replace(piece, finish_reason="stop" if self.stopped else finish_reason, end=end)

    def _spell(self, text: str) -> None:
        filled = self._filler.filled > self._filled
        self._spelled.append(TokenText(tuple(self._unspelled), text, filled))
        self._unspelled.clear()
        self._filled = self._filler.filled

    def _piece(self, text: str) -> Piece:
        """The piece with this text and the tokens that it completes. A stop string may cut the last one."""
        self._out += len(text)
        complete = []
        while self._spelled and self._out >= len(self._spelled[0].text):
            complete.append(self._spelled.popleft())
            self._out -= len(complete[-1].text)
        if self.stopped and self._out:
            complete.append(replace(self._spelled[0], text=self._spelled[0].text[: self._out]))
        return Piece(text, tuple(complete))
