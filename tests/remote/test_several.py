"""Several remotes of one model: the next one goes on where one fails, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import httpx
import orjson
import pytest
from decoding.test_speculative import PROMPT, ToyRemote, ids, request, run
from fakes import FakeAnswer

from app.decoding.retry import RetryingRemote, RetryPolicy
from app.decoding.stats import Stats
from app.errors import (
    ContextLengthExceeded,
    CoSteerError,
    ModelNotFound,
    RateLimited,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
    RemoteUnreachable,
)
from app.remote import replicas as pooled
from app.remote.interface import (
    UNTOLD,
    DraftToken,
    Forward,
    Forwarded,
    Handover,
    ModelCard,
    RemoteModel,
    Said,
    in_session,
    kept_for,
    names_sessions,
)
from app.remote.replica import LONGEST_REST
from app.remote.replicas import Replicas
from app.remote.sent import note
from app.remote.session import new_session
from app.remote.several import SeveralRemotes
from app.remote.vllm import VLLMRemote
from app.steering.sampling import SamplingParams
from remote.loopback import Connection, loopback, until
from remote.recordings import GREEDY
from remote.test_faults import FIRST, HEAD, IDS, WHOLE, answer

IMPATIENT = RetryPolicy(0.0)
HANDOVER = Handover((), ())


class Remote(ToyRemote):
    """`away` is raised by all requests. Drafts raise `failures`, one each, after `good` tokens."""

    def __init__(
        self, *failures: CoSteerError, good: int = 0, model: str = "toy", length: int = 1000
    ) -> None:
        super().__init__()
        self.failures, self.good = list(failures), good
        self.away: CoSteerError | None = None
        self.model, self.length, self.probe = model, length, [1, 2]
        self.slow = asyncio.Event()
        self.slow.set()
        self.asked = 0
        self.answers: list[Forwarded | CoSteerError] = []
        self.said: list[Said | CoSteerError] = []

    async def card(self) -> ModelCard:
        return (await self.cards())[0]

    async def cards(self, *, fresh: bool = True) -> list[ModelCard]:
        self.asked += 1
        await self.slow.wait()
        if self.away is not None:
            raise self.away
        return [ModelCard(self.model, self.length)]

    async def tokenize_text(self, text: str) -> list[int]:
        return self.probe

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        failure = self.away or (self.failures.pop(0) if self.failures else None)
        good = 0 if self.away else self.good
        drafts = super().draft(prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens)
        count = 0
        async for position in drafts:
            if failure is not None and count == good:
                await drafts.aclose()
                raise failure
            yield position
            count += 1
        if failure is not None:
            raise failure

    async def take_over(self, handover: Handover) -> AsyncGenerator[Said, None]:  # type: ignore[override]
        for one in self.said:
            if isinstance(one, CoSteerError):
                raise one
            yield one

    async def forward(self, request: Forward) -> Forwarded:  # type: ignore[override]
        answer = self.answers.pop(0)
        if isinstance(answer, CoSteerError):
            raise answer
        return answer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def several(
    *remotes: Remote, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[SeveralRemotes]:
    async with aclosing(Replicas(remotes, clock=clock)) as replicas:
        yield SeveralRemotes(replicas)


async def drafted(remote: SeveralRemotes, patience: RetryPolicy = IMPATIENT) -> tuple[list[int], Stats]:
    return await more(kept_for(remote, None), patience)


async def more(reply: RemoteModel, patience: RetryPolicy = IMPATIENT) -> tuple[list[int], Stats]:
    """A draft of one reply, of which there may be several."""
    stats = Stats()
    stream = RetryingRemote(reply, patience, stats).draft(
        PROMPT, sampling=SamplingParams(temperature=0.0), top_logprobs=6, max_tokens=20
    )
    return [position.token_id async for position in stream], stats


def states(remote: SeveralRemotes) -> list[str]:
    return [one.state for one in remote.replicas.all]


async def undisturbed() -> list[int]:
    async with several(Remote(), Remote()) as remote:
        return (await drafted(remote))[0]


@pytest.mark.parametrize("good", range(21))
@pytest.mark.parametrize("error", [RemoteError, RemoteTimeout, RateLimited, RemoteUnreachable])
async def test_cut_anywhere_the_next_one_goes_on_at_once(good: int, error: type[RemoteError]) -> None:
    first, second = Remote(error("gone"), good=good), Remote()
    async with several(first, second) as remote:
        got, stats = await drafted(remote)
    assert got == await undisturbed()
    cut = 0 < good < len(got)
    assert stats.resumed == cut
    if good < len(got):
        (prompt, _, max_tokens), *_ = second.calls
        assert (prompt, max_tokens) == ([*PROMPT, *got[:good]], 20 - good)
    assert first.open == second.open == 0


@pytest.mark.parametrize("strength", [0.0, 0.8])
@pytest.mark.parametrize("good", range(8))
async def test_a_whole_reply_over_remotes_that_fail_is_the_undisturbed_one(
    good: int, strength: float
) -> None:
    wanted = request(strength=strength, patience=RetryPolicy(30.0, first_wait=0.0))
    complete, _ = await run(wanted)
    gone = [RemoteError("gone") for _ in range(3)]
    async with several(Remote(*gone, good=good), Remote(*gone, good=good + 1), Remote()) as remote:
        got, stats = await run(wanted, kept_for(remote, None))  # type: ignore[arg-type]
    assert ids(got) == ids(complete)
    assert stats.tokens == len(got)


async def test_a_reply_stays_where_it_went_and_the_next_one_begins_at_the_first_again() -> None:
    first, second, clock = Remote(RemoteError("gone"), good=2), Remote(), Clock()
    async with several(first, second, clock=clock) as remote:
        reply = kept_for(remote, None)
        await more(reply)
        assert states(remote) == ["resting", "ready"]
        clock.now += LONGEST_REST
        await more(reply)
        await until(lambda: states(remote) == ["ready", "ready"])
        await more(reply)
        assert (len(first.calls), len(second.calls)) == (1, 3)
        await drafted(remote)
        assert (len(first.calls), len(second.calls)) == (2, 3)


async def test_one_that_is_away_costs_no_request_but_the_first() -> None:
    first, second, clock = Remote(), Remote(), Clock()
    async with several(first, second, clock=clock) as remote:
        first.away = RemoteUnreachable("The remote cannot be reached.")
        await drafted(remote)
        asked = first.asked
        for _ in range(5):
            await drafted(remote)
        assert first.asked == asked
        rests = []
        for _ in range(9):  # it is looked at in the background, ever less often
            rests.append(remote.replicas.all[0].due - clock.now)
            clock.now = remote.replicas.all[0].due
            before = first.asked
            await drafted(remote)
            await until(lambda: first.asked > before and states(remote)[0] == "resting")  # noqa: B023
    assert all(rest <= LONGEST_REST for rest in rests)
    assert rests[-1] >= LONGEST_REST / 2 > 4 * rests[0]


async def test_when_all_fail_the_error_says_what_each_of_them_said() -> None:
    remotes = [Remote(), Remote()]
    async with several(*remotes) as remote:
        await drafted(remote)
        remotes[0].away = RemoteUnreachable("No connection.")
        remotes[1].away = RateLimited("Too much.", retry_after=7.0)
        with pytest.raises(RateLimited) as caught:
            await drafted(remote)
    assert "Remote 1: No connection. Remote 2: Too much." in caught.value.message
    assert caught.value.retry_after == 7.0


async def test_of_remotes_that_are_all_away_at_the_start_every_request_asks_anew() -> None:
    remotes = [Remote(), Remote()]
    remotes[0].away = remotes[1].away = RemoteUnreachable("No connection.")
    async with several(*remotes) as remote:
        for _ in range(2):
            with pytest.raises(RemoteUnavailable, match=r"Remote 1: No connection\. Remote 2: No"):
                await remote.card()
        remotes[1].away = None
        assert (await remote.card()).id == "toy"
        assert states(remote) == ["resting", "ready"]


async def test_after_all_were_cut_patience_waits_for_one_of_them() -> None:
    remotes = [Remote(RemoteError("gone"), good=3), Remote(RemoteError("gone"), good=3)]
    async with several(*remotes) as remote:
        got, stats = await drafted(remote, RetryPolicy(30.0, first_wait=0.01))
    assert got == await undisturbed()
    assert stats.resumed == 2


@pytest.mark.parametrize("error", [ContextLengthExceeded, RemoteRejected])
async def test_what_is_wrong_with_a_request_is_told_by_the_first(error: type[CoSteerError]) -> None:
    first, second = Remote(error("too long")), Remote()
    async with several(first, second) as remote:
        with pytest.raises(error):
            await drafted(remote)
        assert states(remote) == ["ready", "ready"]
        assert not second.calls


@pytest.mark.parametrize("error", [ContextLengthExceeded, RemoteRejected])
async def test_a_reply_that_one_has_begun_does_not_end_where_another_refuses_it(
    error: type[CoSteerError],
) -> None:
    first, second = Remote(RemoteError("gone"), good=3), Remote(error("too long"))
    async with several(first, second) as remote:
        got, _ = await drafted(remote, RetryPolicy(30.0, first_wait=0.01))
        assert states(remote)[1] == "ready"
    assert got == await undisturbed()


async def test_the_longest_prompt_is_what_the_least_of_them_takes() -> None:
    async with several(Remote(length=1000), Remote(length=700), Remote(length=900)) as remote:
        assert (await remote.card()).max_model_len == 700


@pytest.mark.parametrize("what", ["name", "tokenizer"])
async def test_one_of_another_model_is_not_used_and_said_to_be(what: str) -> None:
    first, other, clock = Remote(), Remote(model="other" if what == "name" else "toy"), Clock()
    other.probe = [3] if what == "tokenizer" else [1, 2]
    async with several(first, other, clock=clock) as remote:
        await drafted(remote)
        assert states(remote) == ["ready", "another model"]
        first.away = RemoteUnreachable("No connection.")
        with pytest.raises(RemoteError, match=r"Remote 2: It serves ('|an)other.* COSTEER_REMOTE_BASE_URL"):
            await drafted(remote)
        assert not other.calls
        other.model, other.probe = "toy", [1, 2]  # corrected
        clock.now += LONGEST_REST
        assert (await drafted(remote))[0] == await undisturbed()
        assert states(remote)[1] == "ready"


async def test_one_that_comes_back_as_another_model_is_not_used() -> None:
    first, second, clock = Remote(), Remote(), Clock()
    async with several(first, second, clock=clock) as remote:
        first.failures = [RemoteError("gone")]
        await drafted(remote)
        first.model = "other"
        clock.now += LONGEST_REST
        await drafted(remote)
        await until(lambda: states(remote)[0] == "another model")
        assert (await drafted(remote))[0] == await undisturbed()
        assert len(first.calls) == 1


async def test_the_first_in_order_says_which_model_it_is_and_not_the_fastest() -> None:
    first, second = Remote(), Remote(model="other")
    first.slow.clear()
    async with several(first, second) as remote:
        asking = asyncio.create_task(remote.card())
        await until(lambda: second.asked == 2)
        first.slow.set()
        assert (await asking).id == "toy"


async def test_one_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooled, "GRACE", 0.02)
    first, second = Remote(), Remote()
    first.slow.clear()
    async with several(first, second) as remote:
        assert (await drafted(remote))[0] == await undisturbed()
        assert states(remote) == ["not compared", "ready"]
        first.slow.set()
        await until(lambda: states(remote) == ["ready", "ready"])


async def test_one_that_hangs_holds_up_no_reply_that_another_can_write() -> None:
    first, second, clock = Remote(), Remote(), Clock()
    async with several(first, second, clock=clock) as remote:
        assert (await drafted(remote))[0] == await undisturbed()
        second.slow.clear()
        remote.replicas.failed(remote.replicas.all[1], RemoteTimeout("late"))
        first.failures, first.good = [RemoteError("gone")], 3
        async with asyncio.timeout(10):  # not as long as the second one takes to say what it serves
            assert (await drafted(remote, RetryPolicy(30.0, first_wait=0.01)))[0] == await undisturbed()
        assert states(remote) == ["ready", "resting"]


async def test_what_comparing_sends_is_of_no_reply() -> None:
    asked = []

    class Noting(Remote):
        async def tokenize_text(self, text: str) -> list[int]:
            from app.remote.sent import noting

            asked.append(noting())
            return await super().tokenize_text(text)

    async with several(Noting(), Noting()) as remote:
        sent = note(wanted=True)
        await remote.card()
        assert asked == [None, None]
        await remote.tokenize_text("Hello")
        assert asked[2] is sent
    note(wanted=False)


async def test_each_is_told_of_which_conversation_a_request_is() -> None:
    asked = []

    async def serve(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.url.path, request.headers["x-session"]))
        if request.url.path == "/tokenize":
            return httpx.Response(200, json={"tokens": [1]})
        return httpx.Response(200, json={"data": [{"id": "toy", "max_model_len": 10}]})

    async with AsyncExitStack() as stack:
        vllms = [
            VLLMRemote(f"http://{host}/v1", transport=httpx.MockTransport(serve), session_header="X-Session")
            for host in ("a", "b")
        ]
        for one in vllms:
            stack.push_async_callback(one.aclose)
        replicas = await stack.enter_async_context(aclosing(Replicas(vllms)))
        remote = SeveralRemotes(replicas)
        assert names_sessions(remote)
        session = new_session()
        await in_session(kept_for(remote, None), session).tokenize_text("Hello")
        assert [one for one in asked if one[2] == session] == [("a", "/tokenize", session)]
        replicas.failed(replicas.all[0], RemoteError("gone"))
        await in_session(remote, session).tokenize_text("Hello")
        assert asked[-1] == ("b", "/tokenize", session)


SAID = [Said("a"), Said("b", finish_reason="stop")]


async def test_a_reply_that_is_handed_over_begins_at_one_that_works() -> None:
    first, second = Remote(), Remote()
    first.said, second.said = [RemoteTimeout("late")], list(SAID)
    async with several(first, second) as remote:
        assert [one async for one in remote.take_over(HANDOVER)] == SAID


async def test_a_reply_that_was_handed_over_and_breaks_off_is_not_begun_again() -> None:
    first, second = Remote(), Remote()
    first.said, second.said = [SAID[0], RemoteError("gone")], list(SAID)
    async with several(first, second) as remote:
        came = []
        with pytest.raises(RemoteError, match="gone"):
            async for one in remote.take_over(HANDOVER):
                came.append(one)  # noqa: PERF401  # kept when the iteration fails
    assert came == SAID[:1]


FILE = Forward("POST", "files", "a file")
EMBEDDINGS = Forward("POST", "embeddings", "embeddings")
CHAT = Forward("POST", "chat/completions", "a chat")


async def taken(answer: Forwarded) -> bytes:
    return b"".join([chunk async for chunk in answer.body()])


@pytest.mark.parametrize(
    ("asked", "error", "again"),
    [
        (EMBEDDINGS, RemoteUnreachable("a"), True),
        (EMBEDDINGS, RemoteUnavailable("a"), True),
        (EMBEDDINGS, RateLimited("a"), True),
        (EMBEDDINGS, RemoteError("broke"), True),
        (EMBEDDINGS, RemoteTimeout("late"), False),  # it may take as long everywhere
        (EMBEDDINGS, RemoteRejected("no"), False),
        (FILE, RemoteUnreachable("a"), True),
        (FILE, RemoteUnavailable("a"), False),
        (FILE, RemoteError("broke"), False),
        (Forward("GET", "files/1", "a file"), RemoteError("broke"), True),
    ],
)
async def test_what_is_passed_on_is_tried_again_where_that_does_nothing_twice(
    asked: Forward, error: CoSteerError, again: bool
) -> None:
    first, second = Remote(), Remote()
    first.answers, second.answers = [error], [FakeAnswer(b"{}")]
    async with several(first, second) as remote:
        if again:
            assert await taken(await remote.forward(asked)) == b"{}"
        else:
            with pytest.raises(type(error)):
                await remote.forward(asked)


async def test_an_answer_of_failure_is_the_last_ones() -> None:
    first, second = Remote(), Remote()
    first.answers, second.answers = [FakeAnswer(b"1", status=503)], [FakeAnswer(b"2", status=500)]
    async with several(first, second) as remote:
        assert (await remote.forward(EMBEDDINGS)).status == 500
        assert first.answers == second.answers == []
        first.answers = [FakeAnswer(b"1", status=503)]
        assert (await remote.forward(FILE)).status == 503
        assert states(remote) == ["ready", "ready"]


BROKE = RemoteError("The connection to the remote broke (ReadError). Try again.")
SSE = {"content-type": "text/event-stream; charset=utf-8"}
EVENTS = [b": ping\n\n", b'data: {"choi', b'ces":[{"finish_reason":null}]}\n\n', b"data: [DONE]\n\n"]
WRITTEN = b'{"choices":[{"message":{"content":"a"},"finish_reason":"%s"}]}'


@pytest.mark.parametrize(
    "answer",
    [
        FakeAnswer(b'{"choices":[', failure=BROKE),
        FakeAnswer(b"<html>Sign in</html>"),
        FakeAnswer(b'{"error":{"message":"no room","code":503}}'),
        FakeAnswer(WRITTEN % b"abort"),
        FakeAnswer(headers=SSE),
        FakeAnswer(headers=SSE, failure=BROKE),
        FakeAnswer(b'data: {"choices":[', headers=SSE, failure=BROKE),
        FakeAnswer(b'data: {"error":', b'{"message":"EngineDeadError","code":500}}\n\n', headers=SSE),
        FakeAnswer(b'event: error\ndata: {"type":"error","error":{"type":"overloaded"}}\n\n', headers=SSE),
        FakeAnswer(b"data: [DONE]\n\n", headers=SSE),
        FakeAnswer(failure=BROKE, headers={"content-type": "audio/mpeg"}),
    ],
)
async def test_of_what_is_passed_on_nothing_is_out_before_it_is_seen_to_work(answer: FakeAnswer) -> None:
    first, second = Remote(), Remote()
    first.answers, second.answers = [answer], [FakeAnswer(*EVENTS, headers=SSE)]
    async with several(first, second) as remote:
        assert await taken(await remote.forward(CHAT)) == b"".join(EVENTS)
    assert answer.closed.is_set()


@pytest.mark.parametrize(
    "answer",
    [
        FakeAnswer(WRITTEN % b"length"),
        FakeAnswer(b'{"error":{"message":"too long","code":400}}'),
        FakeAnswer(b'{"error":null}'),
        FakeAnswer(b'["error"]'),
        FakeAnswer(b"{" + b" " * 2**17 + b"}"),
        FakeAnswer(b"data: " + b"a" * 2**17, headers=SSE),
        FakeAnswer(b'data: {"error":{"message":"too long","code":400}}\n\n', headers=SSE),
        FakeAnswer(b'{"error":{"message":"no such model"}}', status=404),
        FakeAnswer(b"\0", headers={"content-type": "audio/mpeg"}),
        FakeAnswer(*EVENTS, headers=SSE),
    ],
)
async def test_what_is_an_answer_is_passed_on_byte_for_byte(answer: FakeAnswer) -> None:
    first, second = Remote(), Remote()
    first.answers = [answer]
    whole = await taken(answer)
    async with several(first, second) as remote:
        assert await taken(await remote.forward(CHAT)) == whole


async def test_what_breaks_off_once_a_part_is_out_is_not_begun_again() -> None:
    first, second = Remote(), Remote()
    first.answers = [FakeAnswer(*EVENTS[1:3], headers=SSE, failure=BROKE)]
    async with several(first, second) as remote:
        answer, came = await remote.forward(CHAT), b""
        with pytest.raises(RemoteError, match="broke"):
            async for chunk in answer.body():
                came += chunk
    assert came == b"".join(EVENTS[1:3])


async def test_what_is_only_fetched_may_tell_of_a_failure() -> None:
    first, second = Remote(), Remote()
    first.answers = [FakeAnswer(b'{"error":{"code":"server_error"}}')]
    async with several(first, second) as remote:
        answer = await remote.forward(Forward("GET", "responses/r", "a response"))
        assert await taken(answer) == b'{"error":{"code":"server_error"}}'


async def test_the_wait_that_one_asks_for_is_told_though_another_is_away() -> None:
    full = b'{"error":{"message":"Too much.","type":"requests","param":null,"code":null}}'
    first, second = Remote(), Remote()
    first.answers = [FakeAnswer(full, status=429, headers={"retry-after": "7"})]
    second.answers = [RemoteUnreachable("No connection.")]
    async with several(first, second) as remote:
        with pytest.raises(RateLimited, match=r"Remote 1: .*Too much.* Remote 2: No connection") as caught:
            await remote.forward(CHAT)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    "answer",
    [RemoteTimeout("late"), RemoteError("broke"), FakeAnswer(b"", status=500), FakeAnswer(b"<html>")],
)
@pytest.mark.parametrize("away", [None, RemoteUnreachable("No connection.")])
async def test_one_that_fails_at_what_is_passed_on_is_looked_at(
    answer: Forwarded | CoSteerError, away: CoSteerError | None
) -> None:
    first, second = Remote(), Remote()
    first.answers, second.answers = [answer], [FakeAnswer(b"{}")]
    async with several(first, second) as remote:
        await remote.card()
        first.away, asked = away, first.asked
        with suppress(RemoteTimeout):
            await remote.forward(CHAT)
        admission = remote.replicas.all[0].admission
        assert admission is not None
        await admission
        assert first.asked > asked
        assert states(remote)[0] == ("resting" if away else "ready")


async def test_a_client_that_leaves_before_an_answer_has_begun_ends_it() -> None:
    first, second = Remote(), Remote()
    answer = FakeAnswer(headers=SSE, endless=True)
    first.answers = [answer]
    async with several(first, second) as remote:
        asking = asyncio.create_task(remote.forward(CHAT))
        await until(lambda: not first.answers)
        asking.cancel()
        await asyncio.wait([asking])
    assert asking.cancelled() and answer.closed.is_set()


async def test_a_model_that_one_does_not_serve_any_more_is_asked_of_the_next() -> None:
    first, second = Remote(ModelNotFound("gone")), Remote()
    async with several(first, second) as remote:
        assert (await drafted(remote))[0] == await undisturbed()
        assert states(remote)[0] == "resting"


@pytest.mark.parametrize("offset", [FIRST + n * (len(WHOLE) - FIRST) // 25 for n in range(-5, 25)])
async def test_cut_at_any_byte_on_the_socket_every_token_comes_once(offset: int) -> None:
    drafts: list[list[int]] = []

    async def breaks(connection: Connection) -> None:
        await serve(connection, offset)

    async def works(connection: Connection) -> None:
        await serve(connection, None)

    async def serve(connection: Connection, cut: int | None) -> None:
        body = orjson.loads(connection.body)
        if "stream" not in body:
            connection.send(orjson.dumps({"tokens": [1, 2]}))
            return
        drafts.append(body["prompt"])
        connection.writer.write((HEAD + answer(body["prompt"]))[:cut])
        await connection.writer.drain()
        if cut is not None:
            connection.writer.close()

    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(loopback(one)) for one in (breaks, works)]
        vllms = [
            await stack.enter_async_context(aclosing(VLLMRemote(one.base_url, spare=False)))
            for one in servers
        ]
        replicas = await stack.enter_async_context(aclosing(Replicas(vllms)))
        stream = RetryingRemote(SeveralRemotes(replicas), IMPATIENT, Stats()).draft(
            PROMPT, sampling=GREEDY, top_logprobs=5, max_tokens=len(IDS)
        )
        async with asyncio.timeout(20):
            assert [position.token_id async for position in stream] == IDS
    for prompt in drafts:  # what was received and not a token more
        assert prompt == [*PROMPT, *IDS[: len(prompt) - len(PROMPT)]]


async def test_one_that_fails_while_it_is_compared_is_no_gateway_that_tells_no_tokens() -> None:
    class Failing(Remote):
        error = RemoteError("Engine core died.")

        async def tokenize_text(self, text: str) -> list[int]:
            raise self.error

    failing, untold = Failing(), Failing()
    untold.error = RemoteError("No such path.", code=UNTOLD)
    async with several(Remote(), failing, untold) as remote:
        await drafted(remote)
        assert states(remote) == ["ready", "resting", "ready"]
