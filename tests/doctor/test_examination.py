"""Checks run in order, each bounded, and whatever one of them does the others are looked at."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.doctor.check import Check, State, Verdict, failed, ok, warning
from app.doctor.examination import examine
from app.errors import StoreError
from app.threads import in_thread
from doctor.verdicts import findings


async def fine() -> Verdict:
    return ok("fine")


async def wrong() -> Verdict:
    return failed("wrong", "mend it")


async def test_each_check_gives_its_verdict_under_its_name_and_in_order() -> None:
    begun: list[str] = []
    checks = [Check("a", fine), Check("b", wrong)]
    found = [(one.name, one.state, one.seen, one.mend) async for one in examine(checks, begun.append)]
    assert found == [("a", "ok", "fine", ""), ("b", "failed", "wrong", "mend it")]
    assert begun == ["a", "b"]


async def test_what_needs_a_failed_check_is_skipped_and_so_is_what_needs_that() -> None:
    async def never() -> Verdict:
        raise AssertionError("was run")

    found = await findings(
        [Check("a", wrong), Check("b", never, ("a",)), Check("c", never, ("b",)), Check("d", fine)]
    )
    assert [one.state for one in found.values()] == ["failed", "skipped", "skipped", "ok"]
    assert "a is not in order" in found["b"].seen


async def test_a_warning_keeps_nothing_from_being_looked_at() -> None:
    async def odd() -> Verdict:
        return warning("odd", "mend it")

    found = await findings([Check("a", odd), Check("b", fine, ("a",))])
    assert found["b"].state is State.OK


async def test_an_error_of_the_product_is_what_was_seen() -> None:
    async def refused() -> Verdict:
        raise StoreError("it is locked; close it")

    assert (await findings([Check("a", refused)]))["a"].seen == "it is locked; close it"


@pytest.mark.parametrize("error", [ValueError("sk-secret"), TimeoutError("sk-secret"), KeyError("sk-secret")])
async def test_an_unexpected_error_is_a_finding_that_quotes_nothing(error: Exception) -> None:
    async def broken() -> Verdict:
        raise error

    found = (await findings([Check("a", broken), Check("b", fine)]))["a"]
    assert found.state is State.FAILED
    assert type(error).__name__ in found.seen
    assert "test_examination.py" in found.seen
    assert "sk-secret" not in found.seen + found.mend


async def test_a_check_that_hangs_fails_when_its_time_is_up_in_a_thread_or_not() -> None:
    release = threading.Event()

    async def hangs() -> Verdict:
        await asyncio.Event().wait()
        raise AssertionError

    async def blocks() -> Verdict:
        await in_thread(release.wait)
        raise AssertionError

    try:
        found = await findings([Check("a", hangs, seconds=0.01), Check("b", blocks, seconds=0.01)])
    finally:
        release.set()
    assert [one.state for one in found.values()] == ["failed", "failed"]
    assert "longer than 0.01 s" in found["b"].seen
