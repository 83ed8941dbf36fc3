"""The index finds what a history holds, in any language, and nothing that it does not hold."""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import Store, index
from app.profiles.terms import terms


def _document(profile_id: str, *history: HistoryItem) -> ProfileDocument:
    return ProfileDocument(Profile(profile_id, "A"), history)


@pytest.fixture
def store(store: Store) -> Store:
    store.profiles.put(_document("a"))
    return store


def _add(store: Store, *texts: str) -> list[int]:
    return [one.id for one in store.history.add("a", [HistoryItem("", text) for text in texts])]


def _search(store: Store, words: str, profile_id: str = "a", limit: int = 5) -> list[int]:
    return [hit.stored.id for hit in store.history.search(profile_id, [(1.0, terms(words))], limit)]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("我昨天在东京都的图书馆写了一封信", "图书馆"),
        ("我昨天在东京都的图书馆写了一封信", "图"),
        ("我昨天在东京都的图书馆写了一封信", "信"),  # the last of a run
        ("我昨天在东京都的图书馆写了一封信", "昨天我在哪里写信"),
        ("昨日は東京都庁でラーメンを食べました", "都庁"),
        ("昨日は東京都庁でラーメンを食べました", "ラーメン"),
        ("昨日は東京都庁でラーメンを食べました", "食べ"),
        ("昨日は東京都庁でラーメンを食べました", "庁"),
        ("昨日は東京都庁でラーメンを食べました", "た"),
        ("ﾗｰﾒﾝとｶﾞﾗｽ", "ガラス"),
        ("ラーメンとガラス", "ｶﾞﾗｽ"),
        ("\uff21\uff22\uff23株式会社の\uff12\uff10\uff12\uff16年", "abc 2026"),
        ("人々は「ジョン・スミス」と呼ぶ。", "ジョン・スミス"),
        ("𠮷野家で食べる", "𠮷"),
        ("이 한국어도서관은 조용합니다", "도서관"),
        ("이 한국어도서관은 조용합니다", "관"),
        ("이 한국어도서관은 조용합니다", "은"),
        ("ฉันเขียนจดหมายที่ห้องสมุดเมื่อวานนี้", "ห้องสมุด"),
        ("ฉันเขียนจดหมายที่ห้องสมุดเมื่อวานนี้", "ฉ"),
        ("मैंने कल पुस्तकालय में हिन्दी की चिट्ठी लिखी", "पुस्तकालय"),
        ("मैंने कल पुस्तकालय में हिन्दी की चिट्ठी लिखी", "हिन्दी"),
        ("Die Größe der Straße", "GRÖSSE"),
        ("Die Größe der Straße", "grosse strasse"),
        ("Un élève déçu près du café", "ELEVE"),
        ("Un élève déçu près du café", "cafe\u0301"),
        ("\uff26\uff55\uff4c\uff4c\u3000\uff57\uff49\uff44\uff54\uff48", "full"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("She was running happily", "run"),
        ("A run of happiness", "running happy"),
        ("see file_name.py, e-mail me@example.com", "name"),
        ("see file_name.py, e-mail me@example.com", "example"),
        ("it's 3.14", "14"),
        ("東京でbayを見た", "bay"),
        ("Η Ελλάδα και ο Σίσυφος", "ΕΛΛΑΔΑ"),
        ("Ὦ ἄνδρες Ἀθηναῖοι", "αθηναιοι"),
        ("Ёлка у за\u0301мка", "ЕЛКА"),
        ("Ёлка у за\u0301мка", "замка"),
        ("Йогурт и чай", "ча\u0438\u0306"),
        ("Gezi İstanbul, Diyarbakır", "istanbul"),
        ("Gezi İstanbul, Diyarbakır", "DİYARBAKIR"),
        ("Žižková jela do Łodzi", "zizkova"),
        ("Žižková jela do Łodzi", "lodzi"),
        ("Hà Nội và Đà Nẵng", "ha noi"),
        ("Hà Nội và Đà Nẵng", "DA NANG"),
        ("مُحَمَّد وأحمد", "محمد"),
        ("كتب أحمد رســالة", "احمد"),
        ("كتب أحمد رســالة", "رسالة"),
        ("שָׁלוֹם עולם", "שלום"),
        ("Donau\u00addampfschiff", "donaudampfschiff"),
        ("葛\U000e0100飾区", "葛飾"),
        ("the bay\U0001f923 and ₿100", "bay 100"),  # both newer than SQLite's tables of letters
    ],
)
def test_words_are_found_in_any_language(store: Store, text: str, query: str) -> None:
    other, item = _add(store, "qqq 999 ぬ", text)
    assert _search(store, query) == [item]
    store.history.update("a", other, lambda _: HistoryItem(text, "x"))
    assert sorted(_search(store, query)) == [other, item]  # in a title as well


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("हिन्दी", "हिन्दु"),  # a vowel sign is a part of the word
        ("東京", "京東"),
        ("がく", "かく"),  # two letters, though Unicode has one with a mark
        ("ガス", "カス"),
        ("กา", "กี"),
        ("கி", "கு"),
        ("чай", "чаи"),  # й is no и with an accent
        ("їжак", "іжак"),
        ("مئة", "مية"),
        ("running", "rung"),
        ("bay", "ba"),
    ],
)
def test_other_words_are_not_found(store: Store, text: str, query: str) -> None:
    _add(store, text)
    assert _search(store, query) == []


