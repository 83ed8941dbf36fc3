"""Garbage is not collected during a start, and is afterwards, however the start ends."""

from __future__ import annotations

import gc

import pytest

from app.cli.collection import uncollected


def test_none_is_collected_within_and_it_is_collected_again_afterwards() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_start_that_fails_leaves_it_as_it_was() -> None:
    with pytest.raises(ValueError, match="no start"), uncollected():
        raise ValueError("no start")
    assert gc.isenabled()
