"""From an order to a reply that can be written: prompts, the room for it, and what is refused."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from app.byte_model import RowModel
from app.chooser import Request
from app.draft import RemoteCard, RemoteModel, kept_for
from app.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound
from app.local_prompts import LocalPrompts, common_beginning, local_prompts
from app.matching import Matching
from app.profile import Hit, Profile
from app.prompts import Message
from app.reply import Reply
from app.sampling import Sampling
from app.stats import Clock, Stats
from app.strength import Strength, steers
from app.tuning import Tuning


@dataclass(frozen=True, repr=False)
class Order:
    """What a client asks for. Without a profile, or at strength 0, the reply is the remote's own.

    `history` is what may be read of the profile's, most relevant first. With `continue_final` the reply goes
    on from the last message, which is the assistant's.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    profile: Profile | None = None
    history: tuple[Hit, ...] = ()
    strength: Strength = 0.0
    continue_final: bool = False


class Writer:
    """Makes replies from orders, by a remote and a local model that go together."""

    def __init__(
        self,
        remote: RemoteModel,
        local: RowModel,
        matching: Matching,
        tuning: Tuning,
        clock: Clock = time.perf_counter,
    ) -> None:
        self.clock = clock
        self._remote = remote
        self._local = local
        self._matching = matching
        self._tuning = tuning

    @property
    def max_context_tokens(self) -> int:
        """What the private text may take up in the local model's prompt."""
        return self._tuning.max_context_tokens

    async def models(self) -> list[RemoteCard]:
        """The models that an order can name."""
        return [await self._remote.card()]

    async def prepare(self, order: Order) -> Reply:
        """Check an order against the remote and the models' limits and render its prompts.

        Raises ModelNotFound, InvalidRequest, ContextLengthExceeded, TokenizerMismatch and what the remote
        raises.
        """
        continued = _continued(order)
        stats = Stats(self.clock)
        with stats.spending("remote"):
            card = await self._remote.card()
            if order.model != card.id:
                raise ModelNotFound(f"There is no model {order.model!r} here. Use {card.id!r}.")
            match = await self._matching.match()
            _check_bias(order.sampling, len(match.spelling))
            prompt = await match.public.ids(order.messages, continue_final=order.continue_final)
        local = await asyncio.to_thread(self.local_prompts, order) if steers(order.strength) else None
        aware, agnostic = (local.aware, local.agnostic) if local and local.aware else (None, None)
        room = card.max_model_len - len(prompt) if card.max_model_len else self._tuning.max_model_len
        if aware is not None and agnostic is not None:
            room = min(room, self._tuning.max_model_len - max(len(aware.ids), len(agnostic)))
        if room <= 0:
            raise ContextLengthExceeded(
                f"The conversation has {len(prompt)} tokens, which leaves no room for a reply. Shorten the "
                "messages, or raise COSTEER_MAX_MODEL_LEN if the local model takes more."
            )
        owner = order.profile.owner if order.profile is not None else None
        request = Request(
            prompt=prompt,
            sampling=order.sampling,
            max_tokens=min(order.max_tokens or room, room),
            eos_ids=match.spelling.eos_ids,
            aware=aware,
            agnostic=agnostic,
            strength=order.strength,
            think_ids=match.spelling.think_ids,
            thinking=await asyncio.to_thread(match.spelling.thinking, prompt, continued),
            tuning=self._tuning,
        )
        return Reply(
            request,
            order.stop,
            kept_for(self._remote, owner),
            match.model(self._local.kept_for(owner)),
            match.spelling,
            stats=stats,
            continues=order.continue_final,
            unsteered=None if request.steered else _why_not(order),
        )

    def local_prompts(self, order: Order) -> LocalPrompts | None:
        """What the local model reads for the order; None without a profile. Blocks: for a worker thread."""
        if order.profile is None:
            return None
        return local_prompts(
            order.profile,
            order.history,
            order.messages,
            self._matching.tokenizer,
            self._tuning.max_context_tokens,
            continue_final=order.continue_final,
        )

    async def warm(self, profile: Profile) -> None:
        """Do ahead what a profile's next reply needs: compute what all its prompts begin with, and compare
        both sides. Raises what the remote raises, and TokenizerMismatch."""
        limit = self._tuning.max_context_tokens
        beginning = await asyncio.to_thread(common_beginning, profile, self._matching.tokenizer, limit)
        if beginning is not None:
            await self._local.kept_for(profile.owner).warm(beginning)
        await self._matching.match()

    async def alignment(self) -> str:
        """How the remote's tokens are found among the local ones. Raises TokenizerMismatch where they cannot
        be, and what the remote raises."""
        return (await self._matching.match()).described


def _check_bias(sampling: Sampling, size: int) -> None:
    """Raises InvalidRequest for a token id that the remote's vocabulary of this `size` does not have."""
    beyond = next((token_id for token_id in sampling.logit_bias if token_id >= size), None)
    if beyond is not None:
        raise InvalidRequest(
            f"logit_bias has the token id {beyond}, but the ids of the model's vocabulary end at {size - 1}.",
            param="logit_bias",
        )


def _continued(order: Order) -> str | None:
    """The text that the reply goes on from, if it does."""
    if not order.continue_final:
        return None
    if not order.messages or order.messages[-1].role != "assistant":
        raise InvalidRequest(
            "messages must end with one of the assistant for continue_final_message to go on from.",
            param="messages",
        )
    return order.messages[-1].content


def _why_not(order: Order) -> str:
    """Why the reply to an order is not steered, for a header: it names nothing."""
    if order.profile is None:
        return "no profile"
    return "nothing of the profile fits" if steers(order.strength) else "strength 0"
