"""API keys open what they were made for, are shown once, and are gone once deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import KeyNotFound, LastAdminKey, ProfileNotFound, StoreError
from app.profiles.store import Store
from app.profiles.store import keys as keys_module
from app.profiles.store.database import Database
from app.profiles.store.keys import Key, hashed
from profiles.store.conftest import Bytes
from profiles.store.people import ISABEL, WALTER


@pytest.fixture
def store(store: Store) -> Store:
    store.profiles.put(ISABEL)
    store.profiles.put(WALTER)
    return store


def test_a_key_opens_the_profile_it_was_made_for(store: Store) -> None:
    mine, secret = store.keys.create("phone", "isabel")
    admin, master = store.keys.create("me", None)
    assert (mine.label, mine.profile_id, mine.is_admin) == ("phone", "isabel", False)
    assert (admin.profile_id, admin.is_admin) == (None, True)
    found, other = store.keys.identify(secret), store.keys.identify(master)
    assert found is not None
    assert other is not None
    assert (found.id, other.id) == (mine.id, admin.id)
    assert [key.id for key in store.keys.list()] == [mine.id, admin.id]


def test_no_other_text_is_a_key(store: Store) -> None:
    _, secret = store.keys.create("phone", "isabel")
    for wrong in ("", "costeer-", secret[:-1], secret + "x", secret.upper(), hashed(secret), "' OR 1=1 --"):
        assert store.keys.identify(wrong) is None


def test_only_the_hash_of_a_secret_is_stored(store: Store, on_disk: Bytes) -> None:
    _, secret = store.keys.create("phone", "isabel")
    assert secret.encode() not in on_disk()
    assert secret.removeprefix("costeer-").encode() not in on_disk()
    assert hashed(secret).encode() in on_disk()


def test_a_deleted_key_opens_nothing_and_leaves_no_byte(store: Store, on_disk: Bytes) -> None:
    key, secret = store.keys.create("telephone", "isabel")
    store.keys.delete(key.id)
    assert store.keys.identify(secret) is None
    assert store.keys.list() == []
    assert hashed(secret).encode() not in on_disk()
    assert b"telephone" not in on_disk()
    assert store.keys.create("new", None)[0].id > key.id


@pytest.mark.parametrize("key_id", [0, -1, 77, 2**63, -(2**64)])
def test_an_unknown_key_is_named(store: Store, key_id: int) -> None:
    with pytest.raises(KeyNotFound, match=f"no key {key_id}.*costeer keys list"):
        store.keys.delete(key_id)


def test_a_key_for_an_unknown_profile_is_not_made(store: Store) -> None:
    with pytest.raises(ProfileNotFound, match="'nobody'"):
        store.keys.create("phone", "nobody")
    assert store.keys.list() == []


def test_keys_go_with_their_profile_and_stay_when_it_is_replaced(store: Store) -> None:
    _, secret = store.keys.create("phone", "isabel")
    store.profiles.put(WALTER)
    store.profiles.put(type(ISABEL)(ISABEL.profile))
    assert store.keys.identify(secret) is not None
    store.profiles.delete("isabel")
    assert store.keys.identify(secret) is None
    assert store.keys.list() == []


def test_the_last_use_is_noted_but_not_at_every_use(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def last_used() -> datetime | None:
        return store.keys.list()[0].last_used_at

    _, secret = store.keys.create("phone", "isabel")
    assert last_used() is None
    before = datetime.now(UTC)
    store.keys.identify(secret)
    first = last_used()
    assert first is not None
    assert before <= first <= datetime.now(UTC)
    store.keys.identify(secret)
    assert last_used() == first
    monkeypatch.setattr(keys_module, "LAST_USED_STEP", timedelta(0))
    store.keys.identify(secret)
    assert (last_used() or first) > first


def test_a_good_key_opens_even_when_its_use_cannot_be_noted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = store.keys.create("phone", "isabel")

    def refuse(_: Database, patience: float) -> None:
        assert patience == 0, "nor does it wait for those who write"
        raise StoreError("the disk is full")

    monkeypatch.setattr(Database, "writing", refuse)
    found = store.keys.identify(secret)
    assert found is not None
    assert found.id == key.id


def test_keys_are_required_as_long_as_there_is_an_admin_key(store: Store) -> None:
    assert not store.keys.required()
    store.keys.create("phone", "isabel")
    assert not store.keys.required()
    admin, _ = store.keys.create("me", None)
    assert store.keys.required()
    store.keys.delete(admin.id, last_admin=True)
    assert not store.keys.required()


def test_the_last_admin_key_is_deleted_only_by_whoever_says_so(store: Store) -> None:
    (first, _), (second, _) = store.keys.create("me", None), store.keys.create("me again", None)
    mine, _ = store.keys.create("phone", "isabel")
    assert not store.keys.delete(first.id, last_admin=True), "another is left"
    with pytest.raises(LastAdminKey, match="all profiles"):
        store.keys.delete(second.id)
    assert store.keys.required()
    assert not store.keys.delete(mine.id)
    assert store.keys.delete(second.id, last_admin=True)
    assert store.keys.list() == []


def test_of_two_who_delete_an_admin_key_at_once_one_is_told_that_it_is_the_last(store: Store) -> None:
    keys = [store.keys.create("me", None)[0] for _ in range(8)]

    def delete(key: Key) -> bool:
        try:
            store.keys.delete(key.id)
        except LastAdminKey:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(delete, keys)) == [False] + 7 * [True]
    assert store.keys.required()


def test_whether_a_key_is_required_is_known_until_somebody_writes(store: Store) -> None:
    assert store.keys.still_required() is None, "not asked yet"
    assert not store.keys.required()
    assert store.keys.still_required() is False
    with Store.open(store.keys._database.path.parent) as elsewhere:
        key, _ = elsewhere.keys.create("me", None)
    assert store.keys.still_required() is None
    assert store.keys.required()
    assert store.keys.still_required() is True
    store.keys.delete(key.id, last_admin=True)
    assert store.keys.still_required() is None


def test_the_version_changes_with_each_commit_and_with_nothing_else(store: Store) -> None:
    database = store.keys._database
    before = database.version()
    store.keys.list()
    assert database.version() == before
    store.keys.create("phone", "isabel")
    after = database.version()
    assert after != before
    with pytest.raises(ProfileNotFound):
        store.keys.create("phone", "nobody")
    assert database.version() == after