@pytest.mark.parametrize(
    "query",
    [
        *(
            '"',
            "*",
            "^",
            "-",
            "+",
            ":",
            "(",
            ")",
            "AND",
            "OR NOT",
            "NEAR(",
            "NEAR(a b, 2)",
            "text:bay",
            "{text}:a",
        ),
        *("' OR 1=1 --", "'; DROP TABLE history; --", '":a:search"', "%", "_", "?", ":x", "\0", "a\0b", "\\"),
        *("・", "・・", "๏", "\u20e3", "\u200d", "\ue000", "\u0301", "\ufffe", "\U0010ffff", "İ", "ẞ", ""),
        "x " * 5000,
        "字" * 5000,
    ],
)
def test_operators_and_odd_characters_are_nothing_but_text(store: Store, query: str) -> None:
    _add(store, f"some text {query} around it", "bay")
    _search(store, query)
    assert len(_search(store, "around")) == 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_can_be_looked_up_and_finds_itself(store: Store, query: str) -> None:
    store.history.clear("a")
    (item,) = _add(store, f"bay {query}")
    found = _search(store, query)
    letters = [one for one in query if unicodedata.category(one)[0] in "LN"]
    assert found == [item] if letters else found in ([], [item])


def test_a_rare_word_counts_more_than_a_common_one(store: Store) -> None:
    common, *_, rare = _add(store, "dog dog dog", *["a dog and a cat"] * 5, "a dog and a zyzzyva")
    assert _search(store, "dog zyzzyva")[0] == rare
    assert _search(store, "dog")[0] == common


def test_a_query_counts_by_its_weight(store: Store) -> None:
    bay, dog, _ = _add(store, "the bay", "the dog", "the cat")

    def first(bay_weight: float) -> int:
        return store.history.search("a", [(bay_weight, ["bay"]), (1.0, ["dog"])], 5)[0].stored.id

    assert (first(2.0), first(0.5)) == (bay, dog)
    (one,) = store.history.search("a", [(1.0, ["bay"])], 5)
    (half,) = store.history.search("a", [(0.5, ["bay"])], 5)
    assert half.score == pytest.approx(one.score / 2)


def test_a_request_s_words_count_as_much_as_the_text_s(store: Store) -> None:
    """An exchange is found by its question as if it stood in the text, and no sooner."""
    given = HistoryItem("", "the dog sleeps", request="where is the bay")
    store.history.add("a", [given, HistoryItem("", f"{given.request}\n\n{given.text}")])
    asked, written = store.history.search("a", [(1.0, ["bay", "dog"])], 5)
    assert asked.score == pytest.approx(written.score)


