"""The numbers of several workers: whichever is asked tells those of all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.api.workers
from app.api.activity import Activity
from app.api.metrics import Metrics
from app.api.workers import Workers
from app.decoding.stats import Stats
from app.profiles.store.shelves import StoredShelves

NOON = 1_800_000_000  # a full minute, in Unix seconds


class Team:
    """Workers that publish on one board. `now`: seconds since noon."""

    def __init__(self, shelves: StoredShelves) -> None:
        self.now = 0.0
        self._shelves = shelves

    def joined(self, number: int) -> tuple[Metrics, Workers]:
        metrics = Metrics(Activity(lambda: self.now, lambda: NOON + self.now))
        return metrics, Workers(metrics, self._shelves.board, number, lambda: NOON + self.now)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.setattr(app.api.workers, "PERIOD_SECONDS", 0.01)
    with StoredShelves.open(tmp_path) as shelves:
        yield Team(shelves)


def replied(metrics: Metrics, tokens: int) -> None:
    stats = Stats()
    stats.tokens = tokens
    metrics.replied(stats, 0.5, 1.0, steered=True)


async def told(workers: Workers, line: str) -> None:
    """Waits until the worker tells this line among its metrics."""
    async with asyncio.timeout(20):
        while line not in (await workers.text()).decode().splitlines():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_any_worker_tells_the_metrics_of_all(team: Team) -> None:
    (first, one), (second, two) = team.joined(1), team.joined(2)
    async with one.publishing(), two.publishing():
        replied(first, 3)
        replied(second, 4)
        for workers in (one, two):
            await told(workers, 'costeer_tokens_total{steered="true",worker="1"} 3.0')
            await told(workers, 'costeer_tokens_total{steered="true",worker="2"} 4.0')
            text = (await workers.text()).decode()
            assert text.count("# TYPE costeer_tokens_total counter") == 1
        first.answered("/v1/models", "GET", 200)
        line = 'costeer_requests_total{method="GET",route="/v1/models",status="200",worker="1"} 1.0'
        await told(two, line)


async def test_one_in_the_place_of_another_counts_anew_and_the_minutes_of_both_stay(team: Team) -> None:
    first, one = team.joined(1)
    _, two = team.joined(2)
    async with one.publishing():
        replied(first, 3)
        await told(two, 'costeer_tokens_total{steered="true",worker="1"} 3.0')
    again, other = team.joined(1)
    async with other.publishing():
        team.now += 60
        replied(again, 5)
        await told(two, 'costeer_tokens_total{steered="true",worker="1"} 5.0')
        for workers in (two, other):
            minutes = dict(await workers.minutes())
            assert [(at - NOON, one.tokens) for at, one in minutes.items()] == [(0, 3), (60, 5)]
            assert minutes[NOON].first_token == 0.5
        team.now += 3600
        assert [one.tokens for _, one in await two.minutes() if one.tokens] == []


async def test_the_only_worker_has_no_label_and_no_board() -> None:
    metrics = Metrics()
    workers = Workers(metrics, None, 1)
    async with workers.publishing():
        replied(metrics, 3)
        assert b'costeer_tokens_total{steered="true"} 3.0' in await workers.text()
        assert (await workers.minutes())[-1][1].tokens == 3
