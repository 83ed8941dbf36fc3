"""From a generation request to a reply that is ready to decode: validation, prompts, room for the reply."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.decoding.calls import Calls
from app.decoding.conversations import Conversations
from app.decoding.grammar import Grammar, Grammars, ResponseFormat
from app.decoding.reply import Reply
from app.decoding.request import DecodeRequest, DecodingConfig
from app.decoding.stats import SPENT, Clock, Stats
from app.decoding.tool_use import ToolUse
from app.decoding.vocabulary_match import Match, VocabularyMatcher
from app.disclosure.conversation import Disclosed, disclosed
from app.disclosure.filling import turned_back
from app.disclosure.matcher import Guard, written
from app.disclosure.said import first_said
from app.disclosure.withheld import withheld
from app.errors import ContextLengthExceeded, InvalidRequest, ModelNotFound, StoreError
from app.local.engine.owner import Owner
from app.local.interface import Elsewhere, OwnedModel, RowModel, with_rows
from app.profiles.disclosure import Disclosure
from app.profiles.profile import Hit, Preference, Profile
from app.prompts.context import decided
from app.prompts.local_prompts import Form, LocalPrompts, common_beginning, local_prompts
from app.prompts.message import Message, Tool, ToolCall
from app.prompts.private import PrivateContext, PrivatePrompt, readings
from app.remote.interface import Handover, ModelCard, RemoteModel, in_session, kept_for, names_sessions
from app.steering.sampling import SamplingParams
from app.steering.strength import Strength, steers
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import THINK

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class GenerationRequest:
    """What a client asks for. Without a profile and preferences, or at strength 0, the reply is the remote's.

    `history`: the retrieved passages of the profile's history, most relevant first. `preferences`: the
    request's own, which need no profile, else the profile's. With `continue_final` the reply continues the
    last message, which is the assistant's. `disclosure`: what the reply may tell the remote. `tools`: those
    that the reply may call. `response_format`: what the reply must be a text of; None: any text. It is not
    for replies that may call tools.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    profile: Profile | None = None
    history: tuple[Hit, ...] = ()
    strength: Strength = 0.0
    continue_final: bool = False
    preferences: tuple[Preference, ...] = ()
    disclosure: Disclosure = field(default_factory=Disclosure)
    tools: ToolUse | None = None
    response_format: ResponseFormat | None = None


@dataclass(frozen=True, repr=False)
class _Told:
    """Keeps what one request's replies have told the remote."""

    conversations: Conversations
    asked: GenerationRequest
    shown: Disclosed
    session: str | None = None

    def spent(self, nats: float) -> None:
        """Counts the nats of a reply, finished or not. Blocks: for a worker thread."""
        self.conversations.spend(_whose(self.asked), self.asked.messages, nats)

    def finished(self, reply: str, as_told: str | None, calls: Sequence[ToolCall] = ()) -> int:
        """See Told. Blocks: for a worker thread."""
        if as_told is None:
            as_told = turned_back(reply, self.shown.guarded.turning)
        try:
            self._keep(reply, as_told, calls)
        except StoreError as error:  # the reply is finished, and must not fail because of it
            log.warning("of a reply is not kept what the next turn would find: %s", error.reason)
        if not self._steerable:
            return 0
        return len(first_said(self.shown.private, self.shown.messages, as_told))

    @property
    def _steerable(self) -> bool:
        return self.asked.profile is not None or bool(self.asked.preferences)

    def _keep(self, reply: str, as_told: str, calls: Sequence[ToolCall]) -> None:
        """Keeps what the next turn of the conversation should find. Raises StoreError."""
        if self.session is not None:
            self._belongs(reply, calls, self.session)
        if not self._steerable:
            return
        if self.asked.continue_final:
            reply = self.asked.messages[-1].content + reply
            as_told = self.shown.messages[-1].content + as_told
        whose = _whose(self.asked)
        self.conversations.remember(whose, reply, as_told)
        # Without what was thought, too: clients leave that out, and responses have it in another item.
        _, thought, answer = reply.partition(THINK[1])
        if thought:
            self.conversations.remember(whose, answer, as_told.partition(THINK[1])[2])

    def _belongs(self, reply: str, calls: Sequence[ToolCall], session: str) -> None:
        """Keeps whose session it is when a client sends the reply back, with what was thought or without."""
        before = self.asked.messages
        if self.asked.continue_final:
            before, reply = before[:-1], before[-1].content + reply
        for text in dict.fromkeys([reply, reply.rpartition(THINK[1])[2]]):
            answered = Message("assistant", text, calls=tuple(calls))
            self.conversations.in_session(_whose(self.asked), [*before, answered], session)