def test_what_is_rare_for_one_profile_is_none_of_another_s_business(store: Store) -> None:
    _add(store, "bay", "dog", "cat")
    (before,) = store.history.search("a", [(1.0, ["bay"])], 5)
    store.profiles.put(_document("b", *[HistoryItem("", "bay")] * 20))
    (after,) = store.history.search("a", [(1.0, ["bay"])], 5)
    assert after == before


def test_the_commonest_words_give_way_when_a_search_would_read_too_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BUDGET", 4)
    _add(store, *["the dog"] * 5)
    (rare,) = _add(store, "the zyzzyva")
    assert _search(store, "the zyzzyva") == [rare]
    # At least one word is looked up, however common.
    assert len(_search(store, "the")) == 5


NAMES = ("a", "b-_")


class Histories(RuleBasedStateMachine):
    """Any sequence of changes to two profiles: each item is found by its word, no byte of others stays."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(self.folder)
        self.number = 0
        # Of each profile the words by item, and all words that are gone.
        self.kept: dict[str, dict[int, str]] = {name: {} for name in NAMES}
        self.gone: set[str] = set()
        for name in NAMES:
            self.store.profiles.put(_document(name))

    def word(self) -> str:
        """One that no other is the beginning or the stem of."""
        self.number += 1
        return f"quaxl{self.number:04}"

    def item(self, size: int) -> tuple[str, HistoryItem]:
        word = self.word()
        text = "filler words. " * (size * 100) + word + " more filler." * (size * 100)
        if self.number % 3 == 0:
            return word, HistoryItem("Titel", "filler", request=text)
        return word, HistoryItem("Titel", text, request="Anfrage")

    @rule(name=st.sampled_from(NAMES), sizes=st.lists(st.integers(0, 3), max_size=4))
    def add(self, name: str, sizes: list[int]) -> None:
        pairs = [self.item(size) for size in sizes]
        added = self.store.history.add(name, [item for _, item in pairs])
        self.kept[name] |= {one.id: word for one, (word, _) in zip(added, pairs, strict=True)}

    @rule(name=st.sampled_from(NAMES), place=st.integers(0), size=st.integers(0, 3))
    def update(self, name: str, place: int, size: int) -> None:
        if ids := list(self.kept[name]):
            item_id, (word, item) = ids[place % len(ids)], self.item(size)
            self.store.history.update(name, item_id, lambda _: item)
            self.gone.add(self.kept[name][item_id])
            self.kept[name][item_id] = word

    @rule(name=st.sampled_from(NAMES), share=st.integers(1, 3))
    def delete(self, name: str, share: int) -> None:
        chosen = list(self.kept[name])[::share]
        self.store.history.delete(name, chosen)
        self.gone |= {self.kept[name].pop(item_id) for item_id in chosen}

    @rule(name=st.sampled_from(NAMES))
    def clear(self, name: str) -> None:
        assert self.store.history.clear(name) == len(self.kept[name])
        self.gone |= set(self.kept[name].values())
        self.kept[name] = {}

    @rule(name=st.sampled_from(NAMES), again=st.booleans())
    def put(self, name: str, again: bool) -> None:
        document = self.store.profiles.export(name)
        added = self.word()
        self.store.profiles.put(replace(document, history=(*document.history[1:], HistoryItem("", added))))
        if again:
            document = self.store.profiles.export(name)
            self.store.profiles.delete(name)
            self.store.profiles.put(document)
        old = list(self.kept[name].values())
        self.gone |= set(old[:1])
        items = self.store.history.page(name, limit=1000, newest_first=False).items
        self.kept[name] = {one.id: word for one, word in zip(items, [*old[1:], added], strict=True)}

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder)

    @invariant()
    def the_index_agrees_with_the_rows(self) -> None:
        for name, kept in self.kept.items():
            for item_id, word in kept.items():
                assert _search(self.store, word, name) == [item_id]
            for word in self.gone:
                assert _search(self.store, word, name) == []

    @invariant()
    def what_is_gone_is_in_no_file(self) -> None:
        raw = b"".join(path.read_bytes() for path in self.folder.iterdir())
        assert not [word for word in self.gone if word.encode() in raw]

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=12, stateful_step_count=15)
