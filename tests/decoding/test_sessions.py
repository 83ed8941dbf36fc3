"""By its session a router knows one conversation again, and learns nothing of any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import cast

import httpx
import pytest
from drafting_vllm import MODEL, DraftingVLLM
from fakes import LOUD, FakeLocal, FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st

from app.decoding.conversations import Conversations
from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import DecodingConfig
from app.decoding.retry import RetryPolicy
from app.decoding.tool_use import ToolUse
from app.decoding.vocabulary_match import VocabularyMatcher
from app.profiles.shelf import SESSIONS
from app.prompts.message import Message, ToolCall
from app.remote.interface import CallPiece, RemoteModel, Said, in_session
from app.remote.session import ID
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams

HEADER = "X-Session-Id"
HELLO = (Message("user", "Say hello."),)
ORDER = GenerationRequest(MODEL, HELLO, SamplingParams(temperature=0.0), profile=LOUD, strength=0.5)
FEW = st.integers(0, 1)  # owners, texts and replies: few, so that conversations have much in common
EARLIER = st.integers(0, 9)


@dataclass(frozen=True)
class Turn:
    """One request of a conversation that was begun by itself, and what came of it."""

    conversation: int
    owner: str
    messages: tuple[Message, ...]
    reply: str
    session: str

    @property
    def whole(self) -> tuple[Message, ...]:
        return (*self.messages, Message("assistant", self.reply))


class Clients:
    """Clients of several people, who begin conversations, go on with them and have replies written anew."""

    def __init__(self) -> None:
        self.conversations = Conversations()
        self.turns: list[Turn] = []

    def ask(self, conversation: int, owner: str, messages: tuple[Message, ...], reply: int) -> None:
        session = self.conversations.session(owner, messages)
        turn = Turn(conversation, owner, messages, f"reply {reply}", session)
        self._judge(turn)
        self.turns.append(turn)
        self.conversations.in_session(owner, turn.whole, session)

    def _judge(self, turn: Turn) -> None:
        of_others = {one.session for one in self.turns if one.conversation != turn.conversation}
        assert turn.session not in of_others, "two conversations share one"
        assert ID.fullmatch(turn.session)
        mine = [one for one in self.turns if one.owner == turn.owner]
        begun = [one for one in mine if turn.messages[: len(one.whole)] == one.whole]
        longest = max((len(one.whole) for one in begun), default=0)
        sessions = {one.session for one in begun if len(one.whole) == longest}
        if len(sessions) == 1:
            assert {turn.session} == sessions, "it goes on with the common beginning's"
        else:
            assert turn.session not in {one.session for one in self.turns}


@given(st.lists(st.tuples(st.sampled_from(["begin", "go on", "again"]), EARLIER, FEW, FEW), max_size=20))
def test_any_tree_of_conversations(steps: list[tuple[str, int, int, int]]) -> None:
    clients = Clients()
    for number, (step, earlier, text, reply) in enumerate(steps):
        said = Message("user", f"text {text}")
        before = clients.turns[-1 - earlier % len(clients.turns)] if clients.turns else None
        if before is None or step == "begin":
            clients.ask(number, f"owner {earlier % 2}", (said,), reply)
        elif step == "go on":
            clients.ask(before.conversation, before.owner, (*before.whole, said), reply)
        else:
            clients.ask(before.conversation, before.owner, before.messages, reply)


def test_system_messages_and_blanks_are_the_client_s_to_change() -> None:
    conversations, more = Conversations(), Message("user", "More")
    conversations.in_session("zoe", [*HELLO, Message("assistant", "Hello.")], "a" * 32)
    sent = [Message("system", "It is noon."), *HELLO, Message("assistant", " Hello.\n"), more]
    assert conversations.session("zoe", sent) == "a" * 32
    assert conversations.session("ann", sent) != "a" * 32
    assert conversations.session("zoe", HELLO) != "a" * 32, "others begin with the same words"


def test_only_so_many_are_kept() -> None:
    conversations = Conversations()
    for number in range(SESSIONS.most + 1):
        conversations.in_session("zoe", [Message("assistant", str(number))], "a" * 32)
    known = [conversations.session("zoe", [Message("assistant", str(one))]) for one in (0, 1, SESSIONS.most)]
    assert known[0] != "a" * 32 and known[1:] == ["a" * 32] * 2


class Router(httpx.AsyncBaseTransport):
    """On the way to a vLLM: notes each request's path and session."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.seen: list[tuple[str, str | None]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.url.path, request.headers.get(HEADER)))
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()

    def of(self, path: str) -> list[str | None]:
        seen, self.seen = self.seen, []
        return [session for one, session in seen if one == path]


