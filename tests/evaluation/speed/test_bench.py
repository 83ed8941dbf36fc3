"""What is written and measured, over fake models and a clock that every look moves on."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest
from fakes import JOINED, LOUD, FakeLocal, FakeRemote, FakeTokenizer

from app.decoding.request import DecodingConfig
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import InvalidRequest, RemoteError
from app.evaluation.speed.bench import WARM_UP, Bench, Measured
from app.evaluation.speed.cases import Case
from app.evaluation.speed.modes import DRAFT, PLAIN, SINGLE, Mode, modes
from app.evaluation.speed.passes import WatchedLocal
from app.evaluation.speed.timed import TimedRemote
from app.local.engine.pass_cost import PassCost
from app.profiles.profile import Profile
from app.prompts.private import Contrast, PrivatePrompt
from app.remote.interface import DraftToken
from app.steering.sampling import SamplingParams

TEXT = "hello world, this is a long text"
CASES = [Case("Say hello.", LOUD, (), 0.5), Case("And again.", JOINED, (), 1.0)]


class Listening(FakeRemote):
    """Remembers how many tokens each request wants; each takes `delay` seconds to its first."""

    def __init__(self) -> None:
        super().__init__()
        self.endless = True
        self.wanted: list[int] = []
        self.now, self.delay = 0.0, 0.0

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        self.wanted.append(max_tokens)
        self.now += self.delay
        stream = super().draft(prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens)
        async with aclosing(stream) as positions:
            async for position in positions:
                yield position


@pytest.fixture
def remote() -> FakeRemote:
    fake = FakeRemote()
    fake.text = TEXT
    return fake


def bench_of(
    remote: FakeRemote,
    *,
    which: Sequence[Mode] | None = None,
    cases: Sequence[Case] = CASES,
    tokens: int = 12,
) -> Bench:
    ticks = itertools.count()
    return Bench(
        remote,
        FakeLocal(),
        VocabularyMatcher(remote, FakeTokenizer()),
        modes=modes(DecodingConfig(draft_length=6)) if which is None else which,
        cases=cases,
        tokens=tokens,
        clock=lambda: float(next(ticks)),
    )


async def measured_by(bench: Bench, *, repeats: int = 1, concurrency: int = 1) -> Measured:
    measured = Measured()
    await bench.measure(measured, repeats=repeats, concurrency=concurrency)
    return measured


async def test_modes_take_turns_on_each_prompt_and_none_is_always_first(remote: FakeRemote) -> None:
    measured = await measured_by(bench_of(remote), repeats=2)
    assert [(run.case, run.repeat) for run in measured.runs[::3]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    order = [[run.mode for run in measured.runs[start : start + 3]] for start in range(0, 12, 3)]
    assert order[0] == [PLAIN, DRAFT, SINGLE]
    assert order[1] == order[2] == [DRAFT, SINGLE, PLAIN]
    assert order[3] == [SINGLE, PLAIN, DRAFT]
    assert measured.model == "fake-model"


async def test_each_mode_writes_what_it_should(remote: FakeRemote) -> None:
    runs = (await measured_by(bench_of(remote))).runs
    texts = {(run.mode, run.case): FakeTokenizer().decode(run.token_ids) for run in runs}
    assert texts[PLAIN, 0] == texts[PLAIN, 1] == TEXT[:12]
    assert texts[DRAFT, 0] == texts[SINGLE, 0] == TEXT[:12].upper()
    assert texts[DRAFT, 1] == texts[SINGLE, 1] == TEXT[:12].replace(" ", "_")
    assert [run.stats.remote_requests for run in runs if run.mode == SINGLE] == [12, 12]
    assert [run.stats.remote_requests for run in runs if run.mode == PLAIN] == [1, 1]


async def test_every_token_has_its_moment_and_every_request_its_wait(remote: FakeRemote) -> None:
    for run in (await measured_by(bench_of(remote))).runs:
        assert len(run.moments) == len(run.token_ids) == run.stats.tokens == 12
        assert list(run.moments) == sorted(run.moments)
        assert run.moments[-1] <= run.seconds
        assert len(run.waits) == run.stats.remote_requests


async def test_every_token_tells_what_it_needed_and_every_reply_what_passes_cost(remote: FakeRemote) -> None:
    runs = {(run.mode, run.case): run for run in (await measured_by(bench_of(remote))).runs}
    letters = [letter.isalpha() for letter in TEXT[:12]]  # which LOUD has in capitals
    for mode in (DRAFT, SINGLE):
        run = runs[mode, 0]
        assert [step.changed for step in run.steps] == letters
        assert all(step.scored for step in run.steps)
        assert run.passes is not None
        assert run.passes.seconds(3) == pytest.approx(PassCost().seconds(3 * run.passes.prompts))
        assert run.passes.prompts >= 2
    plain = runs[PLAIN, 0]
    assert plain.passes is None
    assert len(plain.steps) == 12
    assert not any(step.changed or step.scored for step in plain.steps)


async def test_what_passes_cost_later_does_not_change_an_earlier_reply_s() -> None:
    local = FakeLocal()
    watched = WatchedLocal(local)
    prompt = PrivatePrompt((258, 97))
    async with watched.kept_for(None).session([Contrast(prompt, prompt, 1.0)]) as session:
        taken = watched.taken()
        assert taken is not None
        before = taken.seconds(1)
        session.cost.observe(1, 99.0)
    assert taken.seconds(1) == before
    assert watched.taken() is None
    await watched.warm(prompt)
    assert local.warmed == ["a"]


async def test_a_reply_that_ends_by_itself_has_moments_for_its_text_alone(remote: FakeRemote) -> None:
    remote.text = "hello"
    for run in (await measured_by(bench_of(remote))).runs:
        assert len(run.moments) == len(run.token_ids) == 5
        assert run.stats.tokens == 6
        assert not run.enough


async def test_before_each_prompt_is_measured_a_short_reply_to_it_is_not() -> None:
    remote = Listening()
    measured = await measured_by(
        bench_of(remote, which=modes(DecodingConfig())[:2], cases=CASES[:1], tokens=20)
    )
    assert [run.mode for run in measured.runs] == [PLAIN, DRAFT]
    assert remote.wanted[:2] == [1, 1]  # what is checked once only
    assert remote.wanted[2] == WARM_UP < 20
    assert remote.wanted.count(20) == 2


async def test_all_replies_are_announced_and_all_are_done(remote: FakeRemote) -> None:
    bench, done = bench_of(remote), list[int]()
    await bench.measure(Measured(), repeats=2, concurrency=3, done=done.append)
    assert sum(done) == bench.replies(2, 3) == 2 + 2 * 2 * 3 + 2 * 3
    assert bench.replies(1, 1) == 2 + 2 * 3


async def test_several_replies_are_written_at_once_and_are_the_same(remote: FakeRemote) -> None:
    measured = await measured_by(bench_of(remote), concurrency=3)
    (crowd,) = measured.crowds
    assert [run.case for run in crowd.runs] == [0, 1, 0]
    alone = {run.case: run.token_ids for run in measured.runs if run.mode == DRAFT}
    assert [run.token_ids for run in crowd.runs] == [alone[0], alone[1], alone[0]]
    assert all(run.seconds <= crowd.seconds for run in crowd.runs)
    # At the same time: the first is not over when the last one begins.
    assert sum(run.seconds for run in crowd.runs) > crowd.seconds


async def test_an_error_leaves_what_was_measured_before_and_nothing_open(remote: FakeRemote) -> None:
    measured = Measured()

    def fail(_: int) -> None:
        if len(measured.runs) == 2:
            remote.failure = RemoteError("gone")

    with pytest.raises(RemoteError, match="gone"):
        await bench_of(remote).measure(measured, repeats=1, done=fail)
    assert len(measured.runs) == 2
    assert remote.drafts_open == 0


async def test_an_error_among_several_at_once_ends_them_all(remote: FakeRemote) -> None:
    measured = Measured()

    def fail(_: int) -> None:
        if len(measured.runs) == 6:
            remote.failure, remote.failing_after = RemoteError("gone"), 3

    with pytest.raises(RemoteError, match="gone"):
        await bench_of(remote).measure(measured, repeats=1, concurrency=3, done=fail)
    assert (len(measured.runs), measured.crowds, remote.drafts_open) == (6, [], 0)


async def test_a_profile_that_steers_nothing_is_named(remote: FakeRemote) -> None:
    which = modes(DecodingConfig(max_context_tokens=0))
    bench = bench_of(remote, which=which, cases=[Case("Hello.", Profile("anna", "SECRET"), (), 0.5)])
    with pytest.raises(InvalidRequest, match="COSTEER_MAX_CONTEXT_TOKENS") as caught:
        await measured_by(bench)
    assert "'anna'" in caught.value.message
    assert "SECRET" not in caught.value.message


async def test_a_remote_is_timed_to_the_first_position_of_each_request() -> None:
    remote = Listening()
    timed = TimedRemote(remote, lambda: remote.now)
    for remote.delay in (3.0, 5.0):
        async with aclosing(
            timed.draft([258, 97, 259], sampling=SamplingParams(), top_logprobs=2, max_tokens=3)
        ) as stream:
            assert await anext(stream)
            remote.now += 7.0
            assert await anext(stream)
    assert timed.taken() == [3.0, 5.0]
    assert timed.taken() == []
