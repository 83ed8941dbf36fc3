"""Profiles and history on the wire: what is taken, what a patch changes, and that an export comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.api.schemas.base import Listing
from app.api.schemas.history import FoundItem, ItemPatch, PageQuery
from app.api.schemas.profiles import ProfilePatch
from app.errors import InvalidRequest
from app.profiles.document import MAX_FIELDS, DocumentIn, ItemIn, ProfileIn, exported
from app.profiles.profile import (
    MAX_QUESTION,
    MAX_REQUEST,
    MAX_TEXT,
    HistoryItem,
    Hit,
    Preference,
    Profile,
    ProfileDocument,
    StoredItem,
)
from app.profiles.profile_file import dump_profile, parse_profile
from app.steering.strength import AUTO
from profiles.disclosed import ANY_LEVEL, disclosed

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PROFILE = Profile("isabel", "Isabel", (("b", "1"), ("a", "2")), strength=0.7)
SURROGATES: Any = ("Cs",)
STORABLE = st.text(st.characters(exclude_categories=SURROGATES, exclude_characters="\0"), max_size=30)
FILLED = STORABLE.filter(lambda text: bool(text.strip()))
TIMES = st.datetimes(timezones=st.just(UTC))
# A reply may look like an exchange itself.
TEXTS = FILLED | st.just("User: a\n\nAssistant: b")
KINDS = st.sampled_from(["document", "turn"])
ITEMS = st.builds(HistoryItem, STORABLE, TEXTS, KINDS, STORABLE, TIMES, STORABLE, ANY_LEVEL)
PEOPLE = st.builds(
    Profile,
    st.from_regex("[a-z0-9_-]{1,64}", fullmatch=True),
    FILLED,
    st.dictionaries(FILLED, FILLED, max_size=5).map(lambda fields: tuple(fields.items())),
    st.booleans(),
    st.none() | st.floats(0, 4) | st.just(AUTO),
    st.booleans(),
    st.lists(
        st.builds(Preference, FILLED, st.just("") | FILLED), max_size=3, unique_by=lambda one: one.text
    ).map(tuple),
)
PROFILES = disclosed(PEOPLE)
DOCUMENTS = st.builds(ProfileDocument, PROFILES, st.lists(ITEMS, max_size=3).map(tuple), TIMES, TIMES)


def mistake_in(model: Any, value: object) -> tuple[Any, ...]:
    """The place and the type of the only mistake."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    (error,) = caught.value.errors()
    return (*error["loc"], error["type"])


@given(DOCUMENTS)
def test_an_export_is_taken_back_exactly(document: ProfileDocument) -> None:
    assert DocumentIn.model_validate(exported(document)).document() == document
    data = dump_profile(document)
    again = parse_profile(data, "it", "json")
    assert again == document
    assert again.profile.fields == document.profile.fields
    assert dump_profile(again) == data


@pytest.mark.parametrize(
    ("field", "value", "mistake"),
    [
        ("text", "", "blank"),
        ("text", " \n\t\u3000", "blank"),
        ("text", "a\0b", "nul"),
        ("text", "\ud800", "string_unicode"),
        ("text", "x" * (MAX_TEXT + 1), "string_too_long"),
        ("text", 5, "string_type"),
        ("text", None, "string_type"),
        ("title", "\0", "nul"),
        ("title", "x" * 1001, "string_too_long"),
        ("source", "\udfff", "string_unicode"),
        ("request", "\0", "nul"),
        ("request", "\ud800", "string_unicode"),
        ("request", None, "string_type"),
        ("request", "x" * (MAX_QUESTION + 1), "string_too_long"),
        ("kind", "letter", "literal_error"),
        ("disclosure", "shut", "level"),
        ("disclosure", None, "level"),
        ("created_at", "yesterday", "time"),
        ("created_at", "2026-01-31T09:30:00", "time"),
        ("created_at", "2026-01-31", "time"),
        ("created_at", "0001-01-01T00:00:00+14:00", "time"),
        ("created_at", "9999-12-31T23:59:59-01:00", "time"),
        ("created_at", 5, "datetime_type"),
        ("id", "item_1", "extra_forbidden"),
    ],
)
def test_a_bad_item_is_refused_by_field(field: str, value: object, mistake: str) -> None:
    assert mistake_in(ItemIn, {"text": "x", field: value}) == (field, mistake)
    if not (field == "created_at" and value is None):
        assert mistake_in(ItemPatch, {field: value}) == (field, mistake)


