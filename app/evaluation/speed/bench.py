"""Runs the benchmark: each case in every mode by turns, then several replies concurrently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from app.decoding.generator import GenerationRequest, Generator
from app.decoding.request import Token
from app.decoding.stats import Clock
from app.decoding.vocabulary_match import VocabularyMatcher
from app.errors import InvalidRequest
from app.evaluation.speed.bound import Step
from app.evaluation.speed.cases import Case
from app.evaluation.speed.modes import DRAFT, Mode
from app.evaluation.speed.passes import WatchedLocal
from app.evaluation.speed.run import ENOUGH, Run
from app.evaluation.speed.timed import TimedRemote
from app.local.interface import OwnedModel
from app.remote.interface import RemoteModel
from app.steering.sampling import SamplingParams

# Tokens of a warm-up reply, which is not measured.
WARM_UP = 2 * ENOUGH
# How often a reply is written until a recording holds all that it visits; the second time, as a rule.
ATTEMPTS = 20
T = TypeVar("T")


@dataclass(frozen=True)
class Crowd:
    """Replies that were written concurrently, and the wall-clock seconds until the last one ended."""

    runs: tuple[Run, ...]
    seconds: float


@dataclass
class Measured:
    """The measurements so far, and the remote model's id; filled in while the benchmark runs. `repeated`
    replies, or several at once, were written again, since something was missing in a recording."""

    model: str = ""
    repeated: int = 0
    modes: tuple[Mode, ...] = ()
    runs: list[Run] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)


class Bench:
    """Writes every case in every mode, with one remote and one local model. `tokens` bounds a reply.

    `missed` counts what a remote that is played back has had to ask the real one for; a reply during which it
    grows is not measured but written again.
    """

    def __init__(
        self,
        remote: RemoteModel,
        local: OwnedModel,
        matcher: VocabularyMatcher,
        *,
        modes: Sequence[Mode],
        cases: Sequence[Case],
        tokens: int,
        temperature: float = 0.0,
        missed: Callable[[], int] = lambda: 0,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._remote = TimedRemote(remote, clock)
        self._local = WatchedLocal(local)
        self._writers = {
            mode.name: Generator(self._remote, self._local, matcher, mode.config, clock) for mode in modes
        }
        self._missed = missed
        self._modes = {mode.name: mode for mode in modes}
        self._cases = cases
        self._tokens = tokens
        self._sampling = SamplingParams(temperature=temperature)
        self._clock = clock
        self._model = ""

    def replies(self, repeats: int, concurrency: int) -> int:
        """How many replies `measure` writes, warm-up ones included."""
        at_once = concurrency if concurrency > 1 else 0
        return len(self._cases) * (1 + repeats * len(self._modes)) + repeats * at_once

    async def measure(
        self,
        measured: Measured,
        *,
        repeats: int,
        concurrency: int = 1,
        done: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Fill in `measured`, calling `done` with the number of replies just written. Raises CoSteerError."""
        measured.modes = tuple(self._modes.values())
        self._model = measured.model = (await self._remote.card()).id
        for name in self._modes:
            await self._written(name, 0, 0, tokens=1)  # runs the checks that are made only once
        names = list(self._modes)
        for case in range(len(self._cases)):
            # Fills both models' prefix caches with the prompt.
            await self._written(DRAFT, case, 0, tokens=WARM_UP)
            done(1)
            for repeat in range(repeats):
                turn = (case + repeat) % len(names)
                for name in names[turn:] + names[:turn]:
                    write = partial(self._written, name, case, repeat)
                    measured.runs.append(await self._undisturbed(write, measured))
                    done(1)
        if concurrency > 1:
            for repeat in range(repeats):
                write_all = partial(self._crowd, concurrency, repeat)
                measured.crowds.append(await self._undisturbed(write_all, measured))
                done(concurrency)

    async def _undisturbed(self, write: Callable[[], Awaitable[T]], measured: Measured) -> T:
        """What `write` returns, from a call of it during which nothing was missing."""
        for _ in range(ATTEMPTS):
            missed = self._missed()
            written = await write()
            if self._missed() == missed:
                return written
            measured.repeated += 1
        raise InvalidRequest(
            f"A reply was written {ATTEMPTS} times, and each time the recording lacked something. Give fewer "
            "--tokens, or do less on this machine meanwhile."
        )

    async def _crowd(self, size: int, repeat: int) -> Crowd:
        began = self._clock()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._written(DRAFT, (repeat * size + number) % len(self._cases), repeat)
                    )
                    for number in range(size)
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        # Which request and which session belong to which reply is not known here.
        runs = tuple(replace(task.result(), waits=(), passes=None) for task in tasks)
        return Crowd(runs, self._clock() - began)

    async def _written(self, name: str, number: int, repeat: int, *, tokens: int | None = None) -> Run:
        mode, case = self._modes[name], self._cases[number]
        generation = GenerationRequest(
            model=self._model,
            messages=case.messages,
            sampling=self._sampling,
            max_tokens=tokens or self._tokens,
            profile=case.profile,
            history=case.history,
            strength=case.strength if mode.steered else 0.0,
            preferences=case.profile.preferences,
            disclosure=case.disclosure,
        )
        self._remote.taken()
        self._local.taken()
        asked = self._clock()
        reply = await self._writers[name].prepare(generation)
        if mode.steered and reply.unsteered:
            raise InvalidRequest(
                f"Replies for the profile {case.profile.id!r} are not steered: {reply.unsteered}. Give it "
                "fields, or raise COSTEER_MAX_CONTEXT_TOKENS."
            )
        moments, written = list[float](), list[Token]()
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                if piece.finish_reason is None:  # the last piece only closes the reply
                    moments.append(self._clock() - asked)
                written += [token for spelled in piece.token_texts for token in spelled.tokens]
        return Run(
            mode=name,
            case=number,
            profile=case.profile.id,
            repeat=repeat,
            token_ids=tuple(token.token_id for token in written),
            moments=tuple(moments),
            seconds=self._clock() - asked,
            stats=reply.stats,
            waits=tuple(self._remote.taken()),
            steps=tuple(
                Step(changed=token.token_id != token.drafted_id, scored=token.local_delta is not None)
                for token in written
            ),
            passes=self._local.taken(),
        )
