"""What sentences may say for a field, and what no text can make of a candidate."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.profiles.profile import HistoryItem, StoredItem
from app.proposals.candidates import LONGEST, Candidate, candidates
from app.proposals.fields import FIELDS, contacts
from app.proposals.sentences import LONGEST as SENTENCE
from app.proposals.sentences import clean, own_text, sentences

CUES = (
    "I am a ",
    "I work as a ",
    "As a ",
    "I live in ",
    "My dog ",
    "I speak ",
    "my sister ",
    "I love ",
    "I'm 4",
)


def found(text: str) -> list[Candidate]:
    return list(candidates(sentences([(7, clean(text))])))


@pytest.mark.parametrize(
    ("text", "key", "longest"),
    [
        ("I work as a night nurse in Bergen.", "occupation", "night nurse in Bergen"),
        ("As a retired principal, I know that.", "occupation", "retired principal"),
        ("I'm a plumber.", "occupation", "plumber"),
        ("I\u2019m a plumber.", "occupation", "plumber"),
        ("We moved to Santa Fe last year.", "location", "Santa Fe last year"),
        ("I grew up in Lund.", "home_town", "Lund"),
        ("I work for the Northern Railway.", "employer", "Northern Railway"),
        ("My daughter Ruth was here.", "family", "daughter Ruth"),
        ("I met my wife and I was glad.", "family", "wife"),
        ("My old dog, Toby, barked.", "pets", "dog, Toby"),
        ("We have two cats.", "pets", "cats"),
        ("I speak Portuguese.", "languages", "Portuguese"),
        ("I turned 47 in May.", "age", "47 in May"),
        ("I enjoy baking bread.", "interests", "baking bread"),
        ("I'm allergic to nuts.", "diet", "allergic to nuts"),
        ("I studied marine biology at the university.", "education", "marine biology at the university"),
        ("I'm planning to walk the coast path.", "plans", "walk the coast path"),
        ("I volunteer at the animal shelter.", "volunteering", "animal shelter"),
    ],
)
def test_a_sentence_in_the_first_person_is_a_candidate(text: str, key: str, longest: str) -> None:
    (one,) = [one for one in found(text) if one.field.key == key]
    assert one.values()[-1] == longest
    assert one.sentence.item_id == 7


@pytest.mark.parametrize(
    "text",
    [
        "She works as a nurse.",
        "> I work as a nurse.",
        'He said: "I work as a nurse and I live in Oslo."',
        "I am a little tired.",
        "As a vessel of hope, I stand here.",
        "As an ardent supporter of the club, I came.",
        "I live in hope.",
        "I love it.",
        "I love how the light falls.",
        "My cat's mood changes.",
        "I am a",
        "I'm 40 minutes late.",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert found(text) == []


def test_a_wrapped_line_is_one_sentence_and_a_list_is_many() -> None:
    wrapped = "I have been thinking about this for a rather long while, since I\nwork as a nurse."
    assert [one.field.key for one in found(f"{wrapped}\n- I live in Oslo\n")] == ["occupation", "location"]


def test_of_an_exchange_the_question_alone_is_the_person_s() -> None:
    item = HistoryItem("", "I work as a model.", "turn", request="I live in Oslo, what now?")
    assert own_text(StoredItem(1, item)) == "I live in Oslo, what now?"


def test_every_field_has_cues_that_match_lower_and_upper_case_beginnings() -> None:
    assert len({one.key for one in FIELDS}) == len(FIELDS)
    assert all(one.cues and one.search and one.question.endswith("?") for one in FIELDS)


def test_a_number_is_a_contact_where_a_sentence_calls_it_mine() -> None:
    said = "Call me on +47 22 12 34 56, or write to me at anna@example.org."
    assert [(key, said[one.start : one.end]) for key, one in contacts(said)] == [
        ("phone", "+47 22 12 34 56"),
        ("email", "anna@example.org"),
    ]
    assert contacts("The school is at +47 22 12 34 56.") == []


texts = st.lists(
    st.one_of(st.sampled_from(CUES), st.text(max_size=30), st.sampled_from(["\n", ". ", "Oslo ", "\x1b[2J"])),
    max_size=20,
).map("".join)


@given(texts)
def test_a_value_is_words_of_its_sentence_whatever_the_text_is(text: str) -> None:
    for one in found(text):
        assert len(one.sentence.text) <= SENTENCE
        assert not any(unicodedata.category(c)[0] == "C" for c in one.sentence.text)
        for value in one.values():
            assert value in one.sentence.text
            assert value == value.strip()
            assert 0 < len(value) <= LONGEST
            assert one.field.form is not None or len(value.split()) <= one.field.longest


@pytest.mark.parametrize("filling", ["I am a ", "a", "my ", "(", "\u202e", "As a very ", "\n", "' - "])
def test_a_text_of_a_million_characters_is_read_to_its_bound(filling: str) -> None:
    item = StoredItem(1, HistoryItem("", (filling * 1_000_000)[:1_000_000]))
    own = own_text(item)
    assert len(own) <= 20_000
    for one in candidates(sentences([(1, own)])):
        assert all(len(value) <= LONGEST for value in one.values())