def test_the_longest_text_is_counted_in_characters() -> None:
    assert ItemIn.model_validate({"text": "🦊" * MAX_TEXT}).item().text == "🦊" * MAX_TEXT


def test_a_turn_s_request_may_be_longer_than_a_document_s() -> None:
    for kind, longest in (("document", MAX_REQUEST), ("turn", MAX_QUESTION)):
        item = {"text": "x", "kind": kind, "request": "🦊" * longest}
        assert ItemIn.model_validate(item).item().request == item["request"]
        item["request"] += "x"
        assert mistake_in(ItemIn, item) == ("request", "string_too_long")
    assert mistake_in(ItemIn, {"text": "x", "request": "x" * (MAX_REQUEST + 1)})[0] == "request"


@pytest.mark.parametrize("patch", [{"kind": "document"}, {"request": "x" * (MAX_REQUEST + 1)}])
def test_a_patch_cannot_make_a_document_s_request_too_long(patch: dict[str, Any]) -> None:
    kind: Any = "turn" if "kind" in patch else "document"
    before = HistoryItem("", "x", kind, request="x" * (MAX_REQUEST + 1) if kind == "turn" else "")
    with pytest.raises(InvalidRequest, match="at most 10,000 characters in a document") as refused:
        ItemPatch.model_validate(patch).applied(before)
    assert refused.value.param == "request"


def test_a_turn_that_names_no_request_is_taken_apart_on_its_way_in() -> None:
    old = {"text": "User: a\n\nAssistant: b", "kind": "turn", "source": "chat"}
    assert ItemIn.model_validate(old).item() == HistoryItem("", "b", "turn", "chat", request="a")
    named = ItemIn.model_validate({**old, "request": ""}).item()
    assert (named.request, named.text) == ("", old["text"])


def test_times_of_every_zone_become_utc() -> None:
    item = ItemIn.model_validate({"text": "x", "created_at": "2026-01-31T13:00:00+01:00"}).item()
    assert item.created_at == NOON
    assert item.created_at.tzinfo is UTC
    other = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert ItemIn.model_validate({"text": "x", "created_at": other}).item().created_at == NOON


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"id": ""}, ("id", "string_pattern_mismatch")),
        ({"id": "Isabel"}, ("id", "string_pattern_mismatch")),
        ({"id": "a" * 65}, ("id", "string_pattern_mismatch")),
        ({"id": "isabel\n"}, ("id", "string_pattern_mismatch")),
        ({"id": "x'; DROP TABLE profile; --"}, ("id", "string_pattern_mismatch")),
        ({"id": "\ud800"}, ("id", "string_unicode")),
        ({"name": " "}, ("name", "blank")),
        ({"name": "x" * 201}, ("name", "string_too_long")),
        ({"default": 1}, ("default", "bool_type")),
        ({"strength": 4.1}, ("strength", "strength")),
        ({"strength": float("nan")}, ("strength", "strength")),
        ({"strength": "1"}, ("strength", "strength")),
        ({"strength": "strong"}, ("strength", "strength")),
        ({"record_history": "yes"}, ("record_history", "bool_type")),
        ({"fields": []}, ("fields", "dict_type")),
        ({"fields": {"a": 5}}, ("fields", "a", "string_type")),
        ({"fields": {" ": "x"}}, ("fields", " ", "[key]", "blank")),
        ({"fields": {"a": " "}}, ("fields", "a", "blank")),
        ({"fields": {str(n): "x" for n in range(MAX_FIELDS + 1)}}, ("fields", "too_long")),
        ({"history": []}, ("history", "extra_forbidden")),
    ],
)
def test_a_bad_profile_is_refused_by_field(change: dict[str, Any], mistake: tuple[str, ...]) -> None:
    assert mistake_in(ProfileIn, {"id": "isabel", "name": "Isabel", **change}) == mistake


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    assert ProfilePatch.model_validate({}).applied(PROFILE) == PROFILE
    changed = ProfilePatch.model_validate({"name": "Bel", "default": True}).applied(PROFILE)
    assert (changed.name, changed.is_default) == ("Bel", True)
    assert (changed.fields, changed.strength) == (PROFILE.fields, PROFILE.strength)


