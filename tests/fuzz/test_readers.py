"""No input of a user makes a reader fail in a way that has no name; run.py beside this tries many more."""

from __future__ import annotations

import pytest

from fuzz.inputs import VALID, inputs, repeated
from fuzz.readers import READERS, run

SMALL = 2_000
# Readers of one object or list, whose inputs are made from lines of them.
NOT_VALID = {"an item", "history.json", "upload of JSON"}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_input_is_taken_or_refused_by_name(name: str) -> None:
    reader = READERS[name]
    taken = [run(reader, data) for data in inputs(reader.kind, 150, seed=7)]
    assert not all(taken) or name in {"a form"}


@pytest.mark.parametrize("name", READERS)
def test_one_piece_many_times_is_taken_or_refused_by_name(name: str) -> None:
    reader = READERS[name]
    for data in repeated(reader.kind, SMALL):
        run(reader, data)


@pytest.mark.parametrize("name", sorted({*READERS} - NOT_VALID))
def test_what_the_damage_is_done_to_is_taken(name: str) -> None:
    reader = READERS[name]
    assert run(reader, VALID[reader.kind].encode())
