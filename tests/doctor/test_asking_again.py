"""What it costs to ask again, of remotes that are near, far, without a prefix cache, or several by turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

import numpy as np
import pytest
from decoding.test_speculative import ToyRemote

from app.doctor.asking_again import LENGTHS, LONG, measured
from app.doctor.check import State, Verdict
from app.remote.interface import DraftToken, ModelCard
from app.steering.sampling import SamplingParams

GAP = 0.025
IDS = list(range(60))


class Server(ToyRemote):
    """On a clock of its own: takes `far` seconds, and `reads` for each token of the prompt that none of its
    `replicas`, which take turns, has `cached`."""

    def __init__(
        self, *, far: float = 0.0, reads: float = 0.0002, cached: bool = True, replicas: int = 1
    ) -> None:
        super().__init__()
        self.now = 0.0
        self.far, self.reads, self.cached = far, reads, cached
        self.known: list[list[tuple[int, ...]]] = [[] for _ in range(replicas)]
        self.asked: list[int] = []
        self.most: int | None = 4096

    async def card(self) -> ModelCard:
        return ModelCard("toy", self.most)

    async def draft(
        self, prompt: Sequence[int], *, sampling: SamplingParams, top_logprobs: int, max_tokens: int
    ) -> AsyncGenerator[DraftToken, None]:
        known = self.known[len(self.asked) % len(self.known)]
        self.asked.append(len(prompt))
        found = max((len(one) for one in known if one == tuple(prompt[: len(one)])), default=0)
        known.append(tuple(prompt))
        self.now += self.far + self.reads * (len(prompt) - (found if self.cached else 0))
        for _ in range(max_tokens):
            self.now += GAP
            yield DraftToken(1, np.array([1]), np.zeros(1))


async def verdict(server: Server) -> Verdict:
    clock: Callable[[], float] = lambda: server.now  # noqa: E731
    return await measured(server, IDS, clock)


async def test_a_near_remote_with_a_prefix_cache_is_fine() -> None:
    found = await verdict(Server())
    assert found.state is State.OK
    assert found.seen == (
        "27 ms behind 400 tokens, 105 ms the first time; 27 ms behind 1,600 tokens, 345 ms the first time"
    )


async def test_one_that_reads_every_prompt_anew_is_said_to() -> None:
    found = await verdict(Server(cached=False))
    assert found.state is State.WARNING
    assert "read anew each time" in found.seen
    assert "--enable-prefix-caching" in found.mend
    assert "COSTEER_REMOTE_SESSION_HEADER" in found.mend
    assert "COSTEER_MARGIN=0.5" in found.mend


async def test_of_one_that_is_far_away_the_cache_is_not_to_blame() -> None:
    found = await verdict(Server(far=0.5))
    assert found.state is State.WARNING
    assert "anew each time" not in found.seen
    assert "prefix-caching" not in found.mend
    assert "COSTEER_MARGIN=0.5" in found.mend


async def test_of_two_replicas_by_turns_each_has_the_prompt_in_the_end() -> None:
    assert (await verdict(Server(replicas=2))).state is State.OK


async def test_a_slow_one_is_not_given_the_longer_prompt() -> None:
    server = Server(reads=LONG / LENGTHS[0])
    await verdict(server)
    assert max(server.asked) < LENGTHS[1]


@pytest.mark.parametrize("most", [None, 600])
async def test_no_prompt_is_longer_than_the_remote_takes(most: int | None) -> None:
    server = Server()
    server.most = most
    await verdict(server)
    assert max(server.asked) < (most or 2 * LENGTHS[1])
