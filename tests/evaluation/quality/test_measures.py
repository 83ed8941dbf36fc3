"""Measures of a reply, by figures that can be counted by hand."""

import pytest

from app.evaluation.quality.measures import meteor, repetition, rouge_l


def test_the_same_text_is_as_like_as_can_be_and_another_not_at_all() -> None:
    text = "The boat leaves at seven, and waits for nobody."
    assert rouge_l(text, text) == 1.0
    assert meteor(text, text) > 0.99
    assert rouge_l("Entirely different words", text) == meteor("Entirely different words", text) == 0.0


def test_rouge_l_counts_the_longest_common_subsequence() -> None:
    # Three of four words in both, in order: precision and recall are 3/4.
    assert rouge_l("we sail before noon", "we sail after noon") == pytest.approx(0.75)
    assert rouge_l("noon sail we", "we sail noon") == pytest.approx(1 / 3)


def test_both_count_words_of_one_stem() -> None:
    assert rouge_l("boats sailing", "boat sails") == 1.0
    assert meteor("boats sailing", "boat sails") > 0.9


def test_meteor_wants_words_together() -> None:
    together, apart = "we sail at noon", "at noon we sail"
    assert meteor(together, together) > meteor(apart, together) > 0.5


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("one two three four five", 0.0),
        ("a b c d a b c d", 1 / 5),  # of five runs of four words, one came before
        ("no no no no no no no", 3 / 4),
        ("No, no; no: no!", 0.0),
        ("too short", None),
        ("", None),
    ],
)
def test_repetition_is_the_share_of_runs_that_came_before(text: str, share: float | None) -> None:
    found = repetition(text)
    assert found == (None if share is None else pytest.approx(share))
