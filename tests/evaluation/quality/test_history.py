"""Which passages a case is given: what the product's search finds, and the newest."""

from pathlib import Path

from app.evaluation.quality.history import newest_items, retrieval
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import Store
from app.prompts.message import Message
from app.prompts.retrieval import Retriever

HISTORY = [
    HistoryItem("Toast", "A toast to the bride and the groom."),
    HistoryItem("Boat", "The boat leaves at seven."),
    HistoryItem("Garden", "Tulips want sand, and the bride wants tulips."),
    HistoryItem("Bill", "Enclosed is the bill."),
]
ASKED = (Message("user", "Write a toast for the bride, please."),)


def test_the_search_is_the_products(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.profiles.create(ProfileDocument(Profile("ann", "Ann"), tuple(HISTORY)))
        own = Retriever(store.history, 3).choose("ann", ASKED)
    with retrieval() as choose:
        found = choose(HISTORY, ASKED, 3)
    assert [hit.passage for hit in found] == [hit.passage for hit in own]
    assert [hit.stored.item.title for hit in found] == ["Toast", "Garden", "Bill"]  # the last is the newest


def test_one_history_knows_nothing_of_another() -> None:
    with retrieval() as choose:
        (alone,) = choose(HISTORY[1:2], ASKED, 3)
        assert [hit.stored.item.title for hit in choose(HISTORY, ASKED, 1)] == ["Toast"]
        assert alone.passage == "The boat leaves at seven."
        assert choose(HISTORY, ASKED, 0) == ()


def test_the_newest_come_whatever_is_asked() -> None:
    assert [hit.stored.item.title for hit in newest_items(HISTORY, ASKED, 2)] == ["Bill", "Garden"]
