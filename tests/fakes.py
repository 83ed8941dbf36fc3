"""A made-up vocabulary, one token per byte, and two models over it: the whole proxy, without weights."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from app.local.engine.branch import Branch
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.local.model import direct
from app.profiles.profile import HistoryItem, Hit, Profile, ProfileDocument, StoredItem
from app.prompts.message import Message, Tool, ToolCall
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.interface import DraftToken, Forward, Handover, ModelCard, RemoteVocabulary, Said
from app.steering.formula import IntArray, Rows, log_softmax
from app.steering.sampling import SamplingParams
from app.tokenization.tokenizer import TemplateMessage, Tokenizer

EOS, VOCABULARY = 256, 260
ROLES = {"system": 257, "user": 258, "assistant": 259}
# What a rendered conversation has in the place of those: characters that nobody types.
MARKS = {"\ue000": EOS, "\ue001": 257, "\ue002": 258, "\ue003": 259}
OF_ROLE = dict(zip(ROLES, list(MARKS)[1:], strict=True))

# What the fake local model reads in a prompt: LOUD wants capitals, JOINED wants underscores for spaces.
LOUD = Profile(
    id="loud",
    name="Lotte Ohrwurm",
    fields=(("writing_style", "LOUD, in capitals"), ("occupation", "Foghorn keeper at Cape Wrath")),
)
LOUD_HISTORY = (HistoryItem("A note on foghorns", "The old horn sounds twice before every thick fog."),)


def as_hits(history: Sequence[HistoryItem]) -> tuple[Hit, ...]:
    """The items as a search finds them that ranks them in this order."""
    return tuple(
        Hit(StoredItem(number, item), item.text, 0, 1.0 / number) for number, item in enumerate(history, 1)
    )


LOUD_DOCUMENT = ProfileDocument(LOUD, LOUD_HISTORY)
JOINED = Profile(
    id="joined",
    name="Jo Snake",
    fields=(("writing_style", "JOINED, with underscores"), ("occupation", "Zoo inspector")),
)
PRIVATE = [
    *(text for profile in (LOUD, JOINED) for text in (profile.name, *dict(profile.fields).values())),
    *(text for item in LOUD_HISTORY for text in (item.title, item.text)),
]


def message_of(wire: Mapping[str, Any]) -> Message:
    """A message from the form in which it is sent."""
    calls = [(one["id"], one["function"]) for one in wire.get("tool_calls", ())]
    return Message(
        wire["role"],
        wire["content"],
        calls=tuple(ToolCall(id_, function["name"], function["arguments"]) for id_, function in calls),
        answers=wire.get("tool_call_id"),
    )


class FakeTokenizer(Tokenizer):
    """A token is a byte of UTF-8; beyond them are the end of text and one mark per role."""

    def __init__(self) -> None:
        self.eos_ids = frozenset({EOS})
        self.has_template = True
        self.dated = True  # so that the remote is handed every conversation
        self._special = frozenset(range(EOS, VOCABULARY))
        self._size = VOCABULARY
        self._lead = ""

    def encode(self, text: str) -> list[int]:
        return [t for c in text for t in ([MARKS[c]] if c in MARKS else c.encode())]

    def render(
        self,
        messages: Sequence[TemplateMessage],
        *,
        continue_final: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
        opens: bool = True,
        thinks: bool = True,
    ) -> str:
        listed = f"{OF_ROLE['system']}Tools: {json.dumps(tools)}\ue000" if tools else ""
        rendered = listed + "".join(map(_turn, (message.fields() for message in messages)))
        if continue_final:
            return rendered.removesuffix("\ue000")
        return rendered + OF_ROLE["assistant"] if opens else rendered

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(token for token in ids if token < EOS).decode(errors="replace")

    def token_bytes(self, token_id: int) -> bytes | None:
        return bytes([token_id]) if token_id < EOS else None

    def _name(self, token_id: int) -> str | None:
        return f"<{token_id}>"


def _turn(turn: Mapping[str, Any]) -> str:
    """A message, as Qwen's chat template has tool calls and their results."""
    if turn["role"] == "tool":
        return f"{OF_ROLE['user']}<tool_response>{turn['content']}</tool_response>\ue000"
    functions = [{"name": f["name"], "arguments": f["arguments"]} for f in _functions(turn)]
    calls = "".join(f"<tool_call>\n{json.dumps(one)}\n</tool_call>" for one in functions)
    return f"{OF_ROLE[turn['role']]}{turn['content']}{calls}\ue000"


