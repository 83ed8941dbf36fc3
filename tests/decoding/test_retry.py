"""A remote that fails in the middle of a reply is asked again from there; nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

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
    TokenizerMismatch,
)
from app.remote.interface import DraftToken
from app.steering.sampling import SamplingParams
from decoding.test_speculative import EOS, PROMPT, ToyRemote, ids, request, run

PATIENT = RetryPolicy(seconds=30.0, first_wait=1.0)


class Flaky(ToyRemote):
    """Raises `failures` one after the other, each in a request of its own: the first after `good` positions,
    the later ones after `then`, which is as many unless it is given."""

    def __init__(self, *failures: CoSteerError, good: int = 3, then: int | None = None) -> None:
        super().__init__()
        self.failures = list(failures)
        self.good = good
        self.then = good if then is None else then

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        failure = self.failures.pop(0) if self.failures else None
        good, count = self.then if self.calls else self.good, 0
        async for position in super().draft(
            prompt, sampling=sampling, top_logprobs=top_logprobs, max_tokens=max_tokens
        ):
            if failure is not None and count == good:
                raise failure
            yield position
            count += 1
        if failure is not None:  # nothing is missing but the end of the answer
            raise failure


class Sleeper:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


async def drafted(
    remote: ToyRemote, patience: RetryPolicy = PATIENT, sampling: SamplingParams | None = None
) -> tuple[list[int], Stats, Sleeper]:
    sleeper = Sleeper()
    stats = Stats(clock=lambda: sleeper.now)
    resuming = RetryingRemote(remote, patience, stats, sleep=sleeper)
    stream = resuming.draft(
        PROMPT, sampling=sampling or SamplingParams(temperature=0.0), top_logprobs=6, max_tokens=20
    )
    return [position.token_id async for position in stream], stats, sleeper


def broken(count: int = 1) -> list[CoSteerError]:
    return [RemoteError("gone") for _ in range(count)]


@pytest.mark.parametrize("good", range(1, 21))
async def test_cut_anywhere_the_draft_is_that_of_an_undisturbed_remote(good: int) -> None:
    undisturbed, _, _ = await drafted(ToyRemote())
    remote = Flaky(*broken(), good=good)
    again, stats, _ = await drafted(remote)
    assert again == undisturbed
    missing = good < len(undisturbed)
    assert stats.resumed == missing
    if missing:
        prompt, _, max_tokens = remote.calls[1]
        assert (prompt, max_tokens) == ([*PROMPT, *undisturbed[:good]], 20 - good)
    assert remote.open == 0


@pytest.mark.parametrize("strength", [0.0, 0.8])
@pytest.mark.parametrize("good", range(1, 8))
async def test_a_whole_reply_is_the_undisturbed_one(good: int, strength: float) -> None:
    wanted = request(strength=strength, patience=RetryPolicy(30.0, first_wait=0.0))
    complete, _ = await run(wanted)
    got, stats = await run(wanted, Flaky(*broken(3), good=good))
    assert ids(got) == ids(complete)
    assert stats.tokens == len(got)


async def test_before_anything_was_drafted_the_failure_is_the_clients_to_know() -> None:
    remote = Flaky(RemoteUnavailable("no connection"), good=0)
    with pytest.raises(RemoteUnavailable):
        await drafted(remote)
    assert len(remote.calls) == 1


async def test_a_remote_that_stays_away_is_asked_ever_less_often_until_patience_ends() -> None:
    remote = Flaky(*(RemoteUnavailable("no connection") for _ in range(50)), good=3, then=0)
    sleeper = Sleeper()
    stats = Stats(clock=lambda: sleeper.now)
    got = []
    stream = RetryingRemote(remote, PATIENT, stats, sleep=sleeper).draft(
        PROMPT, sampling=SamplingParams(temperature=0.0), top_logprobs=6, max_tokens=20
    )
    with pytest.raises(RemoteUnavailable):
        async for position in stream:
            got.append(position.token_id)  # noqa: PERF401  # kept when the iteration fails
    assert len(got) == 3
    assert sum(sleeper.slept) <= PATIENT.seconds
    assert sum(sleeper.slept) > PATIENT.seconds - 2 * PATIENT.longest_wait
    for number, wait in enumerate(sleeper.slept):
        longest = min(PATIENT.first_wait * 2**number, PATIENT.longest_wait)
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize("error", [RateLimited, RemoteUnavailable])
async def test_it_waits_as_long_as_the_remote_says(error: type[RemoteError]) -> None:
    _, _, sleeper = await drafted(Flaky(error("later", retry_after=12.5)))
    assert sleeper.slept == [12.5]


async def test_a_wait_beyond_patience_is_not_begun() -> None:
    with pytest.raises(RateLimited):
        await drafted(Flaky(RateLimited("later", retry_after=60.0)))


async def test_progress_renews_patience() -> None:
    undisturbed, _, _ = await drafted(ToyRemote())
    got, stats, _ = await drafted(Flaky(*broken(6), good=2), RetryPolicy(1.0, first_wait=0.9))
    assert got == undisturbed
    assert stats.resumed == 6


@pytest.mark.parametrize(
    "error",
    [
        RemoteRejected("no"),
        ModelNotFound("no"),
        TokenizerMismatch("no"),
        ContextLengthExceeded("no"),
        RemoteError("who are you?", code="remote_unauthorized"),
    ],
)
async def test_what_asking_again_does_not_mend_is_raised_at_once(error: CoSteerError) -> None:
    with pytest.raises(type(error)):
        await drafted(Flaky(error))


@pytest.mark.parametrize("error", [RemoteTimeout("stalled"), RateLimited("full"), RemoteError("500")])
async def test_what_passes_is_asked_again(error: CoSteerError) -> None:
    undisturbed, _, _ = await drafted(ToyRemote())
    assert (await drafted(Flaky(error)))[0] == undisturbed


async def test_without_patience_nothing_is_asked_again() -> None:
    with pytest.raises(RemoteError):
        await drafted(Flaky(*broken()), RetryPolicy())


async def test_penalties_that_count_the_replys_tokens_are_not_counted_anew() -> None:
    with pytest.raises(RemoteError):
        await drafted(Flaky(*broken()), sampling=SamplingParams(temperature=0.0, presence_penalty=0.5))
    assert (
        await drafted(Flaky(*broken()), sampling=SamplingParams(temperature=0.0, repetition_penalty=1.1))
    )[0]


async def test_what_goes_on_is_drawn_with_other_random_numbers() -> None:
    remote = Flaky(*broken(2))
    await drafted(remote, sampling=SamplingParams(seed=7))
    seeds = [sampling.seed for _, sampling, _ in remote.calls]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert all(seed is not None and 0 <= seed < 2**63 for seed in seeds)


async def test_after_the_end_token_nothing_is_asked() -> None:
    remote = Flaky(*broken(), good=99)
    got, stats, _ = await drafted(remote, sampling=SamplingParams(seed=3))
    assert len(remote.calls) == 1
    assert stats.resumed == 0
    assert got[-1] == EOS or len(got) == 20