def test_a_patch_of_fields_is_a_merge_that_keeps_the_order() -> None:
    patch = ProfilePatch.model_validate({"fields": {"c": "3", "a": "4", "gone": None}})
    assert patch.applied(PROFILE).fields == (("b", "1"), ("a", "4"), ("c", "3"))


def test_a_patch_that_names_all_fields_that_are_left_orders_them() -> None:
    patch = ProfilePatch.model_validate({"fields": {"c": "3", "b": None, "a": "4", "gone": None}})
    assert patch.applied(PROFILE).fields == (("c", "3"), ("a", "4"))


def test_a_strength_of_null_is_a_change_and_one_left_out_is_none() -> None:
    assert ProfilePatch.model_validate({"strength": None}).applied(PROFILE).strength is None
    assert ProfilePatch.model_validate({"name": "B"}).applied(PROFILE).strength == 0.7


def test_a_patch_can_make_a_strength_auto_and_a_number_again() -> None:
    auto = ProfilePatch.model_validate({"strength": "auto"}).applied(PROFILE)
    assert auto.strength == AUTO
    assert ProfilePatch.model_validate({"name": "B"}).applied(auto).strength == AUTO
    assert ProfilePatch.model_validate({"strength": 0}).applied(auto).strength == 0


def test_a_patch_cannot_add_fields_without_end() -> None:
    patch = ProfilePatch.model_validate({"fields": {str(n): "x" for n in range(MAX_FIELDS)}})
    with pytest.raises(ValueError, match="at most 100 fields"):
        patch.applied(PROFILE)


@pytest.mark.parametrize("field", ["name", "default", "record_history", "fields"])
def test_what_a_profile_must_have_cannot_be_removed(field: str) -> None:
    assert mistake_in(ProfilePatch, {field: None})[0] == field


def test_an_item_s_patch_keeps_the_rest() -> None:
    item = HistoryItem("T", "text", "turn", "s", NOON, "Soup?")
    assert ItemPatch.model_validate({}).applied(item) == item
    changed = ItemPatch.model_validate({"text": "new", "title": ""}).applied(item)
    assert changed == HistoryItem("", "new", "turn", "s", NOON, "Soup?")
    assert ItemPatch.model_validate({"request": ""}).applied(item) == replace(item, request="")


@pytest.mark.parametrize(
    "after", ["", "7", "item_", "item_0", "item_07", "item_-1", "item_1 ", "item_" + "9" * 19]
)
def test_a_cursor_is_an_item_s_id(after: str) -> None:
    assert mistake_in(PageQuery, {"after": after}) == ("after", "costeer")


def test_a_listing_names_its_ends() -> None:
    item = HistoryItem("", "x", created_at=NOON)
    found = [FoundItem.of_hit(Hit(StoredItem(number, item), "x", 0, 1.5)) for number in (9, 4)]
    page = Listing[FoundItem].of(found, has_more=True)
    assert (page.object, page.first_id, page.last_id, page.has_more) == ("list", "item_9", "item_4", True)
    empty = Listing[FoundItem].of([])
    assert (empty.data, empty.first_id, empty.last_id, empty.has_more) == ([], None, None, False)