class Generator:
    """Prepares replies to generation requests, with a remote and a local model whose vocabularies match."""

    def __init__(
        self,
        remote: RemoteModel,
        local: OwnedModel,
        matcher: VocabularyMatcher,
        config: DecodingConfig,
        clock: Clock = time.perf_counter,
        *,
        form: Form = readings,
        guards: bool = True,
        conversations: Conversations | None = None,
    ) -> None:
        """`form` is how the local prompts are written. Without `guards` replies say what steering makes them
        say, whatever the levels of disclosure are: for comparisons. `conversations` remembers what replies
        have told, unless this process alone is to."""
        self.clock = clock
        self._form = form
        self._guards = guards
        self._remote = remote
        self._local = local
        self._matcher = matcher
        self._config = config
        self._conversations = conversations or Conversations()
        self._grammars: Grammars | None = None

    @property
    def max_context_tokens(self) -> int:
        """The most tokens that the private context may take up in the local model's prompt."""
        return self._config.max_context_tokens

    @property
    def local(self) -> RowModel:
        """The local model, in its own tokens. Raises Unsupported where a server computes it."""
        return with_rows(self._local)

    async def check_local(self) -> None:
        """Raises TrustedError where a server computes the local model, and cannot be used now."""
        if isinstance(self._local, Elsewhere):
            await self._local.check()

    async def try_local(self) -> None:
        """Raises TrustedError where a server computes the local model, and does not score a text for it."""
        if isinstance(self._local, Elsewhere):
            await self._local.try_out()

    async def _longest(self, wanted: int) -> int:
        """The most tokens that the local model takes of a prompt and its reply, of which `wanted` are to be.
        A server of it may come up later than this one, and anew with another limit."""
        told = await self._local.longest(wanted) if isinstance(self._local, Elsewhere) else None
        return min(self._config.max_model_len, told or self._config.max_model_len)

    @property
    def tokenizer(self) -> Tokenizer:
        """The local model's."""
        return self._matcher.tokenizer

    async def models(self) -> list[ModelCard]:
        """The models that a request can name."""
        return [await self._remote.card()]

    async def prepare(self, generation: GenerationRequest) -> Reply:
        """Check a request against the remote and the models' limits, and render its prompts.

        Raises ModelNotFound, InvalidRequest, ContextLengthExceeded, TokenizerMismatch and what the remote
        raises.
        """
        stats = Stats(self.clock)
        asked, shown = generation, await asyncio.to_thread(self._disclosed, generation)
        generation = replace(generation, messages=shown.messages)
        continued = _continued(generation)
        session = await asyncio.to_thread(self.session, asked.profile, asked.messages)
        with stats.spending("remote"):
            card = await self._remote.card()
            if generation.model != card.id:
                raise ModelNotFound(f"There is no model {generation.model!r} here. Use {card.id!r}.")
            match = await self._matcher.match()
            _check_bias(generation.sampling, len(match.vocabulary))
            spelled = await match.public.of_texts(written(shown.guarded))
            grammar = await self._grammar(generation, match)
            tools = generation.tools
            prompt = await match.public.ids(
                generation.messages,
                continue_final=generation.continue_final,
                tools=tools.definitions if tools is not None else (),
                session=session,
            )
            opening = (
                await match.public.opening(tools.definitions) if tools is not None and tools.calls else None
            )
        budget = _left(generation.disclosure, shown.nats)
        local = (
            await asyncio.to_thread(self._local_prompts, shown.private, generation)
            if steers(generation.strength) and budget != 0.0
            else None
        )
        contrasts = local.contrasts() if local is not None else ()
        room = card.max_model_len - len(prompt) if card.max_model_len else self._config.max_model_len
        if contrasts:
            read = max(len(prompt.ids) for one in contrasts for prompt in (one.aware, one.agnostic))
            room = min(room, await self._longest(read + 1) - read)
        if room <= 0:
            raise ContextLengthExceeded(
                f"The conversation has {len(prompt)} tokens, which leaves no room for a reply. Shorten the "
                "messages, or raise COSTEER_MAX_MODEL_LEN if the local model takes more."
            )
        owner = Owner.of(generation.profile) if generation.profile is not None else None
        guard = Guard(shown.guarded, match.vocabulary, spelled, continued or "", escapes=grammar is not None)
        request = DecodeRequest(
            prompt=prompt,
            sampling=generation.sampling,
            max_tokens=min(generation.max_tokens or room, room),
            eos_ids=match.vocabulary.eos_ids,
            contrasts=contrasts,
            strength=generation.strength,
            think_ids=match.vocabulary.think_ids,
            thinking=await asyncio.to_thread(match.vocabulary.thinking, prompt, continued),
            guard=guard if self._guards else None,
            budget=budget,
            calls=Calls(opening, match.vocabulary) if opening is not None else None,
            grammar=grammar,
            config=self._config,
        )
        return Reply(
            request,
            generation.stop,
            in_session(kept_for(self._remote, owner), session),
            match.model(self._local.kept_for(owner)),
            match.vocabulary,
            stats=stats,
            continues=generation.continue_final,
            unsteered=None if request.steered else _why_not(generation, budget),
            told=_Told(self._conversations, asked, shown, session),
            handover=_handover(generation, continued) if tools is not None and tools.calls else None,
        )

    async def _grammar(self, generation: GenerationRequest, match: Match) -> Grammar | None:
        """What the reply is held to. Raises InvalidRequest where it cannot be."""
        if generation.response_format is None:
            return None
        if self._grammars is None or self._grammars.vocabulary is not match.vocabulary:
            self._grammars = Grammars(match.vocabulary)
        return await self._grammars.of(generation.response_format)

    async def knows_calls(self, tools: Sequence[Tool]) -> bool:
        """Whether it is known how the remote begins a call of these tools, so that a reply that may have one
        can be steered. Raises TokenizerMismatch, and what the remote raises."""
        return await (await self._matcher.match()).public.opening(tools) is not None

    def local_prompts(self, generation: GenerationRequest) -> LocalPrompts | None:
        """The local model's prompts for a request; None without a profile and preferences.

        Blocks: for a worker thread.
        """
        shown = self._disclosed(generation)
        return self._local_prompts(shown.private, replace(generation, messages=shown.messages))

    def _local_prompts(self, private: PrivateContext, generation: GenerationRequest) -> LocalPrompts | None:
        if generation.profile is None and not generation.preferences:
            return None
        return local_prompts(
            private,
            generation.messages,
            self._matcher.tokenizer,
            self._config.max_context_tokens,
            continue_final=generation.continue_final,
            form=self._form,
        )

    @property
    def names_sessions(self) -> bool:
        """Whether the remote is told which requests are of one conversation."""
        return names_sessions(self._remote)

    def session(self, profile: Profile | None, messages: Sequence[Message]) -> str | None:
        """By what id a router knows a conversation as the client has it; None where none is told. Blocks: for
        a worker thread."""
        return self._conversations.session(_owner(profile), messages) if self.names_sessions else None

    def as_told(self, profile: Profile, reply: str) -> str | None:
        """An earlier reply as the remote has it, if it is remembered."""
        return self._conversations.as_told(profile.uid, reply)

    def remember(self, profile: Profile, reply: str, as_told: str) -> None:
        """An earlier reply as the remote has it."""
        self._conversations.remember(profile.uid, reply, as_told)

    def _disclosed(self, generation: GenerationRequest) -> Disclosed:
        """What the remote and the small model may have of a request. Blocks: for a worker thread."""
        owner, messages = _whose(generation), generation.messages
        private = PrivateContext(generation.profile, generation.history, generation.preferences)
        replies = ((index, one) for index, one in enumerate(messages) if one.role == "assistant")
        known = {index: self._conversations.as_told(owner, one.content) for index, one in replies}
        texts = {index: text for index, text in known.items() if text is not None}
        shown = disclosed(private, messages, generation.disclosure, texts)
        return replace(shown, nats=self._conversations.nats(owner, messages))

    async def warm(self, profile: Profile, bounds: Iterable[Disclosure] = ()) -> None:
        """Prepare for a profile's next reply: prefill the prefix that all its prompts share, and match the
        vocabularies. Its disclosure is at least as strict as the `bounds`. Raises TokenizerMismatch, and what
        the remote raises."""
        beginning = await asyncio.to_thread(self._beginning, profile, decided(profile, bounds))
        if beginning is not None:
            await self._local.kept_for(Owner.of(profile)).warm(beginning)
        await self._matcher.match()

    def _beginning(self, profile: Profile, disclosure: Disclosure) -> PrivatePrompt | None:
        """What prompts about a person begin with, without what is off."""
        read = withheld(PrivateContext(profile), disclosure).profile
        assert read is not None  # noqa: S101  # a profile stays one
        return common_beginning(read, self._matcher.tokenizer, self._config.max_context_tokens)

    async def match(self) -> Match:
        """How the remote's vocabulary matches the local model's. Raises TokenizerMismatch where they cannot
        be aligned, and what the remote raises."""
        return await self._matcher.match()

    async def alignment(self) -> str:
        """How the remote's tokens are mapped to local ones, in words. Raises as `match` does."""
        return (await self.match()).described


