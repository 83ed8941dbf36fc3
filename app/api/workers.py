"""The numbers of all workers of a server: each publishes its own, and any of them tells those of all."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, fields
from typing import Any, Protocol

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.api.activity import MINUTES, SECONDS, TIMED, Minute, together
from app.api.metrics import Metrics
from app.errors import StoreError

# Seconds between two publications: so old may the numbers of other workers be.
PERIOD_SECONDS = 1.0
METRICS, ACTIVITY = b"metrics ", b"activity "


class Board(Protocol):
    """Where all workers publish; see StoredShelf."""

    def keep(self, key: bytes, value: bytes, owner: str) -> None: ...
    def values(self, beginning: bytes) -> list[bytes]: ...
    def check(self) -> None: ...


class Workers:
    """The numbers of this worker, by its `number` from 1, and those of the others; without a `board` it is
    the only one."""

    def __init__(
        self, metrics: Metrics, board: Board | None, number: int, wall: Callable[[], float] = time.time
    ) -> None:
        self._metrics, self._board, self._number, self._wall = metrics, board, str(number), wall
        # A process that takes the place of another has the same number, and minutes of its own.
        self._process = uuid.uuid4().hex

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format, with a label for the worker if there are several. Raises
        StoreError."""
        if self._board is None:
            return self._metrics.text()
        published = map(orjson.loads, await asyncio.to_thread(self._board.values, METRICS))
        others = {one["worker"]: [_metric(*given) for given in one["metrics"]] for one in published}
        return _exposition({**others, self._number: self._metrics.collect()})

    async def minutes(self) -> list[tuple[int, Minute]]:
        """The last hour's minutes, the oldest first, each with when it began, in Unix seconds. Raises
        StoreError."""
        own = self._metrics.activity.minutes()
        if self._board is None:
            return own
        published = map(orjson.loads, await asyncio.to_thread(self._board.values, ACTIVITY))
        since = self._wall() - MINUTES * SECONDS
        of: dict[int, list[Minute]] = {}
        for one in published:
            if one["process"] != self._process and one["at"] > since:
                of.setdefault(one["at"], []).append(_minute(one["minute"]))
        for at, minute in own:
            of.setdefault(at, []).append(minute)
        return [(at, together(of[at])) for at in sorted(of)][-MINUTES:]

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[None]:
        """Publishes within this block."""
        if self._board is None:
            yield
            return
        task = asyncio.create_task(self._publish(self._board))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _publish(self, board: Board) -> None:
        before: dict[bytes, bytes] = {}
        while True:
            now = self._numbers()
            with suppress(StoreError):  # requests that need the file report it; here it is tried again
                for key, value in now.items():
                    if before.get(key) != value:
                        await asyncio.to_thread(board.keep, key, value, "")
                        before[key] = value
            before = {key: value for key, value in before.items() if key in now}
            await asyncio.sleep(PERIOD_SECONDS)

    def _numbers(self) -> dict[bytes, bytes]:
        """What is to be published, by its key: the metrics, the current minute and the one before."""
        told = [(one.name, one.documentation, one.type, _samples(one)) for one in self._metrics.collect()]
        metrics = {"worker": self._number, "metrics": told}
        numbers = {METRICS + self._number.encode(): orjson.dumps(metrics)}
        for at, minute in self._metrics.activity.minutes()[-2:]:
            key = ACTIVITY + f"{self._process} {at}".encode()
            given = {**asdict(minute), "first_tokens": [*minute.first_tokens]}
            numbers[key] = orjson.dumps({"process": self._process, "at": at, "minute": given})
        return numbers


class _Collected(Collector):
    """Metrics that were collected already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _exposition(by_worker: Mapping[str, Iterable[Metric]]) -> bytes:
    """Metrics of all workers, each sample with the label `worker`."""
    merged: dict[str, Metric] = {}
    for worker, metrics in sorted(by_worker.items()):
        for one in metrics:
            of = merged.setdefault(one.name, Metric(one.name, one.documentation, one.type))
            for name, labels, value in _samples(one):
                of.add_sample(name, {**labels, "worker": worker}, value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(merged.values()))
    return generate_latest(registry)


def _samples(metric: Metric) -> list[tuple[str, dict[str, str], float]]:
    return [(one.name, dict(one.labels), float(one.value)) for one in metric.samples]


def _metric(name: str, documentation: str, kind: str, samples: list[Any]) -> Metric:
    metric = Metric(name, documentation, kind)
    for sample in samples:
        metric.add_sample(*sample)
    return metric


def _minute(given: Mapping[str, Any]) -> Minute:
    minute = Minute(**{one.name: given[one.name] for one in fields(Minute) if one.name != "first_tokens"})
    minute.first_tokens.extend(given["first_tokens"][-TIMED:])
    return minute
