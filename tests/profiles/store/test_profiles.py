"""Profiles are kept as they were put, whole, in order and privately, from many threads at once."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.errors import ProfileExists, ProfileNotFound, StoreError
from app.local.engine.owner import Owner
from app.profiles.disclosure import Disclosure
from app.profiles.profile import HistoryItem, Preference, Profile, ProfileDocument, turn
from app.profiles.store import Store
from app.profiles.store.database import Database
from app.profiles.terms import terms
from app.steering.strength import AUTO
from profiles.disclosed import ANY_LEVEL, disclosed
from profiles.store.conftest import Bytes
from profiles.store.people import ISABEL, WALTER

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def _with(document: ProfileDocument, **changes: object) -> ProfileDocument:
    return replace(document, profile=replace(document.profile, **changes))  # type: ignore[arg-type]


def _texts(store: Store, profile_id: str) -> list[tuple[str, str]]:
    return [(item.title, item.text) for item in store.profiles.export(profile_id).history]


def test_a_profile_comes_back_as_it_was_put(store: Store) -> None:
    before = datetime.now(UTC)
    assert store.profiles.put(ISABEL) == "created"
    found = store.profiles.export("isabel")
    assert found.profile == ISABEL.profile == store.profiles.get("isabel")
    assert _texts(store, "isabel") == [("Listing", "about the bay"), ("", "about the dog")]
    for time in (found.created_at, found.updated_at, *(item.created_at for item in found.history)):
        assert time is not None
        assert before <= time <= datetime.now(UTC)


def test_it_is_still_there_after_reopening(store: Store) -> None:
    store.profiles.put(ISABEL)
    before = store.profiles.export("isabel")
    store.close()
    with Store.open(store.path.parent) as again:
        assert again.profiles.export("isabel") == before


def test_a_strength_is_kept_as_the_number_or_the_word_that_it_is(store: Store) -> None:
    store.profiles.put(_with(ISABEL, strength=AUTO))
    store.profiles.put(_with(WALTER, strength=1.0))
    store.close()
    with Store.open(store.path.parent) as again:
        assert [one.profile.strength for one in again.profiles.list()] == [AUTO, 1.0]
        assert again.profiles.put(_with(ISABEL, strength=AUTO)) == "unchanged"
        for strength in (0.25, AUTO, None):
            changed = again.profiles.update("isabel", partial(replace, strength=strength))
            assert changed.profile.strength == again.profiles.get("isabel").strength == strength


def test_put_of_the_same_changes_nothing(store: Store) -> None:
    store.profiles.put(ISABEL)
    before, ids = store.profiles.export("isabel"), store.history.page("isabel")
    assert store.profiles.put(ISABEL) == "unchanged"
    assert store.profiles.put(before) == "unchanged"
    assert (store.profiles.export("isabel"), store.history.page("isabel")) == (before, ids)


@pytest.mark.parametrize(
    "changed",
    [
        _with(ISABEL, name="Isa"),
        _with(ISABEL, fields=ISABEL.profile.fields[::-1]),
        _with(ISABEL, fields=()),
        _with(ISABEL, is_default=True),
        _with(ISABEL, strength=0.0),
        _with(ISABEL, strength=AUTO),
        _with(ISABEL, record_history=True),
        _with(ISABEL, preferences=(Preference("Be brief.", "Be thorough."),)),
        _with(ISABEL, disclosure=Disclosure("shape")),
        _with(ISABEL, disclosure=Disclosure(fields=(("occupation", "off"),), budget=0.0)),
        replace(ISABEL, history=(replace(ISABEL.history[0], disclosure="off"), ISABEL.history[1])),
        replace(ISABEL, history=ISABEL.history[::-1]),
        replace(ISABEL, history=ISABEL.history[:1]),
        replace(ISABEL, history=(replace(ISABEL.history[0], source="a.txt"), ISABEL.history[1])),
        replace(ISABEL, history=(replace(ISABEL.history[0], kind="turn"), ISABEL.history[1])),
        replace(ISABEL, history=(replace(ISABEL.history[0], request="Sell it."), ISABEL.history[1])),
        replace(ISABEL, history=(replace(ISABEL.history[0], created_at=LONG_AGO), ISABEL.history[1])),
    ],
)
def test_put_replaces_what_differs_and_keeps_when_it_was_created(
    store: Store, changed: ProfileDocument
) -> None:
    store.profiles.put(ISABEL)
    before = store.profiles.read("isabel")
    assert store.profiles.put(changed) == "replaced"
    after = store.profiles.read("isabel")
    found = store.profiles.export("isabel")
    assert found.profile == changed.profile
    for item, given_item in zip(found.history, changed.history, strict=True):
        assert item == replace(given_item, created_at=given_item.created_at or item.created_at)
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


def test_put_takes_the_times_that_it_is_given(store: Store) -> None:
    store.profiles.put(ISABEL)
    assert store.profiles.put(replace(ISABEL, created_at=LONG_AGO, updated_at=LONG_AGO)) == "replaced"
    found = store.profiles.read("isabel")
    assert (found.created_at, found.updated_at) == (LONG_AGO, LONG_AGO)


def test_a_history_item_that_stays_keeps_its_time(store: Store) -> None:
    def times() -> dict[str, datetime | None]:
        return {item.text: item.created_at for item in store.profiles.export("isabel").history}

    store.profiles.put(ISABEL)
    before = times()
    store.profiles.put(replace(ISABEL, history=(HistoryItem("", "new"), *ISABEL.history)))
    assert times().items() > before.items()
    asked = replace(ISABEL.history[0], request="Sell it.")
    store.profiles.put(replace(ISABEL, history=(asked, ISABEL.history[1])))
    after = times()
    assert (after["about the dog"] == before["about the dog"]) > (after[asked.text] == before[asked.text])


def test_create_refuses_an_id_that_exists_and_leaves_it_alone(store: Store) -> None:
    assert store.profiles.create(ISABEL) == store.profiles.read("isabel")
    before = store.profiles.export("isabel")
    with pytest.raises(ProfileExists, match="'isabel' already"):
        store.profiles.create(_with(WALTER, id="isabel"))
    assert store.profiles.export("isabel") == before


def test_update_changes_the_profile_and_nothing_else(store: Store) -> None:
    store.profiles.put(ISABEL)
    before = store.profiles.export("isabel")
    changed = store.profiles.update("isabel", lambda old: replace(old, id="other", name="Isa", strength=1.5))
    after = store.profiles.export("isabel")
    assert changed.profile == after.profile == replace(ISABEL.profile, name="Isa", strength=1.5)
    assert (after.history, after.created_at) == (before.history, before.created_at)
    assert changed.history_count == 2
    assert changed.updated_at > before.updated_at  # type: ignore[operator]
    assert store.profiles.update("isabel", lambda old: old) == changed


def test_a_profile_of_the_same_id_is_another_one_once_it_is_put_anew(store: Store) -> None:
    def uid() -> str:
        return store.profiles.get("isabel").uid

    store.profiles.put(ISABEL)
    first = uid()
    store.profiles.update("isabel", lambda profile: replace(profile, name="Bel"))
    store.history.add("isabel", [HistoryItem("", "more")])
    assert uid() == first, "a change is no exchange"
    export = store.profiles.export("isabel")
    store.profiles.put(export)
    assert uid() == first, "nor is what changes nothing"
    store.profiles.put(ISABEL)
    second = uid()
    store.profiles.delete("isabel")
    store.profiles.create(export)
    assert len({first, second, uid()}) == 3


def test_a_version_ends_when_something_is_no_longer_so(store: Store) -> None:
    store.profiles.put(ISABEL)
    (item,) = store.history.add("isabel", [HistoryItem("", "The lamp is lit.")])
    history = store.history
    for change, ends in (
        (lambda: store.profiles.update("isabel", lambda old: replace(old, name="Bel")), True),
        (lambda: store.profiles.update("isabel", lambda old: old), False),
        (lambda: store.profiles.update("isabel", partial(replace, disclosure=Disclosure("fill"))), True),
        (lambda: store.profiles.update("isabel", partial(replace, disclosure=Disclosure("fill"))), False),
        (lambda: store.profiles.put(store.profiles.export("isabel")), False),
        (lambda: history.add("isabel", [HistoryItem("", "more"), turn("Lit?", "Yes.")]), False),
        (lambda: history.update("isabel", item.id, lambda old: replace(old, text="It is out.")), True),
        (lambda: history.update("isabel", item.id, lambda old: old), False),
        (lambda: history.update("isabel", item.id, partial(replace, disclosure="off")), True),
        (lambda: history.delete("isabel", []), False),
        (lambda: history.delete("isabel", [item.id]), True),
        (lambda: history.clear("isabel"), True),
        (lambda: store.profiles.put(ISABEL), True),
    ):
        before = Owner.of(store.profiles.get("isabel"))
        change()
        assert (Owner.of(store.profiles.get("isabel")) != before) == ends
    owners = {Owner.of(store.profiles.get("isabel"))}
    for _ in range(3):
        store.profiles.delete("isabel")
        store.profiles.put(ISABEL)
        owners.add(Owner.of(store.profiles.get("isabel")))
    assert len(owners) == 4


def test_all_profiles_are_as_they_are_read_one_by_one(store: Store) -> None:
    store.profiles.put(ISABEL)
    store.profiles.put(WALTER)
    store.profiles.update("walter", lambda old: replace(old, name="W."))
    found = {profile.id: profile for profile in store.profiles.all()}
    assert found == {name: store.profiles.get(name) for name in ("isabel", "walter")}
    assert Owner.of(found["walter"]) == Owner.of(store.profiles.get("walter"))


def test_an_update_that_is_refused_changes_nothing(store: Store) -> None:
    store.profiles.put(ISABEL)

    def refuse(profile: Profile) -> Profile:
        raise ValueError

    with pytest.raises(ValueError):
        store.profiles.update("isabel", refuse)
    assert store.profiles.get("isabel") == ISABEL.profile


def test_updates_at_once_are_all_applied(store: Store) -> None:
    store.profiles.put(ISABEL)

    def work(number: int) -> None:
        store.profiles.update("isabel", lambda old: replace(old, fields=(*old.fields, (str(number), "x"))))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert len(store.profiles.get("isabel").fields) == 26


def test_profiles_are_listed_by_id_with_utc_times(store: Store) -> None:
    store.profiles.put(WALTER)
    store.profiles.put(ISABEL)
    first, second = store.profiles.list()
    assert (first.profile, first.history_count) == (ISABEL.profile, 2)
    assert (second.profile, second.history_count) == (WALTER.profile, 0)
    assert str(first.created_at.tzinfo) == "UTC"


def test_the_default_moves_to_the_one_marked_last(store: Store) -> None:
    def defaults() -> list[bool]:
        return [one.profile.is_default for one in store.profiles.list()]

    assert store.profiles.default() is None
    store.profiles.put(WALTER)
    assert store.profiles.default() == WALTER.profile
    store.profiles.put(_with(ISABEL, is_default=True))
    assert defaults() == [True, False]
    store.profiles.put(ISABEL)
    assert store.profiles.default() is None
    store.profiles.update("walter", lambda old: replace(old, is_default=True))
    store.profiles.update("isabel", lambda old: replace(old, is_default=True))
    assert defaults() == [True, False]
    store.profiles.create(_with(WALTER, id="other"))
    assert defaults() == [False, True, False]


def test_the_database_itself_refuses_two_defaults(store: Store) -> None:
    store.profiles.put(WALTER)
    store.profiles.put(ISABEL)
    database = Database(store.path)
    with pytest.raises(StoreError, match="UNIQUE"), database.writing() as session:
        session.connection().execute(text("UPDATE profile SET is_default = 1"))
    database.close()


def test_an_unknown_profile_is_named(store: Store) -> None:
    profiles = store.profiles
    for method in (profiles.get, profiles.read, profiles.export, profiles.delete):
        with pytest.raises(ProfileNotFound, match=r"'nobody'.*costeer profiles list"):
            method("nobody")
    with pytest.raises(ProfileNotFound):
        profiles.update("nobody", lambda old: old)


def test_delete_leaves_no_row_and_no_byte(store: Store, on_disk: Bytes) -> None:
    store.profiles.put(WALTER)
    store.profiles.put(ISABEL)
    _, secret = store.keys.create("phone", "isabel")
    assert b"about the bay" in on_disk()
    store.profiles.delete("isabel")
    assert [one.profile.id for one in store.profiles.list()] == ["walter"]
    assert store.keys.identify(secret) is None
    for gone in (b"about the bay", b"Isabel Martinez", b"phone", b"isabel"):
        assert gone not in on_disk()


def test_replacing_and_changing_leave_no_byte_of_what_went(store: Store, on_disk: Bytes) -> None:
    store.profiles.put(ISABEL)
    store.profiles.put(replace(ISABEL, history=()))
    assert b"about the bay" not in on_disk()
    store.profiles.update("isabel", lambda old: replace(old, name="Isa", fields=()))
    assert b"Martinez" not in on_disk()
    assert b"playful" not in on_disk()


def test_a_put_that_fails_leaves_the_old_profile_whole(store: Store) -> None:
    store.profiles.put(ISABEL)
    before = store.profiles.export("isabel")
    history = (HistoryItem("t", "fine"), HistoryItem(None, "fine"))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL") as caught:
        store.profiles.put(replace(_with(ISABEL, name="other"), history=history))
    assert "fine" not in "".join(traceback.format_exception(caught.value))
    assert store.profiles.export("isabel") == before
    assert len(store.history.search("isabel", [(1.0, terms("bay fine"))], 5)) == 1


@pytest.mark.parametrize("slug", ["a-b_c", "_", "-", "0", "x" * 64, "sqlite_x", "search", "a", "a_data"])
def test_any_slug_can_be_stored_searched_and_erased(store: Store, slug: str) -> None:
    store.profiles.put(ISABEL)
    store.profiles.put(_with(ISABEL, id=slug))
    assert len(store.history.search(slug, [(1.0, terms("bay"))], 5)) == 1
    store.history.clear(slug)
    store.profiles.delete(slug)
    assert [one.profile.id for one in store.profiles.list()] == ["isabel"]


# Unicode without surrogates (SQLite stores UTF-8) and without NUL, which every border refuses.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
any_document = st.builds(
    ProfileDocument,
    disclosed(
        st.builds(
            Profile,
            id=st.just("anyone"),
            name=words,
            fields=st.dictionaries(words, words, max_size=5).map(lambda fields: tuple(fields.items())),
            is_default=st.booleans(),
            strength=st.none() | st.floats(0, 4) | st.just(AUTO),
            record_history=st.booleans(),
            preferences=st.lists(st.builds(Preference, words, words), unique_by=lambda one: one.text).map(
                tuple
            ),
        )
    ),
    st.lists(
        st.builds(
            HistoryItem,
            words,
            words,
            st.sampled_from(["document", "turn"]),
            words,
            st.none() | times,
            words,
            ANY_LEVEL,
        ),
        max_size=5,
    ).map(tuple),
    st.none() | times,
    st.none() | times,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=any_document)
def test_export_delete_and_put_give_the_same_export(store: Store, document: ProfileDocument) -> None:
    store.profiles.put(document)
    exported = store.profiles.export("anyone")
    assert exported.profile == document.profile
    for item, given_item in zip(exported.history, document.history, strict=True):
        assert item == replace(given_item, created_at=given_item.created_at or item.created_at)
    store.profiles.delete("anyone")
    assert store.profiles.put(exported) == "created"
    assert store.profiles.export("anyone") == exported
    assert store.profiles.put(document) == "unchanged"


def test_threads_read_and_write_at_once(store: Store) -> None:
    store.profiles.put(ISABEL)

    def work(number: int) -> None:
        mine = _with(ISABEL, id=f"p{number % 4}", name=str(number), is_default=number % 3 == 0)
        store.profiles.put(mine)
        # A reader never sees half of a put.
        assert len(store.profiles.export(mine.profile.id).history) == 2
        assert sum(one.profile.is_default for one in store.profiles.list()) <= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(80)))
    assert len(store.profiles.list()) == 5
