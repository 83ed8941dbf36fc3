"""Times of exports: in UTC, or None for what is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sources.exports.times import of_epoch, of_iso

MOMENT = datetime(2024, 1, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("value", [1706693400, 1706693400.0, 1706693400000, "1706693400"])
def test_seconds_and_milliseconds(value: object) -> None:
    assert of_epoch(value) == MOMENT


@pytest.mark.parametrize(
    "value", ["2024-01-31T09:30:00Z", "2024-01-31T10:30:00+01:00", " 2024-01-31 09:30:00.000000+00:00"]
)
def test_iso(value: object) -> None:
    assert of_iso(value) == MOMENT


def test_without_a_zone_it_is_this_machines_clock() -> None:
    assert of_iso("2024-01-31T09:30:00") == datetime(2024, 1, 31, 9, 30).astimezone(UTC)


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes().map(str)
    | st.lists(st.none())
)
def test_whatever_it_is_it_is_in_utc_or_none(value: object) -> None:
    for found in (of_epoch(value), of_iso(value)):
        assert found is None or (found.tzinfo is UTC and 1980 <= found.year <= 2100)