class Behind:
    """A proxy before a router before a vLLM."""

    def __init__(self, vllm: DraftingVLLM, router: Router, url: str, header: str) -> None:
        self.vllm, self.router = vllm, router
        self.remote = VLLMRemote(url, transport=router, spare=False, session_header=header)
        matcher = VocabularyMatcher(self.remote, FakeTokenizer())
        config = DecodingConfig(patience=RetryPolicy(5.0, first_wait=0.0))
        self.generator = Generator(self.remote, FakeLocal(), matcher, config)

    async def written(self, generation: GenerationRequest, n: int = 1) -> list[str]:
        reply = await self.generator.prepare(generation)
        return ["".join([piece.text async for piece in one.pieces()]) for one in reply.copies(n)]


@pytest.fixture
async def behind(request: pytest.FixtureRequest) -> AsyncIterator[Behind]:
    vllm = DraftingVLLM()
    async with vllm.listening() as url:
        proxy = Behind(vllm, Router(), url, getattr(request, "param", HEADER))
        async with aclosing(proxy.remote):
            yield proxy


DRAFTS = "/v1/completions"


@pytest.mark.parametrize("profile", [LOUD, None], ids=["steered", "unsteered"])
async def test_all_drafts_of_a_conversation_have_one_and_another_s_have_another(
    behind: Behind, profile: object
) -> None:
    order = ORDER if profile is not None else replace(ORDER, profile=None)
    (reply,) = await behind.written(order)
    first = behind.router.of(DRAFTS)
    assert len(set(first)) == 1 and len(first) > (1 if profile is not None else 0)
    next_turn = (*HELLO, Message("assistant", reply), Message("user", "And now?"))
    await behind.written(replace(order, messages=next_turn), n=2)
    assert set(behind.router.of(DRAFTS)) == set(first), "of all choices too"
    await behind.written(order)
    assert not set(behind.router.of(DRAFTS)) & set(first)


async def test_a_draft_that_is_asked_for_again_has_the_same(behind: Behind) -> None:
    behind.vllm.breaks_after = 3
    await behind.written(replace(ORDER, profile=None))
    drafts = behind.router.of(DRAFTS)
    assert len(drafts) == 2 and len(set(drafts)) == 1


async def test_so_has_what_the_remote_goes_on_with_and_the_turn_with_its_result(behind: Behind) -> None:
    wait = {"type": "function", "function": {"name": "wait"}}
    asking = replace(ORDER, tools=ToolUse((wait,), choice="required"))
    behind.vllm.said = [
        Said("", (CallPiece(0, "call_1", "wait", '{"for":'),)),
        Said("", (CallPiece(0, arguments=" 1}"),), finish_reason="tool_calls"),
    ]
    await behind.written(asking)
    (taken_over,) = behind.router.of("/v1/chat/completions")
    called = Message("assistant", "", calls=(ToolCall("call_1", "wait", '{"for": 1}'),))
    after = (*HELLO, called, Message("tool", "done", answers="call_1"))
    await behind.written(replace(ORDER, messages=after))
    assert set(behind.router.of(DRAFTS)) == {taken_over}


async def test_a_reply_that_is_continued_stays_in_it(behind: Behind) -> None:
    (reply,) = await behind.written(replace(ORDER, max_tokens=4))
    first = set(behind.router.of(DRAFTS))
    begun = (*HELLO, Message("assistant", reply))
    (rest,) = await behind.written(replace(ORDER, messages=begun, continue_final=True))
    assert set(behind.router.of(DRAFTS)) == first
    after = (*HELLO, Message("assistant", reply + rest), Message("user", "More"))
    await behind.written(replace(ORDER, messages=after))
    assert set(behind.router.of(DRAFTS)) == first


async def test_what_is_of_no_conversation_has_one_of_its_own(behind: Behind) -> None:
    for _ in range(3):
        await behind.remote.cards()
    assert len(set(behind.router.of("/v1/models"))) == 3


@pytest.mark.parametrize("behind", [""], indirect=True)
async def test_without_the_setting_there_is_none(behind: Behind) -> None:
    await behind.written(ORDER)
    assert {session for _, session in behind.router.seen} == {None}
    assert not behind.generator._conversations._sessions


def test_only_a_random_id_is_taken() -> None:
    remote = VLLMRemote("http://vllm.test/v1", session_header=HEADER)
    for wrong in ("zoe", "A" * 32, "a" * 31, LOUD):
        with pytest.raises(TypeError):
            in_session(remote, wrong)  # type: ignore[arg-type]
    other = cast(RemoteModel, object())
    assert in_session(other, "a" * 32) is other, "a remote of another kind is told nothing"