def _whose(generation: GenerationRequest) -> str:
    """Whose conversation it is: nobody else's replies are looked at."""
    return _owner(generation.profile)


def _owner(profile: Profile | None) -> str:
    return profile.uid if profile is not None else ""


def _left(disclosure: Disclosure, told: float) -> float | None:
    """The nats that are left of the budget; None without one."""
    return None if disclosure.budget is None else max(0.0, disclosure.budget - told)


def _check_bias(sampling: SamplingParams, size: int) -> None:
    """Raise InvalidRequest for a logit_bias on a token id beyond the remote's vocabulary of this `size`."""
    beyond = next((token_id for token_id in sampling.logit_bias if token_id >= size), None)
    if beyond is not None:
        raise InvalidRequest(
            f"logit_bias has the token id {beyond}, but the ids of the model's vocabulary end at {size - 1}.",
            param="logit_bias",
        )


def _continued(generation: GenerationRequest) -> str | None:
    """The final message's text, if the reply continues it. Raises InvalidRequest if not the assistant's."""
    if not generation.continue_final:
        return None
    if not generation.messages or generation.messages[-1].role != "assistant":
        raise InvalidRequest(
            "messages must end with one of the assistant for continue_final_message to go on from.",
            param="messages",
        )
    return generation.messages[-1].content


def _handover(generation: GenerationRequest, continued: str | None) -> Handover:
    """What the remote needs to go on by itself: with what the client asks for, as it asks for it."""
    tools, seed = generation.tools, generation.sampling.seed
    assert tools is not None  # noqa: S101  # the caller has some
    return Handover(
        generation.messages if continued is None else generation.messages[:-1],
        tools.definitions,
        tools.choice,
        tools.parallel,
        begun=continued or "",
        # No context is as long, and JSON has no longer numbers everywhere.
        max_tokens=min(generation.max_tokens, 2**31 - 1) if generation.max_tokens is not None else None,
        # By the seed of the draft that began the call it begins one again.
        asked={**tools.asked, **({"seed": seed} if seed is not None else {})},
        stream=tools.stream,
    )


def _why_not(generation: GenerationRequest, budget: float | None) -> str:
    """Why the reply to a request is not steered, for a response header: it names nothing private."""
    if generation.profile is None and not generation.preferences:
        return "no profile"
    if budget == 0.0 and steers(generation.strength):
        return SPENT
    return "nothing to steer by" if steers(generation.strength) else "strength 0"
