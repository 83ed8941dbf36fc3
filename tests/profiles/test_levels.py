"""Levels of disclosure in profiles and their files: read whole, written whole, and each mistake is placed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.api.schemas.history import ItemPatch
from app.api.schemas.profiles import ProfilePatch
from app.errors import InvalidRequest, ProfileFileError
from app.profiles.disclosure import IDENTIFIERS, LEVELS, Disclosure, Level
from app.profiles.document import DocumentIn, ItemIn
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.profile_file import dump_profile, parse_profile
from profiles.test_profile_file import HEAD, mistakes

JOBS = f'{HEAD}[fields]\njob = "Nurse"\n"my town" = "Oslo"\n'
FIELDS = (("job", "Nurse"), ("my town", "Oslo"))
STRICT = Disclosure("shape", (("name", "open"), ("url", "off")), (("my town", "fill"), ("job", "off")), 2.5)
PROFILE = Profile("a", "A", FIELDS, disclosure=STRICT)


def read(source: str) -> ProfileDocument:
    return parse_profile(source.encode(), "me.toml")


@pytest.mark.parametrize(
    "source",
    [
        '[disclosure]\nleast = "shape"\nbudget = 2.5\n[disclosure.identifiers]\nname = "open"\nurl = "off"\n'
        '[disclosure.fields]\n"my town" = "fill"\njob = "off"\n',
        '[disclosure]\nleast = "shape"\nidentifiers = {name = "open", url = "off"}\n'
        'fields = {"my town" = "fill", job = "off"}\nbudget = 2.5\n',
    ],
)
def test_a_file_has_tables(source: str) -> None:
    assert read(f"{JOBS}{source}").profile == PROFILE


def test_an_export_has_all_of_it_and_comes_back_the_same() -> None:
    item = HistoryItem("", "x", disclosure="fill")
    document = ProfileDocument(PROFILE, (item, HistoryItem("", "y")))
    data = dump_profile(document)
    written = json.loads(data)
    assert written["disclosure"] == {
        "least": "shape",
        "identifiers": {"name": "open", "url": "off"},
        "fields": {"my town": "fill", "job": "off"},
        "budget": 2.5,
    }
    assert [one["disclosure"] for one in written["history"]] == ["fill", "open"]
    assert parse_profile(data, "me.json", "json") == document


def test_what_is_left_out_has_the_defaults() -> None:
    assert read(f'{HEAD}[[history]]\ntext = "x"\n') == ProfileDocument(
        Profile("a", "A"), (HistoryItem("", "x"),)
    )
    assert read(f"{HEAD}[disclosure]\n").profile.disclosure == Disclosure()
    assert read(f"{HEAD}[disclosure]\nbudget = 5\n").profile.disclosure == Disclosure(budget=5.0)
    assert Profile("a", "A", FIELDS) != PROFILE


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_taken_wherever_one_is(level: Level) -> None:
    everywhere = {
        "least": level,
        "identifiers": dict.fromkeys(IDENTIFIERS, level),
        "fields": {"job": level},
    }
    given = {"id": "a", "name": "A", "fields": {"job": "x"}, "disclosure": everywhere}
    profile = DocumentIn.model_validate(given).profile()
    assert profile.disclosure == Disclosure(
        level, tuple((one, level) for one in IDENTIFIERS), (("job", level),)
    )
    assert ItemIn.model_validate({"text": "x", "disclosure": level}).item().disclosure == level


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            '[disclosure]\nleast = "shut"',
            "line 7, disclosure.least: found other text; expected open, shape, fill or off: all is at least",
        ),
        (
            "[disclosure]\nleast = 1",
            "line 7, disclosure.least: found a number; expected open, shape, fill or",
        ),
        (
            "[disclosure]\nbudget = -1",
            "line 7, disclosure.budget: found another number; expected a number of",
        ),
        ("[disclosure]\nbudget = nan", "line 7, disclosure.budget: found another number; expected a number"),
        ("[disclosure]\nbudget = inf", "line 7, disclosure.budget: found another number; expected a number"),
        ("[disclosure]\nbudget = '1'", "line 7, disclosure.budget: found text; expected a number of nats, 0"),
        (
            "[disclosure]\nlest = 'off'",
            "line 7, disclosure.lest: unknown key; did you mean least?",
        ),
        (
            "[disclosure]\nfields = 'off'",
            "line 7, disclosure.fields: found text; expected a table of levels by key of the profile's",
        ),
        (
            "[disclosure.fields]\njobb = 'off'",
            "line 7, disclosure.fields.jobb: no field of the profile; it has job, my town",
        ),
        (
            "[disclosure.fields]\njob = 'no'",
            "line 7, disclosure.fields.job: found other text; expected open, shape, fill or off",
        ),
        (
            "[disclosure.identifiers]\nnames = 'off'",
            "line 7, disclosure.identifiers.names: no kind of identifier; there are name, email, phone, "
            "address, number or url",
        ),
        (
            "[disclosure.identifiers]\nname = true",
            "line 7, disclosure.identifiers.name: found true or false; expected open, shape, fill or off",
        ),
        (
            "[[history]]\ntext = 'x'\ndisclosure = 'no'",
            "line 8, history[0].disclosure: found other text; expected open, shape, fill or off",
        ),
        (
            "[disclosure]\nrecord_history = true",
            "line 7, disclosure.record_history: unknown key; known are least, identifiers, fields, budget "
            "(the profile's own record_history has to stand above the first line in brackets)",
        ),
    ],
)
def test_each_mistake_is_placed(source: str, told: str) -> None:
    (only,) = mistakes(f"{JOBS}{source}\n")
    assert only.startswith(told)
    assert told.endswith(")") or "has to stand above" not in only


def test_a_disclosure_that_is_none_is_placed() -> None:
    (only,) = mistakes(f"{HEAD}disclosure = 'off'\n")
    assert only.startswith("line 3, disclosure: found text; expected a table of what replies may tell")


def test_mistakes_in_json_are_placed_too() -> None:
    given = {"id": "a", "name": "A", "disclosure": {"fields": {"job": "off", "town": "fill"}}}
    told = "\n  disclosure.fields.{}: no field of the profile; it has none"
    with pytest.raises(ProfileFileError, match="2 mistakes") as caught:
        parse_profile(json.dumps(given).encode(), "me.json", "json")
    assert str(caught.value).endswith(told.format("job") + told.format("town"))
    null = {"id": "a", "name": "A", "disclosure": {"budget": None, "least": None}}
    with pytest.raises(ProfileFileError, match=r"1 mistake:\n  disclosure.least: found null; expected open"):
        parse_profile(json.dumps(null).encode(), "me.json", "json")


def test_of_many_fields_a_mistake_names_some() -> None:
    many = "\n".join(f"f{number} = 'x'" for number in range(12))
    (only,) = mistakes(f"{HEAD}[fields]\n{many}\n[disclosure.fields]\n'{'g' * 200}' = 'off'\n")
    assert only.endswith("it has f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2 more")
    assert "g" * 101 not in only


def test_fields_that_are_wrong_themselves_are_the_only_mistake() -> None:
    (only,) = mistakes(f"{HEAD}fields = 5\n[disclosure.fields]\njob = 'off'\n")
    assert only.startswith("line 3, fields: found a number")


# Patches


def patched(**given: Any) -> Disclosure:
    return ProfilePatch.model_validate(given).applied(PROFILE).disclosure


def test_a_patch_replaces_the_whole_and_null_removes_it() -> None:
    assert patched(name="B") == STRICT
    assert patched(disclosure={"fields": {"job": "fill"}}) == Disclosure(fields=(("job", "fill"),))
    assert patched(disclosure={}) == patched(disclosure=None) == Disclosure()


def test_a_field_takes_its_level_along_when_it_goes() -> None:
    left = Disclosure(STRICT.least, STRICT.identifiers, (("my town", "fill"),), STRICT.budget)
    assert patched(fields={"job": None, "hobby": "Chess"}) == left
    assert patched(fields={"job": "Pilot"}) == STRICT


def test_a_patch_names_fields_as_they_are_after_it() -> None:
    added = patched(fields={"hobby": "Chess"}, disclosure={"fields": {"hobby": "off"}})
    assert added == Disclosure(fields=(("hobby", "off"),))
    with pytest.raises(InvalidRequest) as caught:
        patched(fields={"job": None}, disclosure={"fields": {"job": "off"}})
    assert caught.value.message == "disclosure.fields.job is no field of the profile; it has my town."
    assert caught.value.param == "disclosure.fields.job"


def test_a_patch_of_an_item_changes_its_level_alone() -> None:
    item = HistoryItem("T", "text", "turn", "s", request="Soup?", disclosure="off")
    assert ItemPatch.model_validate({"title": ""}).applied(item).disclosure == "off"
    opened = ItemPatch.model_validate({"disclosure": "open"}).applied(item)
    assert opened == HistoryItem("T", "text", "turn", "s", request="Soup?")
