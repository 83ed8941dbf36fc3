"""The small model on its server: its logprobs with the private context and without it, of known tokens."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import anyio
import numpy as np

from app.errors import TrustedError
from app.local.engine.owner import Owner
from app.local.engine.pass_cost import PassCost
from app.local.interface import LocalLogprobs, Wanted
from app.local.trusted.logprobs import TrustedLogprobs, likeliest
from app.local.trusted.server import TrustedServer
from app.local.trusted.standing import LEASH_SECONDS
from app.local.trusted.wire import MOST_IDS
from app.prompts.private import Contrast, PrivatePrompt
from app.steering.formula import FloatArray, IntArray
from app.tokenization.sequence import common_prefix
from app.tokenization.tokenizer import Tokenizer

T = TypeVar("T")
Clock = Callable[[], float]
NO_IDS: IntArray = np.empty(0, np.int64)


class TrustedModel:
    """A local model that a server computes. It scores the remote's tokens, and has no rows over all."""

    def __init__(
        self,
        server: TrustedServer,
        tokenizer: Tokenizer,
        listed: int,
        *,
        owner: Owner | None = None,
        cost: PassCost | None = None,
        salt: str = "",
        clock: Clock = time.perf_counter,
    ) -> None:
        """`listed`: how many candidates the remote lists for a token. `salt` is that of requests without an
        owner; what the server caches is found by requests of the same salt alone."""
        self._server = server
        self._tokenizer = tokenizer
        self._listed = listed
        self._owner = owner
        self._cost = cost or PassCost(base=0.02, per_token=0.001)
        self._salt = salt or secrets.token_hex(16)
        self._clock = clock

    def kept_for(self, owner: Owner | None) -> TrustedModel:
        """The same model, with prompts in the server's prefix cache that only this owner can reuse."""
        return TrustedModel(
            self._server,
            self._tokenizer,
            self._listed,
            owner=owner,
            cost=self._cost,
            salt=self._salt,
            clock=self._clock,
        )

    async def check(self) -> None:
        """Raises TrustedError where the server cannot be used now."""
        await self._server.models()
        await self._server.check(self._tokenizer)

    async def try_out(self) -> None:
        """Have it score a text that is nobody's. Raises TrustedError."""
        await self._server.check(self._tokenizer)
        await self._server.try_out(self._tokenizer)

    async def longest(self, wanted: int) -> int | None:
        """See Elsewhere. It may come up late, and anew with another limit; it is not waited for long."""
        heard = self._server.heard
        if heard is None or (heard.max_model_len or wanted) < wanted:
            with anyio.move_on_after(LEASH_SECONDS), suppress(TrustedError):
                await self._server.check(self._tokenizer)
        return self._server.heard.max_model_len if self._server.heard is not None else None

    @asynccontextmanager
    async def session(self, contrasts: Sequence[Contrast]) -> AsyncIterator[TrustedSession]:
        """A session over the contrasts' prompts. Nothing is sent yet."""
        session = TrustedSession(
            self._server,
            self._tokenizer,
            contrasts,
            listed=self._listed,
            salt=_salted(self._owner, self._salt),
            cost=self._cost,
            clock=self._clock,
        )
        try:
            yield session
        finally:
            await session.aclose()

    async def warm(self, prefix: PrivatePrompt) -> None:
        """Have the server read the shared prefix of later prompts."""
        await self._server.check(self._tokenizer)
        await self._server.read([prefix], _salted(self._owner, self._salt))


