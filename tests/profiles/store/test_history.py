"""A history is paged, searched, changed and erased item by item, and each profile's is its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.errors import HistoryItemNotFound, ProfileNotFound, StoreError
from app.profiles.profile import MAX_TEXT, HistoryItem, Profile, StoredItem, turn
from app.profiles.store import Store
from app.profiles.terms import PASSAGE, terms
from profiles.store.conftest import Bytes
from profiles.store.people import ISABEL, WALTER

LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
BEYOND = [0, -1, 10**6, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30]


@pytest.fixture
def store(store: Store) -> Store:
    store.profiles.put(ISABEL)
    store.profiles.put(WALTER)
    return store


def _search(store: Store, words: str, profile_id: str = "isabel", limit: int = 5) -> list[int]:
    return [hit.stored.id for hit in store.history.search(profile_id, [(1.0, terms(words))], limit)]


def _ids(items: tuple[StoredItem, ...]) -> list[int]:
    return [one.id for one in items]


def test_added_items_come_back_in_order_with_growing_ids_and_times(store: Store) -> None:
    given = [
        HistoryItem("a", "one", "turn", "chat", request="which?"),
        HistoryItem("", "two", created_at=LONG_AGO),
    ]
    added = store.history.add("isabel", given)
    assert [one.id for one in added] == [3, 4]
    assert [replace(one.item, created_at=None) for one in added] == [
        replace(i, created_at=None) for i in given
    ]
    assert added[1].item.created_at == LONG_AGO
    assert list(store.history.page("isabel", newest_first=False).items[2:]) == added
    assert [store.history.get("isabel", one.id) for one in added] == added
    assert store.history.add("isabel", []) == []


def test_either_all_items_are_added_or_none(store: Store) -> None:
    before = store.profiles.export("isabel")
    with pytest.raises(StoreError):
        store.history.add("isabel", [HistoryItem("", "fine"), HistoryItem(None, "bad")])  # type: ignore[arg-type]
    assert store.profiles.export("isabel") == before
    assert _search(store, "fine") == []
    # What was rolled back has used up no id that anybody has seen, and stands in nobody's way.
    assert store.history.add("isabel", [HistoryItem("", "good")])[0].id == 3


def test_an_id_is_not_used_again_when_the_last_item_or_all_are_gone(store: Store) -> None:
    last = store.history.add("isabel", [HistoryItem("", "x")])[0].id
    store.history.delete("isabel", [last])
    assert store.history.add("walter", [HistoryItem("", "y")])[0].id == last + 1
    store.history.clear("isabel")
    store.history.clear("walter")
    assert store.history.add("isabel", [HistoryItem("", "z")])[0].id == last + 2


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_joined_are_the_history_of_the_profile_alone(store: Store, newest_first: bool) -> None:
    for number in range(5):
        store.history.add("isabel", [HistoryItem("", f"text {number}")])
        store.history.add("walter", [HistoryItem("", f"text {number}")])
    found: list[StoredItem] = []
    after, more = None, True
    while more:
        page = store.history.page("isabel", after=after, limit=3, newest_first=newest_first)
        more, after = page.has_more, page.items[-1].id
        found += page.items
        # The item that the next page is asked behind may be gone by then.
        store.history.delete("isabel", [after])
    assert [one.item.text for one in found][:: -1 if newest_first else 1] == [
        "about the bay",
        "about the dog",
        *(f"text {number}" for number in range(5)),
    ]


@pytest.mark.parametrize("after", BEYOND)
def test_a_page_behind_any_number_is_a_page(store: Store, after: int) -> None:
    newest, oldest = (
        _ids(store.history.page("isabel", after=after, newest_first=first).items) for first in (True, False)
    )
    assert (newest, oldest) == (([2, 1], []) if after > 0 else ([], [1, 2]))


@pytest.mark.parametrize("item_id", BEYOND)
def test_an_item_that_is_not_there_is_named(store: Store, item_id: int) -> None:
    with pytest.raises(HistoryItemNotFound, match=str(item_id)):
        store.history.get("isabel", item_id)
    with pytest.raises(HistoryItemNotFound):
        store.history.update("isabel", item_id, lambda item: item)
    with pytest.raises(HistoryItemNotFound):
        store.history.delete("isabel", [1, item_id])
    assert store.history.get("isabel", 1).item.text == "about the bay"


def test_nobody_reaches_another_s_items(store: Store) -> None:
    with pytest.raises(HistoryItemNotFound):
        store.history.get("walter", 1)
    with pytest.raises(HistoryItemNotFound):
        store.history.update("walter", 1, lambda item: replace(item, text="mine"))
    with pytest.raises(HistoryItemNotFound):
        store.history.delete("walter", [1])
    assert store.history.clear("walter") == 0
    assert _search(store, "bay dog", "walter") == []
    assert store.history.hits("walter", [(1, 0, 1.0)]) == []
    assert store.history.recent("walter", 5) == []
    assert _search(store, "bay") == [1]


def test_an_unknown_profile_is_named(store: Store) -> None:
    history = store.history
    for call in (
        lambda: history.page("nobody"),
        lambda: history.get("nobody", 1),
        lambda: history.search("nobody", [(1.0, ["bay"])], 5),
        lambda: history.add("nobody", [HistoryItem("", "x")]),
        lambda: history.update("nobody", 1, lambda item: item),
        lambda: history.delete("nobody", [1]),
        lambda: history.clear("nobody"),
    ):
        with pytest.raises(ProfileNotFound, match="'nobody'"):
            call()


def test_an_update_is_stored_found_and_leaves_no_byte_of_what_was(store: Store, on_disk: Bytes) -> None:
    before = store.history.get("isabel", 1).item
    changed = store.history.update("isabel", 1, lambda item: replace(item, text="zyzzyva", kind="turn"))
    assert changed == store.history.get("isabel", 1)
    assert changed.item == replace(before, text="zyzzyva", kind="turn")
    assert (_search(store, "bay"), _search(store, "zyzzyva"), _search(store, "listing")) == ([], [1], [1])
    assert b"bay" not in on_disk()
    later = store.history.update("isabel", 1, lambda item: replace(item, created_at=LONG_AGO))
    assert later.item.created_at == LONG_AGO


def test_a_request_is_found_and_leaves_no_byte(store: Store, on_disk: Bytes) -> None:
    item = HistoryItem("", "Soup.", request="Name a zyzzyva.")
    first, second, third = (one.id for one in store.history.add("isabel", [item] * 3))
    assert sorted(_search(store, "zyzzyvas")) == [first, second, third]
    store.history.delete("isabel", [first])
    store.history.update("isabel", second, lambda item: replace(item, request="quaxle"))
    assert (_search(store, "zyzzyva"), _search(store, "quaxle")) == ([third], [second])
    version = store.profiles.get("isabel").version
    store.history.update("isabel", third, lambda item: replace(item, request=""))
    assert store.profiles.get("isabel").version == version + 1
    assert _search(store, "zyzzyva") == []
    assert sorted(_search(store, "soup")) == [second, third]
    assert b"zyzzyva" not in on_disk()


def test_a_passage_is_of_the_text_alone(store: Store) -> None:
    store.history.add("isabel", [turn("Where does the zyzzyva hide? " * 200, "In palms.")])
    (hit,) = store.history.search("isabel", [(1.0, ["zyzzyva"])], 5)
    assert (hit.passage, hit.number) == ("In palms.", 0)


def test_an_update_that_is_refused_changes_nothing(store: Store) -> None:
    def refuse(item: HistoryItem) -> HistoryItem:
        raise KeyError

    with pytest.raises(KeyError):
        store.history.update("isabel", 1, refuse)
    with pytest.raises(StoreError):
        store.history.update("isabel", 1, lambda item: replace(item, text="x", source=None))  # type: ignore[arg-type]
    assert store.history.get("isabel", 1).item.text == "about the bay"
    assert _search(store, "bay") == [1]


def test_updates_of_one_item_at_once_are_all_applied(store: Store) -> None:
    def work(number: int) -> None:
        store.history.update("isabel", 1, lambda item: replace(item, text=f"{item.text} w{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    assert set(store.history.get("isabel", 1).item.text.split()) > {f"w{number}" for number in range(24)}
    assert all(_search(store, f"w{number}") == [1] for number in range(24))


def test_deleted_items_leave_no_byte(store: Store, on_disk: Bytes) -> None:
    assert b"bay" in on_disk()
    store.history.delete("isabel", [1, 1])
    assert _ids(store.history.page("isabel").items) == [2]
    assert _search(store, "bay listing") == []
    for gone in (b"bay", b"Listing", b"listing"):
        assert gone not in on_disk()
    assert b"about the dog" in on_disk()


def test_a_deletion_of_many_is_of_all_or_none(store: Store, on_disk: Bytes) -> None:
    items = [HistoryItem("", f"quaxle number{number}") for number in range(3001)]
    ids = [one.id for one in store.history.add("isabel", items)]
    with pytest.raises(HistoryItemNotFound):
        store.history.delete("isabel", [*ids, 10**6])
    assert store.profiles.read("isabel").history_count == 3003
    assert _search(store, "number2999") == [ids[2999]]
    store.history.delete("isabel", ids)
    assert store.profiles.read("isabel").history_count == 2
    assert _search(store, "quaxle") == []
    assert _search(store, "bay") == [1]
    assert b"quaxle" not in on_disk()
    store.history.delete("isabel", [])


def test_clear_erases_all_and_counts_them(store: Store, on_disk: Bytes) -> None:
    assert store.history.clear("isabel") == 2
    assert store.history.page("isabel").items == ()
    assert _search(store, "bay dog") == []
    assert b"about the" not in on_disk()
    assert store.history.clear("isabel") == 0
    store.history.add("isabel", [HistoryItem("", "bay again")])
    assert _search(store, "bay") == [3]


def test_recent_gives_one_kind_newest_first(store: Store) -> None:
    store.history.add("isabel", [HistoryItem("", "t", "turn"), HistoryItem("", "d")])
    assert [one.item.text for one in store.history.recent("isabel", 2)] == ["d", "about the dog"]
    assert [one.item.text for one in store.history.recent("isabel", 2, "turn")] == ["t"]


def test_a_long_item_is_found_once_by_the_passage_that_matches(store: Store) -> None:
    filler = "The quick brown fox. " * 200
    text = f"{filler}\n\nHere the zyzzyva hides.\n\n{filler}"
    (item,) = store.history.add("isabel", [HistoryItem("Long", text)])
    (hit,) = store.history.search("isabel", [(1.0, ["zyzzyva"])], 5)
    assert hit.stored == item
    assert "the zyzzyva hides" in hit.passage
    assert len(hit.passage.encode()) <= PASSAGE
    assert store.history.hits("isabel", [(item.id, hit.number, hit.score)]) == [hit]


def test_one_long_item_does_not_crowd_out_the_others(store: Store) -> None:
    long, *short = store.history.add(
        "isabel",
        [
            HistoryItem("", "\n\n".join(["zyzzyva " * 240] * 200)),
            *(HistoryItem("", f"one zyzzyva among several other words {number}") for number in range(3)),
        ],
    )
    assert sorted(_search(store, "zyzzyva")) == [long.id, *(one.id for one in short)]


def test_the_longest_text_is_stored_found_and_erased(store: Store, on_disk: Bytes) -> None:
    for character in ("a", "字", "\U0001f600", "a\n\n"):
        text = character * (MAX_TEXT // len(character) - 20) + " quaxle"
        (item,) = store.history.add("isabel", [HistoryItem("", text)])
        assert _search(store, "quaxle") == [item.id]
        store.history.delete("isabel", [item.id])
        assert b"quaxle" not in on_disk()
        assert _search(store, "quaxle") == []


def test_what_was_found_is_given_as_it_stands_now(store: Store) -> None:
    found = [(2, 7, 0.5), (1, 0, 0.25)]
    first, second = store.history.hits("isabel", found)
    assert (first.stored.id, first.number, first.passage, first.score) == (2, 0, "about the dog", 0.5)
    store.history.delete("isabel", [2])
    store.history.update("isabel", 1, lambda item: replace(item, text="new"))
    (hit,) = store.history.hits("isabel", found)
    assert (hit.stored.id, hit.passage, hit.score) == (1, "new", second.score)
    assert store.history.hits("isabel", []) == []


def test_an_exchange_is_recorded_for_the_profile_that_it_began_with_and_for_no_other(store: Store) -> None:
    def count() -> int:
        return store.profiles.read("isabel").history_count

    def wanting(wants: bool) -> Profile:
        store.profiles.update("isabel", lambda profile: replace(profile, record_history=wants))
        return store.profiles.get("isabel")

    store.profiles.put(ISABEL)
    began, before = wanting(True), count()
    assert store.history.record(began, turn("Q", "A")) is None
    assert count() == before + 1
    wanting(False)
    assert "switched off" in str(store.history.record(began, turn("Q", "A")))
    wanting(True)
    assert store.history.record(began, turn("Q", "A")) is None
    export = store.profiles.export("isabel")
    store.profiles.delete("isabel")
    assert "erased" in str(store.history.record(began, turn("Q", "A")))
    store.profiles.create(export)
    assert "replaced" in str(store.history.record(began, turn("Q", "A"))), "even if it says the same"
    assert count() == before + 2


def test_a_full_database_is_named_and_nothing_half_written_stays(store: Store) -> None:
    store.profiles.put(replace(ISABEL, profile=replace(ISABEL.profile, record_history=True)))
    began = store.profiles.get("isabel")
    before = store.profiles.export("isabel")
    with store._database.reading() as session:
        pages = int(session.connection().exec_driver_sql("PRAGMA page_count").scalar_one())
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError) as refused:
        store.history.record(began, turn("Q", "A long answer. " * 5000))
    assert refused.value.reason == "the disk is full"
    assert store.profiles.export("isabel") == before
