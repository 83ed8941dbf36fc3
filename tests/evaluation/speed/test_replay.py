"""A remote that is played back: when its tokens come, and when the real one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from fakes import LOUD, FakeLocal, FakeRemote, FakeTokenizer

from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import InvalidRequest, RemoteError, RemoteUnavailable, Unsupported
from app.evaluation.speed.bench import Bench, Measured
from app.evaluation.speed.cases import Case
from app.evaluation.speed.modes import modes
from app.evaluation.speed.recording import Recording
from app.evaluation.speed.replay import AHEAD, GREEDY, ReplayRemote
from app.prompts.message import Message
from app.remote.interface import DraftToken, Forward, Handover, ModelCard
from app.steering.sampling import SamplingParams
from evaluation.speed.clock import SleptTime

RTT, PACE, TOP = 10.0, 3.0, 20
PROMPT = [258, *b"Say hello.", 256, 259]


class Counting(FakeRemote):
    """Counts its drafts; while `held`, each waits before its first token."""

    def __init__(self) -> None:
        super().__init__()
        self.drafts = 0
        self.endless = True
        self.held, self.begun = asyncio.Event(), asyncio.Event()
        self.held.set()

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        self.drafts += 1
        self.begun.set()
        await self.held.wait()
        stream = super().draft(prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens)
        async with aclosing(stream) as positions:
            async for position in positions:
                yield position


@pytest.fixture
def real() -> Counting:
    return Counting()


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording.read(tmp_path / "remote.jsonl")


def played(real: FakeRemote, recording: Recording, time: SleptTime | None = None) -> ReplayRemote:
    time = time or SleptTime()
    return ReplayRemote(real, recording, top_logprobs=TOP, rtt=RTT, pace=PACE, clock=time, sleep=time.sleep)


async def drafted(remote: ReplayRemote, prompt: Sequence[int] = PROMPT, tokens: int = 5) -> list[DraftToken]:
    stream = remote.draft(prompt, sampling=GREEDY, top_logprobs=TOP, max_tokens=tokens)
    async with aclosing(stream) as positions:
        return [position async for position in positions]


def gone(real: FakeRemote) -> None:
    real.unreachable = real.failure = RemoteUnavailable("Start it.")


async def test_what_is_recorded_comes_after_the_round_trip_at_the_pace(
    real: Counting, recording: Recording
) -> None:
    await drafted(played(real, recording))
    gone(real)
    time = SleptTime()
    stream = played(real, recording, time).draft(PROMPT, sampling=GREEDY, top_logprobs=TOP, max_tokens=3)
    async with aclosing(stream) as positions:
        moments = [(time.now, position.token_id) async for position in positions]
    assert moments == [(13.0, ord("h")), (16.0, ord("e")), (19.0, ord("l"))]


async def test_a_reader_that_is_late_does_not_slow_the_stream(real: Counting, recording: Recording) -> None:
    await drafted(played(real, recording))
    time, moments = SleptTime(), []
    stream = played(real, recording, time).draft(PROMPT, sampling=GREEDY, top_logprobs=TOP, max_tokens=4)
    async with aclosing(stream) as positions:
        async for _ in positions:
            moments.append(time.now)
            time.now += 7.0 if len(moments) == 1 else 0.0
    assert moments == [13.0, 20.0, 20.0, 22.0]


async def test_a_replayed_draft_is_the_remote_s_own(real: Counting, recording: Recording) -> None:
    found = await drafted(played(real, recording), tokens=8)
    direct = real.draft(PROMPT, sampling=GREEDY, top_logprobs=TOP, max_tokens=8)
    async with aclosing(direct) as positions:
        expected = [position async for position in positions]
    for one, other in zip(found, expected, strict=True):
        assert (one.token_id, one.ends) == (other.token_id, other.ends)
        assert one.candidates.tolist() == other.candidates.tolist()
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-6)


async def test_a_reply_ends_where_the_remote_ended_it(real: Counting, recording: Recording) -> None:
    real.endless, real.text = False, "hi"
    for _ in range(2):
        found = await drafted(played(real, recording), tokens=50)
        assert [(one.token_id, one.ends) for one in found] == [(104, False), (105, False), (256, True)]
    assert real.drafts == 1


async def test_each_position_is_asked_for_once_wherever_a_request_begins(
    real: Counting, recording: Recording
) -> None:
    remote = played(real, recording)
    whole = [one.token_id for one in await drafted(remote, tokens=AHEAD)]
    assert real.drafts == 1
    for start in range(AHEAD):
        (one,) = await drafted(remote, [*PROMPT, *whole[:start]], tokens=1)
        assert one.token_id == whole[start]
    assert real.drafts == 1
    await drafted(remote, [*PROMPT, ord("X")], tokens=1)  # another text
    assert real.drafts == 2


async def test_missing_answers_are_counted_and_recorded_ones_are_not(
    real: Counting, recording: Recording
) -> None:
    remote = played(real, recording)
    await drafted(remote)
    await remote.tokenize([Message("user", "Hi.")])
    missed = recording.missed
    assert missed == 3  # and the card
    gone(real)
    await drafted(remote)
    assert await remote.tokenize([Message("user", "Hi.")]) == [258, *b"Hi.", 256, 259]
    assert (await remote.card()).id == "fake-model"
    assert recording.missed == missed
    with pytest.raises(RemoteUnavailable, match=r"does not hold all that is asked for here.*Start it"):
        await remote.tokenize([Message("user", "Hi.")], continue_final=True)


async def test_what_a_closed_draft_still_lacked_is_recorded_before_the_next_request(
    real: Counting, recording: Recording
) -> None:
    """Else it would be lacking again each time that the reply is written again."""
    remote = played(real, recording)
    await remote.card()
    real.held.clear()
    reading = asyncio.create_task(drafted(remote))
    await real.begun.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    following = asyncio.create_task(drafted(remote))
    await asyncio.sleep(0)
    assert not following.done()
    real.held.set()
    assert len(await following) == 5
    assert (real.drafts, real.drafts_open) == (1, 0)


async def test_what_arrived_before_a_failure_is_kept(real: Counting, recording: Recording) -> None:
    real.failure, real.failing_after = RemoteError("gone"), 3
    with pytest.raises(RemoteError, match="gone"):
        await drafted(played(real, recording))
    assert len(await drafted(played(real, recording), tokens=3)) == 3


async def test_the_vocabulary_is_played_back_without_the_remote(real: Counting, recording: Recording) -> None:
    await played(real, recording).vocabulary()
    gone(real)
    found = (await played(real, recording).vocabulary()).vocabulary
    tokenizer = FakeTokenizer()
    assert [found.token_bytes(i) for i in range(len(found))] == [
        tokenizer.token_bytes(i) for i in range(len(tokenizer))
    ]
    assert (found.eos_ids, found.decode(list(b" hello"))) == (tokenizer.eos_ids, " hello")


async def test_another_model_s_answers_are_not_added(real: Counting, recording: Recording) -> None:
    recording.begin(ModelCard("other-model", 4096), TOP)
    with pytest.raises(InvalidRequest, match=r"'other-model'.*'fake-model'.*another file"):
        await drafted(played(real, recording))


async def test_what_cannot_be_played_back_is_refused(real: Counting, recording: Recording) -> None:
    remote = played(real, recording)
    for sampling, top in ((SamplingParams(temperature=1.0), TOP), (GREEDY, 5)):
        with pytest.raises(InvalidRequest, match="holds greedy drafts of 20 candidates"):
            await anext(remote.draft(PROMPT, sampling=sampling, top_logprobs=top, max_tokens=1))
    with pytest.raises(Unsupported, match="embeddings"):
        await remote.forward(Forward("POST", "embeddings", "embeddings"))
    with pytest.raises(Unsupported, match="tools"):
        await anext(remote.take_over(Handover((), ())))
    assert not remote.passes_on


async def test_no_measured_reply_has_waited_for_the_real_remote(real: Counting, recording: Recording) -> None:
    async def measure() -> Measured:
        measured, time = Measured(), SleptTime()
        remote = played(real, recording, time)
        bench = Bench(
            remote,
            FakeLocal(),
            VocabularyMatcher(remote, FakeTokenizer()),
            modes=modes(DecodingConfig()),
            cases=[Case("Say hello.", LOUD, (), 0.5)],
            tokens=40,
            missed=lambda: recording.missed,
            clock=time,
        )
        await bench.measure(measured, repeats=1, concurrency=2)
        return measured

    first = await measure()
    assert first.repeated > 0
    drafts = real.drafts
    gone(real)
    second = await measure()
    assert (second.repeated, real.drafts) == (0, drafts)
    for one, other in zip(first.runs, second.runs, strict=True):
        assert one.token_ids == other.token_ids
        assert one.seconds == other.seconds
        assert [step.changed for step in one.steps] == [step.changed for step in other.steps]
    plain = second.runs[0]
    assert np.diff(plain.moments).tolist() == pytest.approx([PACE] * 39)


async def test_a_reply_that_never_stops_lacking_something_is_given_up(real: Counting) -> None:
    real.text = "hello world, this is a long text"
    count = iter(range(10_000))
    bench = Bench(
        real,
        FakeLocal(),
        VocabularyMatcher(real, FakeTokenizer()),
        modes=modes(DecodingConfig())[:2],
        cases=[Case("Say hello.", LOUD, (), 0.5)],
        tokens=8,
        missed=lambda: next(count),
    )
    with pytest.raises(InvalidRequest, match="each time the recording lacked something"):
        await bench.measure(Measured(), repeats=1)
