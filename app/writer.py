"""One reply from a conversation and a profile: prompts, decoding, text, and where it stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from app.alignment import PROBES, first_difference
from app.decode import LocalModel, Request, Stats, Token, decode
from app.draft import RemoteCard, RemoteModel
from app.errors import ContextLengthExceeded, ModelNotFound, TokenizerMismatch
from app.local_prompts import LocalPrompts, local_prompts
from app.profile import Hit, Profile
from app.prompts import Message
from app.sampling import Sampling
from app.stop import StopScanner
from app.tokenizer import Detokenizer, Tokenizer


@dataclass(frozen=True)
class Tuning:
    """The settings of steering that are the same for every reply; see settings.py."""

    top_logprobs: int = 20
    max_context_tokens: int = 1024
    max_model_len: int = 8192
    draft_length: int = 256
    verify_batch: int = 0


@dataclass(frozen=True, repr=False)
class Order:
    """What a client asks for. Without a profile, or at strength 0, the reply is the remote's own.

    `history` is what may be read of the profile's, most relevant first.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    profile: Profile | None = None
    history: tuple[Hit, ...] = ()
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the reply (perhaps none yet); `finish_reason` is set on the last piece."""

    text: str
    finish_reason: str | None = None


class Reply:
    """A reply that is ready to be written: everything that could be refused has been checked."""

    def __init__(
        self,
        request: Request,
        stop: Sequence[str],
        remote: RemoteModel,
        local: LocalModel,
        tokenizer: Tokenizer,
    ) -> None:
        self.request = request
        self.stats = Stats()
        self._stop = StopScanner(stop)
        self._remote = remote
        self._local = local
        self._text = Detokenizer(tokenizer)

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the public prompt."""
        return len(self.request.prompt)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The text as it is decided. Closing the iterator frees the remote and the local model."""
        tokens = decode(self.request, remote=self._remote, local=self._local, stats=self.stats)
        async with aclosing(tokens):
            async for token in tokens:
                text = self._stop.push(self._read(token))
                if self._stop.stopped:
                    yield Piece(text, "stop")
                    return
                if token.finish_reason is None:
                    yield Piece(text)
                    continue
                text += self._stop.push(self._text.flush())
                stopped = self._stop.stopped
                yield Piece(text + self._stop.flush(), "stop" if stopped else token.finish_reason)

    def _read(self, token: Token) -> str:
        ended = token.finish_reason == "stop"  # the end token itself has no text
        return "" if ended else self._text.push(token.token_id)


class Writer:
    """Makes replies from orders. Holds the remote, the local model and the tokenizer that they share."""

    def __init__(self, remote: RemoteModel, local: LocalModel, tokenizer: Tokenizer, tuning: Tuning) -> None:
        self._remote = remote
        self._local = local
        self._tokenizer = tokenizer
        self._tuning = tuning
        self._aligned = False

    @property
    def max_context_tokens(self) -> int:
        """What the private text may take up in the local model's prompt."""
        return self._tuning.max_context_tokens

    async def models(self) -> list[RemoteCard]:
        """The models that an order can name."""
        return [await self._remote.card()]

    async def prepare(self, order: Order) -> Reply:
        """Check an order against the remote and the models' limits and render its prompts.

        Raises ModelNotFound, ContextLengthExceeded, TokenizerMismatch and what the remote raises.
        """
        card = await self._remote.card()
        if order.model != card.id:
            raise ModelNotFound(f"There is no model {order.model!r} here. Use {card.id!r}.")
        await self._check_alignment()
        prompt = await self._remote.tokenize(order.messages)
        aware, agnostic = None, None
        if order.strength > 0.0 and (local := await asyncio.to_thread(self.local_prompts, order)):
            aware, agnostic = local.aware, local.agnostic if local.aware else None
        room = card.max_model_len - len(prompt) if card.max_model_len else self._tuning.max_model_len
        if aware is not None and agnostic is not None:
            room = min(room, self._tuning.max_model_len - max(len(aware.ids), len(agnostic)))
        if room <= 0:
            raise ContextLengthExceeded(
                f"The conversation has {len(prompt)} tokens, which leaves no room for a reply. Shorten the "
                "messages, or raise COSTEER_MAX_MODEL_LEN if the local model takes more."
            )
        request = Request(
            prompt=prompt,
            sampling=order.sampling,
            max_tokens=min(order.max_tokens or room, room),
            eos_ids=self._tokenizer.eos_ids,
            aware=aware,
            agnostic=agnostic,
            strength=order.strength,
            top_logprobs=self._tuning.top_logprobs,
            draft_length=self._tuning.draft_length,
            verify_batch=self._tuning.verify_batch,
        )
        return Reply(request, order.stop, self._remote, self._local, self._tokenizer)

    def local_prompts(self, order: Order) -> LocalPrompts | None:
        """What the local model reads for the order; None without a profile. Blocks: for a worker thread."""
        if order.profile is None:
            return None
        limit = self._tuning.max_context_tokens
        return local_prompts(order.profile, order.history, order.messages, self._tokenizer, limit)

    async def _check_alignment(self) -> None:
        if self._aligned:
            return
        theirs = [await self._remote.tokenize_text(text) for text in PROBES]
        if first_difference(theirs, [self._tokenizer.encode(text) for text in PROBES]) is not None:
            raise TokenizerMismatch(
                "The remote's tokenizer is not the local model's. Set COSTEER_LOCAL_MODEL to a small model "
                "of the remote's own family."
            )
        self._aligned = True
