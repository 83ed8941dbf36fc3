"""A text becomes an item within the bounds that items have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.document import MAX_TITLE, ItemIn, item_fields
from app.profiles.profile import MAX_TEXT, HistoryItem
from app.sources.documents.document import NO_TEXT, TOO_LONG, document
from app.sources.documents.written_date import written_date
from app.sources.found import Found


def made(text: str, path: Path = Path("notes/A day.txt"), title: str | None = None) -> HistoryItem:
    found = document(path, text, title=title)
    assert isinstance(found, Found)
    return found.item


def test_the_file_s_name_is_the_title_and_its_path_the_source() -> None:
    assert made(" Went out.\r\n") == HistoryItem("A day", "Went out.", source="notes/A day.txt")
    assert made("x", title="Given\n  so").title == "Given so"
    assert made("x", title="").title == ""


def test_control_characters_and_wide_gaps_are_no_part_of_a_text() -> None:
    assert made("a\0b\x1bc\n\n\n \n\nd\fe\ud800").text == "abc\n\nd\ne\N{REPLACEMENT CHARACTER}"


def test_a_text_that_is_empty_or_too_long_is_left_out() -> None:
    assert document(Path("a"), " \n\0\t ") == NO_TEXT
    assert document(Path("a"), "x" * (MAX_TEXT + 1)) == TOO_LONG
    assert len(made("x" * MAX_TEXT).text) == MAX_TEXT


@pytest.mark.parametrize(
    ("moment", "stored"),
    [
        (datetime(2024, 3, 5, 10), datetime(2024, 3, 5, 10, tzinfo=UTC)),
        (
            datetime(2024, 3, 5, 10, tzinfo=timezone(timedelta(hours=2))),
            datetime(2024, 3, 5, 8, tzinfo=UTC),
        ),
        (datetime(1601, 1, 1), None),
        (datetime(9999, 12, 31, tzinfo=UTC), None),
        (None, None),
    ],
)
def test_times_are_in_utc_and_those_of_no_clock_are_none(
    moment: datetime | None, stored: datetime | None
) -> None:
    found = document(Path("a"), "x", created_at=moment)
    assert isinstance(found, Found)
    assert found.item.created_at == stored


@given(st.text(), st.text(), st.text(min_size=1))
def test_whatever_is_found_is_an_item_that_a_history_takes(text: str, title: str, name: str) -> None:
    path = Path(name.replace("\0", "").encode(errors="replace").decode() or "a")
    found = document(path, text, title=title)
    if isinstance(found, Found):
        assert len(found.item.title) <= MAX_TITLE
        assert ItemIn.model_validate(item_fields(found.item)).item() == found.item


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024-03-05", datetime(2024, 3, 5)),
        ("2024-03-05 10:30", datetime(2024, 3, 5, 10, 30)),
        ("2024-03-05T10:30:15.123Z", datetime(2024, 3, 5, 10, 30, 15, tzinfo=UTC)),
        ("2024-03-05 10:30:15 +0100 # x", datetime(2024, 3, 5, 9, 30, 15, tzinfo=UTC)),
        ("2024-13-05", None),
        ("2024-03-051", None),
        ("yesterday", None),
    ],
)
def test_dates_are_read_as_they_are_written(text: str, date: datetime | None) -> None:
    assert written_date(text) == date
