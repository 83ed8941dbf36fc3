"""What the local model reads of a history is chosen by what is asked, once per conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.profiles.profile import HistoryItem, Hit, Kind, Profile, ProfileDocument, StoredItem
from app.profiles.shelf import CHOICES, Bounds, MemoryShelf
from app.profiles.store import Store
from app.profiles.terms import PASSAGE
from app.prompts.message import Message
from app.prompts.retrieval import DECAY, TURNS, Retriever, queries

WORDS = ("bay", "dog", "lamp", "violin", "sugar")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as store:
        for name in ("a", "b"):
            history = tuple(HistoryItem("", f"{name} writes about the {word}") for word in WORDS)
            store.profiles.put(ProfileDocument(Profile(name, name), history))
        yield store


def _talk(*contents: str) -> list[Message]:
    """User and assistant in turns."""
    return [Message("assistant" if number % 2 else "user", text) for number, text in enumerate(contents)]


def _texts(hits: Sequence[Hit]) -> list[str]:
    return [hit.stored.item.text for hit in hits]


def _matched(hits: Sequence[Hit]) -> list[str]:
    return [hit.stored.item.text.split()[-1] for hit in hits if hit.score > 0]


class Counted:
    """A history that counts its searches."""

    def __init__(self, store: Store) -> None:
        self._history = store.history
        self.searches = 0

    def search(
        self, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
    ) -> list[Hit]:
        self.searches += 1
        return self._history.search(profile_id, queries, limit)

    def recent(self, profile_id: str, limit: int, kind: Kind = "document") -> list[StoredItem]:
        return self._history.recent(profile_id, limit, kind)

    def hits(self, profile_id: str, found: Sequence[tuple[int, int, float]]) -> list[Hit]:
        return self._history.hits(profile_id, found)


def test_what_matches_comes_first_and_the_newest_documents_fill_up(store: Store) -> None:
    store.history.add("a", [HistoryItem("", "an exchange", "turn")])
    hits = Retriever(store.history, 3).choose("a", _talk("Something on my dog, please."))
    assert _texts(hits) == [f"a writes about the {word}" for word in ("dog", "sugar", "violin")]
    assert [hit.score > 0 for hit in hits] == [True, False, False]
    assert hits[1].score == 0
    assert (hits[1].passage, hits[1].number) == ("a writes about the sugar", 0)


def test_nothing_is_chosen_twice(store: Store) -> None:
    hits = Retriever(store.history, 10).choose("a", _talk("sugar and violin"))
    assert sorted(hit.stored.id for hit in hits) == [1, 2, 3, 4, 5]


def test_a_turn_is_chosen_when_it_matches(store: Store) -> None:
    store.history.add("a", [HistoryItem("", "There.", "turn", request="where is the zyzzyva?")])
    assert _matched(Retriever(store.history, 2).choose("a", _talk("zyzzyva"))) == ["There."]


def _off(store: Store, *words: str) -> None:
    for number in (WORDS.index(word) + 1 for word in words):
        store.history.update("a", number, lambda item: replace(item, disclosure="off"))


def _words(hits: Sequence[Hit]) -> list[str]:
    return [hit.stored.item.text.split()[-1] for hit in hits]


def test_what_is_off_takes_the_place_of_nothing_that_is_read(store: Store) -> None:
    _off(store, "dog", "sugar")
    hits = Retriever(store.history, 2).choose("a", _talk("dog, lamp, violin?"))
    assert {word for word in _words(hits) if word != "dog"} == {"lamp", "violin"}
    # Of the newest, too, which fill up.
    assert _words(Retriever(store.history, 2).choose("a", _talk("lamp"))) == ["lamp", "sugar", "violin"]


def test_what_is_off_comes_with_what_is_read_and_is_no_more(store: Store) -> None:
    _off(store, *WORDS)
    assert _words(Retriever(store.history, 2).choose("a", _talk("bay"))) == ["bay", "sugar", "violin"]
    store.history.add("a", [HistoryItem("", "a dog in a bay"), HistoryItem("", "one more lamp")])
    hits = Retriever(store.history, 2).choose("a", _talk("bay"))
    assert {*_words(hits)} == {"bay", "lamp"}
    assert [hit.stored.item.disclosure for hit in hits].count("open") == 2


def test_a_long_row_that_is_off_hides_nothing_behind_it(store: Store) -> None:
    store.history.add("a", [HistoryItem("", f"dog {number}", disclosure="off") for number in range(40)])
    hits = Retriever(store.history, 2).choose("a", _talk("dog"))
    assert [hit.stored.id for hit in hits if hit.stored.item.disclosure == "open"] == [2, 5]
    assert len(hits) <= 2 + 2 + 2


def test_with_a_top_k_of_0_nothing_is_read(store: Store) -> None:
    history = Counted(store)
    assert Retriever(history, 0).choose("a", _talk("dog")) == []
    assert history.searches == 0


def test_a_profile_without_history_and_a_conversation_without_a_user_are_no_error(store: Store) -> None:
    store.profiles.put(ProfileDocument(Profile("empty", "E")))
    retriever = Retriever(store.history, 2)
    assert retriever.choose("empty", _talk("dog")) == []
    for messages in ([], [Message("system", "dog")]):
        assert [hit.score for hit in retriever.choose("a", messages)] == [0, 0]


def test_a_conversation_keeps_its_choice_as_it_goes_on(store: Store) -> None:
    history = Counted(store)
    retriever = Retriever(history, 2)
    first = retriever.choose("a", _talk("the dog"))
    store.history.add("a", [HistoryItem("", "dog dog dog")])
    for talk in (
        _talk("the dog", "Yes.", "the lamp"),
        _talk("the dog", "Yes.", "the lamp"),  # regenerated
        _talk("the dog", "Yes.", "the lamp", "No.", "the violin"),
        _talk("the dog", "Another reply.", "the lamp"),
    ):
        assert retriever.choose("a", talk) == first
    assert history.searches == 1


def test_a_new_conversation_with_the_same_beginning_sees_what_was_added(store: Store) -> None:
    retriever = Retriever(store.history, 1)
    retriever.choose("a", _talk("the dog"))
    store.history.add("a", [HistoryItem("", "dog dog dog")])
    assert _texts(retriever.choose("a", _talk("the dog"))) == ["dog dog dog"]


@pytest.mark.parametrize(
    "other",
    [
        _talk("the lamp"),
        _talk("the dog "),
        [Message("system", "the dog")],
        [Message("system", "x"), *_talk("the dog")],
        _talk("the dog")[1:] + _talk("lamp"),
    ],
)
def test_another_conversation_has_a_choice_of_its_own(store: Store, other: list[Message]) -> None:
    history = Counted(store)
    retriever = Retriever(history, 2)
    retriever.choose("a", _talk("the dog"))
    retriever.choose("a", other)
    assert history.searches == 2


def test_a_look_keeps_nothing_and_shows_what_is_kept(store: Store) -> None:
    history = Counted(store)
    retriever = Retriever(history, 2)
    talk = _talk("the dog", "Yes.", "More.")
    retriever.choose("a", talk, remember=False)
    first = retriever.choose("a", talk)
    assert history.searches == 2
    store.history.add("a", [HistoryItem("", "dog dog dog")])
    assert retriever.choose("a", talk, remember=False) == first


def test_messages_are_not_confused_by_how_they_are_divided(store: Store) -> None:
    history = Counted(store)
    retriever = Retriever(history, 2)
    retriever.choose("a", [Message("user", "dog"), Message("user", "lamp")])
    retriever.choose("a", [Message("user", "dog\0user\x004\0lamp")])
    retriever.choose("a", [Message("user", "dog\0user\0lamp")])
    assert history.searches == 3


def test_a_choice_without_a_match_is_made_again(store: Store) -> None:
    retriever = Retriever(store.history, 2)
    assert _matched(retriever.choose("a", _talk("Hi!"))) == []
    assert _matched(retriever.choose("a", _talk("Hi!", "Hello.", "lamp"))) == ["lamp"]
    store.history.add("a", [HistoryItem("", "hi zyzzyva")])
    assert _matched(retriever.choose("a", _talk("Hi!"))) == ["zyzzyva"]


def test_a_deleted_item_vanishes_and_a_changed_one_shows_its_new_text(store: Store) -> None:
    retriever = Retriever(store.history, 3)
    dog, lamp, _ = retriever.choose("a", _talk("dog lamp"))
    store.history.delete("a", [dog.stored.id])
    store.history.update("a", lamp.stored.id, lambda item: replace(item, text="quite new"))
    after = retriever.choose("a", _talk("dog lamp", "Yes.", "more"))
    assert [(hit.stored.id, hit.score > 0) for hit in after] == [(lamp.stored.id, True), (5, False)]
    assert after[0].passage == after[0].stored.item.text == "quite new"


def test_when_nothing_that_matched_is_left_the_choice_is_made_again(store: Store) -> None:
    retriever = Retriever(store.history, 2)
    (dog, _) = retriever.choose("a", _talk("dog"))
    store.history.delete("a", [dog.stored.id])
    assert _matched(retriever.choose("a", _talk("dog", "Yes.", "lamp"))) == ["lamp"]
    # A profile that was replaced has new items.
    before = retriever.choose("a", _talk("bay"))
    document = store.profiles.export("a")
    store.profiles.delete("a")
    store.profiles.put(document)
    assert _texts(retriever.choose("a", _talk("bay"))) == _texts(before)


def test_earlier_turns_weigh_less_and_the_assistant_s_not_at_all() -> None:
    found = queries(_talk("one", "reply", "two", "reply", "three", "reply", "four"))
    assert found == [(1.0, ["four"]), (DECAY, ["three"]), (DECAY**2, ["two"])]
    assert len(found) == TURNS


def test_the_last_turn_decides(store: Store) -> None:
    for first, last in (("dog", "lamp"), ("lamp", "dog")):
        talk = _talk(f"the {first}", "Yes.", f"the {last}")
        assert _matched(Retriever(store.history, 5).choose("a", talk))[:2] == [last, first]


def test_a_long_item_is_read_by_the_passage_that_matches(store: Store) -> None:
    filler = "The quick brown fox jumps. " * 300
    store.history.add("a", [HistoryItem("", f"{filler}\n\nA zyzzyva hides here.\n\n{filler}")])
    hit = Retriever(store.history, 1).choose("a", _talk("zyzzyva"))[0]
    assert "zyzzyva" in hit.passage
    assert len(hit.passage.encode()) <= PASSAGE < len(hit.stored.item.text)


def test_memory_is_bounded_and_forgets_the_oldest(store: Store) -> None:
    history, shelf = Counted(store), MemoryShelf(Bounds(10))
    retriever = Retriever(history, 1, shelf)
    for number in range(30):
        retriever.choose("a", _talk(f"dog {number}", "Yes.", "More."))
        retriever.choose("a", _talk("dog 0", "Yes.", "More."))  # used all the time, so never the oldest
    assert history.searches == 30
    retriever.choose("a", _talk("dog 29", "Yes.", "More."))
    assert history.searches == 30
    retriever.choose("a", _talk("dog 1", "Yes.", "More."))
    assert history.searches == 31
    assert len(shelf) == 10


def test_the_choices_of_others_than_these_are_forgotten(store: Store) -> None:
    history, shelf = Counted(store), MemoryShelf(CHOICES)
    retriever = Retriever(history, 2, shelf)
    talk = _talk("the dog", "Yes.", "More.")
    for name in ("a", "b"):
        retriever.choose(name, talk)
    retriever.keep_only(["b", "c"])
    assert len(shelf) == 1
    retriever.choose("b", talk)
    assert history.searches == 2
    retriever.choose("a", talk)
    assert history.searches == 3


def test_the_same_conversation_has_a_choice_for_each_profile(store: Store) -> None:
    history, shelf = Counted(store), MemoryShelf(CHOICES)
    retriever = Retriever(history, 2, shelf)
    talk = _talk("the dog", "Yes.", "More.")
    for name in ("a", "b", "a", "b"):
        assert all(text.startswith(f"{name} ") for text in _texts(retriever.choose(name, talk)))
    assert history.searches == 2


def test_two_profiles_in_use_at_once_never_mix(store: Store) -> None:
    retriever = Retriever(store.history, 3)

    def work(number: int) -> bool:
        name = "ab"[number % 2]
        talk = _talk(f"the {WORDS[number % 5]}", "Yes.", f"{number % 7}")
        return all(hit.passage.startswith(f"{name} ") for hit in retriever.choose(name, talk))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))


def test_choosing_while_the_history_changes_is_no_error(store: Store) -> None:
    retriever = Retriever(store.history, 3)

    def work(number: int) -> None:
        (added,) = store.history.add("a", [HistoryItem("", f"dog number{number}")])
        talk = _talk(f"number{number}", "Yes.", "More.")
        assert retriever.choose("a", talk)[0].stored == added
        store.history.update("a", added.id, lambda item: replace(item, text=f"new{number}"))
        assert retriever.choose("a", talk)[0].passage == f"new{number}"
        store.history.delete("a", [added.id])
        assert added.id not in [hit.stored.id for hit in retriever.choose("a", talk)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(32)))
    assert store.profiles.read("a").history_count == len(WORDS)
