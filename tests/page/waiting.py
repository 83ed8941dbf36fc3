"""Requests that are on their way for as long as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route


@contextmanager
def kept_waiting(page: Page, url: str) -> Iterator[None]:
    """What the page asks of `url`, a glob, reaches the server when the block ends."""
    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    page.route(url, keep)
    yield
    for route in waiting:
        route.continue_()
    page.unroute(url)