class TrustedSession:
    """One reply under all prompts, each read by the server with every beginning of the reply that matters.

    It asks twice for a position: for its likeliest tokens, as soon as the tokens before it are known, and for
    the logprobs of those and of the remote's candidates. Requests that nobody waits for any more run to their
    end: they are short, and their connection stays open.
    """

    ahead = False

    def __init__(
        self,
        server: TrustedServer,
        tokenizer: Tokenizer,
        contrasts: Sequence[Contrast],
        *,
        listed: int,
        salt: str,
        cost: PassCost,
        clock: Clock,
    ) -> None:
        places: dict[tuple[int, ...], int] = {}
        pairs = [
            [places.setdefault(one.ids, len(places)) for one in (contrast.aware, contrast.agnostic)]
            for contrast in contrasts
        ]
        self.pairs: IntArray = np.array(pairs)
        self.cost = cost
        self.prompts = len(places)
        self.prompt_tokens = sum(map(len, places))
        self.found = 0
        self._server = server
        self._tokenizer = tokenizer
        self._prompts = list(places)
        self._listed = listed
        self._salt = salt
        self._clock = clock
        self._path: list[int] = []
        self._tops: dict[int, asyncio.Task[list[IntArray]]] = {}  # by position: of each contrast
        self._tasks: dict[asyncio.Task[Any], anyio.CancelScope] = {}

    async def aclose(self) -> None:
        """End what is under way."""
        for scope in self._tasks.values():
            scope.cancel()  # not task.cancel(): see decoding/draft.py
        if self._tasks:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(self._tasks)

    async def score(self, generated: Sequence[int], first: int, wanted: Wanted) -> list[LocalLogprobs]:
        """Logprobs at the positions from `first` on whose candidates are `wanted`. With none of them the
        server reads the prompts."""
        await self._server.check(self._tokenizer)
        self._follow(generated)
        candidates = wanted.candidates[: len(generated) - first + 1]
        if not candidates:
            await self._read(first, wanted.own)
            return []
        began = self._clock()
        positions = list(range(first, first + len(candidates)))
        tops = await self._likeliest(positions, wanted.own)
        asked = [
            np.unique(np.concatenate((listed, likeliest(top, wanted.own, listed))))
            for listed, top in zip(candidates, tops, strict=True)
        ]
        ids = [one[one < len(self._tokenizer)] for one in asked]
        values = self._soon(self._values(positions, ids))
        following = positions[-1] + 1
        if following <= len(generated) and not self._server.torn:
            self._find([following], wanted.own)
        scored = await _finished(values)
        if following <= len(generated):
            self._find([following], wanted.own)
        self.cost.observe(self.prompts * len(positions), self._clock() - began)
        return [
            TrustedLogprobs(one, rows, self.pairs, top, len(self._tokenizer))
            for one, rows, top in zip(ids, scored, tops, strict=True)
        ]

    def _follow(self, generated: Sequence[int]) -> None:
        """Forget the likeliest tokens of positions behind tokens that are no longer in the reply."""
        shared = common_prefix(self._path, generated)
        self._tops = {position: top for position, top in self._tops.items() if position <= shared}
        self._path = list(generated)

    async def _read(self, position: int, own: int) -> None:
        """Have the server read all prompts, and find the likeliest tokens there."""
        begun = self._prefixes(position)
        aware = set(self.pairs[:, 0].tolist()) if own else set()
        others = [one for place, one in enumerate(begun) if place not in aware]
        reading = self._soon(self._server.read(others, self._salt)) if others else None
        await self._likeliest([position], own)
        if reading is not None:
            await _finished(reading)

    def _prefixes(self, position: int) -> list[PrivatePrompt]:
        """Each prompt with the reply up to a position."""
        reply = tuple(self._path[:position])
        return [PrivatePrompt((*prompt, *reply)) for prompt in self._prompts]

    async def _likeliest(self, positions: Sequence[int], own: int) -> list[list[IntArray]]:
        """Of each position, for each contrast, the likeliest tokens context-aware."""
        self._find([position for position in positions if position not in self._tops], own)
        if not own:
            return [[NO_IDS] * len(self.pairs)] * len(positions)
        return [await _finished(self._tops[position]) for position in positions]

    def _find(self, positions: Sequence[int], own: int) -> None:
        """Ask for the likeliest tokens at these positions, in one request."""
        positions = [position for position in positions if position not in self._tops]
        if not (own and positions):
            return
        # As many as are needed where the remote lists the very likeliest ones.
        count = min(self._listed + 1 + own * len(self.pairs), len(self._tokenizer))
        prompts = [self._prefixes(position)[place] for position in positions for place in self.pairs[:, 0]]
        asking = self._soon(self._server.tops(prompts, self._salt, count))
        size = len(self.pairs)
        for number, position in enumerate(positions):
            self._tops[position] = self._soon(self._part(asking, number * size, size))

    async def _part(self, asking: asyncio.Task[list[IntArray]], first: int, size: int) -> list[IntArray]:
        """Those of one position that are tokens: a model may have logprobs of more ids than its tokenizer."""
        found = (await _finished(asking))[first : first + size]
        return [one[one < len(self._tokenizer)] for one in found]

    async def _values(self, positions: Sequence[int], ids: Sequence[IntArray]) -> list[FloatArray]:
        """Of each position [prompts, K]: the logprobs of its `ids` [K]. Positions share a request as long as
        all their ids have room in it."""
        asking = []
        for places, asked in _requests(ids):
            prompts = [prompt for place in places for prompt in self._prefixes(positions[place])]
            asking.append((places, asked, self._soon(self._server.values(prompts, self._salt, asked))))
        found = [np.zeros((self.prompts, len(one))) for one in ids]
        for places, asked, task in asking:
            values = (await _finished(task)).reshape(len(places), self.prompts, len(asked))
            for place, rows in zip(places, values, strict=True):
                here = np.isin(ids[place], asked)
                found[place][:, here] = rows[:, np.searchsorted(asked, ids[place][here])]
        return found

    def _soon(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that outlives whoever waits for it, and ends with the session at the latest."""
        scope = anyio.CancelScope()

        async def run() -> T:
            with scope:
                return await work
            raise asyncio.CancelledError

        task = asyncio.create_task(run())
        self._tasks[task] = scope
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled() and task.exception() is not None:
            # The next pass asks again.
            self._tops = {place: top for place, top in self._tops.items() if top is not task}


async def _finished(task: asyncio.Task[T]) -> T:
    """The task's result; whoever is cancelled meanwhile leaves it running."""
    await asyncio.wait([task])
    return task.result()


def _requests(ids: Sequence[IntArray]) -> Iterator[tuple[list[int], IntArray]]:
    """Positions and ids, ascending, that one request asks for together; a position with more ids than a
    request has room for is in several."""
    places: list[int] = []
    together = NO_IDS
    for place, own in enumerate(ids):
        for begin in range(0, max(1, len(own)), MOST_IDS):
            part = own[begin : begin + MOST_IDS]
            both = np.union1d(together, part)
            if places and (len(both) > MOST_IDS or place in places):
                yield places, together
                places, both = [], part
            places, together = [*places, place], both
    if places:
        yield places, together


def _salted(owner: Owner | None, salt: str) -> str:
    """What sets an owner's blocks in the server's prefix cache apart: nobody can guess a profile's uid."""
    if owner is None:
        return salt
    return hashlib.sha256(f"{owner.uid}:{owner.version}".encode()).hexdigest()
