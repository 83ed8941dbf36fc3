"""Times as exports write them, in UTC; None for what is no time, or is before computers or far ahead."""

from __future__ import annotations

from datetime import UTC, datetime

FIRST, LAST = 1980, 2100
# The same as seconds since 1970. From here on a number is milliseconds.
LAST_SECOND = 4_102_444_800
LONGEST = 64


def of_epoch(value: object) -> datetime | None:
    """Of seconds or milliseconds since 1970, as a number or as digits."""
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 16 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if LAST_SECOND < value < LAST_SECOND * 1000:
        value /= 1000
    if not 0 < value <= LAST_SECOND:  # neither is NaN
        return None
    return _possible(datetime.fromtimestamp(value, UTC))


def of_iso(value: object) -> datetime | None:
    """Of ISO 8601; without a zone it is this machine's time."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return _possible(found.astimezone(UTC)) if found.tzinfo else local(found)
    except (ValueError, OverflowError):
        return None


def local(naive: datetime) -> datetime | None:
    """Of a time on this machine's clock: chats on a phone are in its owner's zone, which they do not name."""
    if _possible(naive) is None:
        return None
    try:
        return naive.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _possible(time: datetime) -> datetime | None:
    return time if FIRST <= time.year <= LAST else None
