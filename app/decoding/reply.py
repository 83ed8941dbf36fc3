"""One reply as it is generated: tokens become text, and the text ends at a stop string."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from app.decoding.request import DecodeRequest, Token
from app.decoding.speculative import decode
from app.decoding.stats import Stats
from app.decoding.stop_strings import StopScanner
from app.disclosure.filling import Filler
from app.local.interface import LocalModel
from app.remote.interface import RemoteModel
from app.tokenization.detokenizer import Detokenizer
from app.tokenization.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class TokenText:
    """Tokens and the text that they decode to: one token, or several that share a character.

    The text is cut short where a stop string begins inside a token.
    """

    tokens: tuple[Token, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the reply (perhaps empty), and the tokens whose text is complete with it.

    `finish_reason` is set on the last piece; by then the remote and the local model have been released. `end`
    is the end-of-sequence token, if one ended the reply.
    """

    text: str
    token_texts: tuple[TokenText, ...] = ()
    finish_reason: str | None = None
    end: Token | None = None


class Told(Protocol):
    """Is told what replies tell the remote."""

    def spent(self, nats: float) -> None:
        """The nats of a reply that has ended, finished or not."""

    def finished(self, reply: str, as_told: str | None) -> int:
        """A finished reply, and the text as the remote has it; None where a stop string has cut that. Returns
        how many private words it was the first to say. Blocks: for a worker thread."""
        ...


class Reply:
    """A reply that is ready to be generated: everything that could be refused has been checked.

    `continues`: its text continues the prompt's. `unsteered` is why it is not steered; None when it is.
    `told` is told what the reply tells the remote.
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
    ) -> None:
        self.request = request
        self.vocabulary = vocabulary
        self.stats = stats or Stats()
        self.unsteered = unsteered
        self._stops = tuple(stop)
        self._remote = remote
        self._local = local
        self._continues = continues
        self._told = told

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
            self._stops,
            self._remote,
            self._local,
            self.vocabulary,
            stats=Stats(self.stats.clock),
            continues=self._continues,
            unsteered=self.unsteered,
            told=self._told,
        )

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The text as it is generated. Closing the iterator releases the remote and the local model."""
        guard = self.request.guard
        filler = Filler(guard.guarded.placeholders if guard is not None else ())
        text = _Text(self.vocabulary, self.request.prompt if self._continues else (), self._stops, filler)
        finish_reason, end = "stop", None
        ids: list[int] = []
        written: list[str] = []
        tokens = decode(self.request, remote=self._remote, local=self._local, stats=self.stats)
        try:
            async with aclosing(tokens):
                async for token in tokens:
                    if token.finish_reason == "stop":
                        end = token  # it has no text
                        break
                    ids.append(token.token_id)
                    piece = text.push(token)
                    written.append(piece.text)
                    yield piece
                    if text.stopped:
                        break
                    finish_reason = token.finish_reason or finish_reason
        finally:
            if self._told is not None:
                self._told.spent(self.stats.nats)
        last = text.flush(finish_reason, end)
        self.stats.filled = filler.filled
        if self._told is not None:
            as_told = None if text.stopped else self.vocabulary.decode(ids)
            reply = "".join([*written, last.text])
            self.stats.said = await asyncio.to_thread(self._told.finished, reply, as_told)
        yield last


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
        self._spelled.append(TokenText(tuple(self._unspelled), text))
        self._unspelled.clear()

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
