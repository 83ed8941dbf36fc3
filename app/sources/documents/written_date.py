"""Reads a date as people and programs write it into a file: ISO 8601, with or without a time and a zone."""

from __future__ import annotations

import re
from datetime import datetime

ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:(?:T|[ ]{1,2})(\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?[ ]?(Z|[+-]\d\d:?\d\d)?)?(?!\d)"
)


def written_date(text: str) -> datetime | None:
    """The date that the text begins with, without a zone where it has none; None if that is no date."""
    found = ISO.match(text)
    if found is None:
        return None
    zone = (found[3] or "").replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{zone}")
    except ValueError:
        return None