def _functions(turn: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [call["function"] for call in turn.get("tool_calls", ())]


class FakeAnswer:
    """A remote's answer to what is passed on, in pieces; after them it may fail, or never end."""

    def __init__(
        self,
        *pieces: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        failure: Exception | None = None,
        endless: bool = False,
    ) -> None:
        self.status = status
        self.headers: Mapping[str, str] = headers or {"content-type": "application/json"}
        self.closed = asyncio.Event()
        self._pieces, self._failure, self._endless = pieces, failure, endless

    async def body(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece
        if self._endless:
            await asyncio.Event().wait()
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        self.closed.set()


class FakeRemote:
    """Drafts `text`, then the end of text. At each letter the same in the other case is nearly as likely,
    at each space an underscore. Remembers everything that it is handed.

    `failure` is raised once `failing_after` tokens are drafted; `unreachable` is raised by everything. What
    is passed on gets `answer`, which may be an error to raise; while `stalled`, it waits for one for ever.
    Once it has taken over it says `said`, and then raises `broken`, if that is set. With `names_sessions` it
    is told which requests are of one conversation.
    """

    def __init__(self) -> None:
        self.text: str | bytes = "hello world"
        self.failure: Exception | None = None
        self.failing_after = 0
        self.unreachable: Exception | None = None
        self.max_model_len = 4096
        self.endless = False
        self.handed: list[object] = []
        self.drafts_open = 0
        self.others: list[ModelCard] = []
        self.listed = 0
        self.answer: FakeAnswer | Exception = FakeAnswer(b"{}")
        self.stalled = False
        self.forwarded: list[Forward] = []
        self.said: list[Said] = []
        self.broken: Exception | None = None
        self.handovers: list[Handover] = []
        self.asked, self.given_up = asyncio.Event(), asyncio.Event()
        self.tokenizer = FakeTokenizer()
        self.kept: list[Owner | None] = []
        self.names_sessions = False
        self.sessions: list[str] = []

    passes_on = True

    def in_session(self, session: str) -> FakeRemote:
        self.sessions.append(session)
        return self

    def kept_for(self, owner: Owner | None) -> FakeRemote:
        self.kept.append(owner)
        return self

    async def card(self) -> ModelCard:
        if self.unreachable is not None:
            raise self.unreachable
        return ModelCard("fake-model", self.max_model_len, 1_700_000_000, "vllm")

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        self.listed += fresh
        return [await self.card(), *self.others]

    async def tokenize(
        self,
        messages: Sequence[Message],
        *,
        continue_final: bool = False,
        tools: Sequence[Tool] = (),
        opens: bool = True,
    ) -> list[int]:
        self.handed += messages
        self.handed += tools
        return self.tokenizer.chat(messages, continue_final=continue_final, tools=tools, opens=opens)

    async def tokenize_text(self, text: str) -> list[int]:
        self.handed.append(text)
        return self.tokenizer.encode(text)

    async def vocabulary(self) -> RemoteVocabulary:
        return RemoteVocabulary(self.tokenizer, "by the tokenizer of the remote")

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        self.handed += [self.tokenizer.decode(prompt), sampling]
        text = self.text if isinstance(self.text, bytes) else self.text.encode()
        # What comes after the last mark of a role is the reply so far.
        start = next(i for i, token in enumerate(reversed(prompt)) if token in ROLES.values())
        self.drafts_open += 1
        try:
            for position in range(start, start + max_tokens):
                await asyncio.sleep(0)
                if self.failure is not None and position >= self.failing_after:
                    raise self.failure
                if position < len(text) or self.endless:
                    yield _candidates(text[position % len(text)])
                else:
                    yield DraftToken(EOS, np.array([EOS, ord(".")]), np.log([0.9, 0.1]), ends=True)
                    return
        finally:
            self.drafts_open -= 1

    async def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:
        self.handovers.append(handover)
        self.handed.append(dataclasses.astuple(handover))
        self.drafts_open += 1
        try:
            for piece in self.said:
                await asyncio.sleep(0)
                yield piece
            if self.broken is not None:
                raise self.broken
        finally:
            self.drafts_open -= 1

    async def forward(self, request: Forward) -> FakeAnswer:
        self.forwarded.append(request)
        self.handed.append(dataclasses.astuple(request))
        self.asked.set()
        if self.stalled:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def everything(self) -> str:
        """All that it was ever handed, as text."""
        return "\n".join(map(repr, self.handed))


def _candidates(byte: int) -> DraftToken:
    letter = chr(byte)
    other = "_" if letter == " " else letter.swapcase() if letter.isascii() else letter
    if other == letter:
        return DraftToken(byte, np.array([byte]), np.array([0.0]))
    return DraftToken(byte, np.array([byte, ord(other)]), np.log([0.6, 0.4]))


class FakeSession:
    """Its prompts know nothing of the reply; each wishes for the tokens that it asks for itself."""

    ahead = True

    def __init__(
        self, prompts: Sequence[str], pairs: IntArray, stalled: asyncio.Event, broken: Exception | None
    ) -> None:
        self.pairs = pairs
        self._stalled = stalled
        self._broken = broken
        self.cost = PassCost()
        self.prompts = len(prompts)
        self.prompt_tokens = sum(map(len, prompts))
        self.found = 0
        logits = np.zeros((len(prompts), VOCABULARY))
        for row, prompt in zip(logits, prompts, strict=True):
            if "LOUD" in prompt:
                row[ord("A") : ord("Z") + 1] = 4.0
            if "JOINED" in prompt:
                row[ord("_")] = 4.0
        self._logprobs = np.stack([log_softmax(row) for row in logits]).astype(np.float32)

    async def rows(self, generated: Sequence[int], keep: int, branches: Sequence[Branch] = ()) -> Rows:
        count = keep + sum(len(branch.ids) for branch in branches)
        return np.repeat(self._logprobs[:, np.newaxis], count, axis=1)

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        await asyncio.sleep(0)
        if self._broken is not None and generated:
            raise self._broken
        if self._stalled.is_set():
            await asyncio.Event().wait()
        return direct(await self.rows(generated, len(generated) - first + 1), self.pairs)


class FakeLocal:
    """Counts its sessions, so that a test sees whether they end. Once `stalled`, it never answers."""

    def __init__(self) -> None:
        self.sessions = 0
        self.sessions_open = 0
        self.failure: Exception | None = None
        self.broken: Exception | None = None  # raised once a reply has begun
        self.stalled = asyncio.Event()
        self.warmed: list[str] = []
        self.kept: list[Owner | None] = []
        self.read: list[list[tuple[str, str]]] = []  # the contrasts of each session

    def kept_for(self, owner: Owner | None) -> FakeLocal:
        self.kept.append(owner)
        return self

    async def warm(self, prefix: PrivatePrompt) -> None:
        self.warmed.append(FakeTokenizer().decode(prefix.ids))

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[FakeSession]:
        if self.failure is not None:
            raise self.failure
        self.sessions += 1
        self.sessions_open += 1
        try:
            decode = FakeTokenizer().decode
            read = [(decode(one.aware.ids), decode(one.agnostic.ids)) for one in contrasts]
            self.read.append(read)
            prompts = list(dict.fromkeys(prompt for pair in read for prompt in pair))
            pairs = np.array([[prompts.index(prompt) for prompt in pair] for pair in read])
            yield FakeSession(prompts, pairs, self.stalled, self.broken)
        finally:
            self.sessions_open -= 1


class FakeCaches:
    """The names of those whose KV caches there are, and no caches."""

    def __init__(self) -> None:
        self.held: set[Owner] = set()

    def owners(self) -> frozenset[Owner]:
        return frozenset(self.held)

    def forget(self, owners: Collection[Owner]) -> None:
        self.held -= set(owners)
