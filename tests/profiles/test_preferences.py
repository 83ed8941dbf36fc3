"""Preferences in profiles and their files: both shapes are taken, one is written, each mistake is placed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.api.schemas.profiles import ProfilePatch
from app.profiles.document import DocumentIn
from app.profiles.preferences import MAX_LENGTH, MAX_PREFERENCES
from app.profiles.profile import Preference, Profile, ProfileDocument
from app.profiles.profile_file import dump_profile, parse_profile
from profiles.test_profile_file import HEAD, mistakes

TWO = (Preference("Answer briefly."), Preference("Use plain words.", "Use technical terms."))


@pytest.mark.parametrize(
    "source",
    [
        'preferences = ["Answer briefly.", {text = "Use plain words.", opposite = "Use technical terms."}]',
        '[[preferences]]\ntext = "Answer briefly."\nopposite = ""\n'
        '[[preferences]]\ntext = "Use plain words."\nopposite = "Use technical terms."',
    ],
)
def test_a_file_has_texts_or_tables(source: str) -> None:
    profile = parse_profile(f"{HEAD}{source}\n".encode(), "me.toml").profile
    assert profile == Profile("a", "A", preferences=TWO)


def test_an_export_has_objects_and_comes_back_the_same() -> None:
    document = ProfileDocument(Profile("a", "A", preferences=TWO))
    data = dump_profile(document)
    assert json.loads(data)["preferences"] == [
        {"text": "Answer briefly.", "opposite": ""},
        {"text": "Use plain words.", "opposite": "Use technical terms."},
    ]
    assert parse_profile(data, "me.json", "json") == document


def test_a_file_of_before_has_none() -> None:
    assert parse_profile(HEAD.encode(), "me.toml").profile.preferences == ()


def test_the_longest_and_the_most_are_taken() -> None:
    texts = [f"{number:02}{'é' * (MAX_LENGTH - 2)}" for number in range(MAX_PREFERENCES)]
    given = [{"text": text, "opposite": text[::-1]} for text in texts]
    document = DocumentIn.model_validate({"id": "a", "name": "A", "preferences": given}).document()
    assert document.profile.preferences == tuple(Preference(text, text[::-1]) for text in texts)


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ('preferences = "x"', "line 3, preferences: found text; expected a list of at most 20"),
        ("preferences = {}", "line 3, preferences: found a table; expected a list"),
        ("preferences = [\n'a',\n5]", "line 3, preferences[1]: found a number; expected a text, or a table"),
        ("preferences = [' ']", "line 3, preferences[0].text: found nothing but blanks; expected text of 1"),
        ("[[preferences]]\nopposite = 'x'", "line 3, preferences[0].text: missing; expected text of 1 to"),
        (
            f"[[preferences]]\ntext = 'a'\nopposite = '{'x' * 1001}'",
            "line 5, preferences[0].opposite: found 1001 characters; expected text of at most 1,000",
        ),
        ("[[preferences]]\ntext = 'a'\nopposite = ' '", "line 5, preferences[0].opposite: found nothing"),
        (
            "[[preferences]]\ntext = 'a'\nopposite = ' a'",
            "line 3, preferences[0]: found an opposite that is the",
        ),
        (
            "[[preferences]]\ntext = 'a'\noposite = 'b'",
            "line 5, preferences[0].oposite: unknown key; did you mean opposite?",
        ),
        (
            "[[preferences]]\ntext = 'a'\nstrength = 1",
            "line 5, preferences[0].strength: unknown key; known are text, opposite (the profile's own",
        ),
        (f"preferences = {[str(n) for n in range(21)]}", "line 3, preferences: found 21; expected a list"),
        (
            "[[preferences]]\ntext = 'a'\n[[preferences]]\ntext = 'b'\n[[preferences]]\ntext = 'a'",
            "line 7, preferences[2]: found the text of [0] again; expected each text once",
        ),
        (
            "[fields]\na = 'b'\npreferences = ['x']",
            "line 5, fields.preferences: found a list; expected a key of at most 100 characters and text of "
            "at most 10,000, neither of them blank (the profile's own preferences has to stand above",
        ),
    ],
)
def test_each_mistake_is_placed(source: str, start: str) -> None:
    (only,) = mistakes(f"{HEAD}{source}\n")
    assert only.startswith(start)


def test_mistakes_in_json_are_placed_too() -> None:
    source = json.dumps({"id": "a", "name": "A", "preferences": [[], {"text": None}]})
    with pytest.raises(Exception, match="2 mistakes") as caught:
        parse_profile(source.encode(), "me.json", "json")
    told = str(caught.value).splitlines()[1:]
    assert (
        told[0]
        == "  preferences[0]: found a list; expected a text, or a table with a text and perhaps its opposite"
    )
    assert told[1].startswith("  preferences[1].text: found null; expected text")


def test_a_patch_replaces_them_all_and_null_removes_them() -> None:
    profile = Profile("a", "A", (("b", "c"),), preferences=TWO)
    assert ProfilePatch.model_validate({"name": "B"}).applied(profile).preferences == TWO
    changed = ProfilePatch.model_validate({"preferences": ["New."]}).applied(profile)
    assert (changed.preferences, changed.fields) == ((Preference("New."),), profile.fields)
    removing: tuple[Any, ...] = (None, [])
    for none in removing:
        assert ProfilePatch.model_validate({"preferences": none}).applied(profile).preferences == ()


def test_no_text_stands_twice_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="once only"):
        Profile("a", "A", preferences=(Preference("x"), Preference("x", "y")))
    assert "briefly" not in repr((TWO, Profile("a", "A", preferences=TWO)))
