"""Work on threads: what it gives and what it raises."""

from __future__ import annotations

import pytest

from app.errors import StoreError
from app.threads import in_thread


async def test_what_a_thread_returns_or_raises_is_handed_on() -> None:
    def raises() -> None:
        raise StoreError("no")

    assert await in_thread(lambda: 7) == 7
    with pytest.raises(StoreError):
        await in_thread(raises)
