"""A text's normal form is Unicode's, and marks without end take no time without end."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.composing import composed
from app.profiles.terms import MAX_TERMS, terms

any_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(any_text)
def test_a_text_without_long_runs_is_as_unicode_composes_it(text: str) -> None:
    assert composed(text, "NFKC") == unicodedata.normalize("NFKC", text)
    assert composed(text, "NFC") == unicodedata.normalize("NFC", text)


def test_words_around_a_long_run_are_composed() -> None:
    rule = "-" * 200
    assert composed(f"e\u0301 {rule}ﬁne e\u0301", "NFKC") == f"é {rule}fine é"


@pytest.mark.parametrize("marks", ["\u0315\u0300", "\u0345\uff9e\u0327", "\u0300\u0f39"])
def test_a_million_marks_come_to_an_end(marks: str) -> None:
    # Sorted as one run they would take hours.
    text = "a" + marks * (1_000_000 // len(marks))
    length, count = len(composed(text, "NFKC")), len(terms(text))
    assert length >= 900_000
    assert count <= MAX_TERMS
