"""Where items were read is stored beside them, changes are made in batches, and all of it can be erased."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from app.errors import InvalidRequest, ProfileNotFound
from app.profiles.origin import Add, Known, Move, Origin, Relevel, Remove, Replace, Root, content_hash
from app.profiles.profile import HistoryItem
from app.profiles.store import Store
from app.profiles.terms import terms
from profiles.store.conftest import Bytes
from profiles.store.people import ISABEL, WALTER

LETTER = HistoryItem("Letter", "about the lighthouse", source="letter.md", request="Write.")
ORIGIN = Origin("/home/isabel/letter.md", "", content_hash(LETTER))


@pytest.fixture
def store(store: Store) -> Store:
    store.profiles.put(ISABEL)
    store.profiles.put(WALTER)
    return store


def found(store: Store, words: str) -> list[int]:
    return [hit.stored.id for hit in store.history.search("isabel", [(1.0, terms(words))], 5)]


def test_an_item_is_known_by_its_place_its_content_and_its_level(store: Store) -> None:
    assert store.sources.apply("isabel", [Add(replace(LETTER, disclosure="off"), ORIGIN)]) == {Add: 1}
    assert store.sources.known("isabel") == [
        Known(1, Origin(), content_hash(ISABEL.history[0])),
        Known(2, Origin(), content_hash(ISABEL.history[1])),
        Known(3, ORIGIN, ORIGIN.read, "off"),
    ]
    assert store.sources.known("walter") == []
    with pytest.raises(ProfileNotFound):
        store.sources.known("nobody")


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"title": "Other"}, True),
        ({"text": "other"}, True),
        ({"request": "Other."}, True),
        ({"kind": "turn"}, True),
        ({"source": "other.md"}, False),
        ({"disclosure": "off"}, False),
    ],
)
def test_a_hash_is_of_what_an_item_is_and_says(changed: dict[str, str], differs: bool) -> None:
    assert (content_hash(replace(LETTER, **changed)) != content_hash(LETTER)) is differs  # type: ignore[arg-type]
    assert content_hash(HistoryItem("a", "b")) != content_hash(HistoryItem("", "ab"))


def test_a_correction_by_hand_changes_the_hash_and_not_what_was_read(store: Store) -> None:
    store.sources.apply("isabel", [Add(LETTER, ORIGIN)])
    after = store.history.update("isabel", 3, lambda item: replace(item, text="corrected"))
    assert store.sources.known("isabel")[2] == Known(3, ORIGIN, content_hash(after.item))


def test_changes_are_made_together_and_counted(store: Store, on_disk: Bytes) -> None:
    store.sources.apply("isabel", [Add(LETTER, ORIGIN), Add(replace(LETTER, text="second"))])
    store.history.update("isabel", 3, lambda item: replace(item, disclosure="off"))
    before = store.history.get("isabel", 3).item
    version = store.profiles.get("isabel").version
    rewritten = replace(LETTER, text="about the harbour", disclosure="shape")
    moved = Origin("/home/isabel/dog.md", "", content_hash(ISABEL.history[1]))
    made = store.sources.apply(
        "isabel",
        [
            Replace(3, rewritten, replace(ORIGIN, read=content_hash(rewritten))),
            Move(2, moved),
            Relevel(4, "fill"),
            Remove(1),
            Add(HistoryItem("", "new")),
        ],
    )
    assert made == Counter({Replace: 1, Move: 1, Relevel: 1, Remove: 1, Add: 1})
    assert store.profiles.get("isabel").version == version + 1
    page = store.history.page("isabel", newest_first=False).items
    assert [one.id for one in page] == [2, 3, 4, 5]
    # The level is the person's; the time is that of the item.
    assert page[1].item == replace(rewritten, disclosure="off", created_at=before.created_at)
    assert page[2].item.disclosure == "fill"
    assert [one.origin.file for one in store.sources.known("isabel")] == [moved.file, ORIGIN.file, "", ""]
    assert (found(store, "lighthouse"), found(store, "harbour"), found(store, "bay")) == ([], [3], [])
    assert b"lighthouse" not in on_disk()


def test_a_level_that_is_given_replaces_the_stored_one(store: Store) -> None:
    store.sources.apply("isabel", [Add(replace(LETTER, disclosure="off"), ORIGIN)])
    store.sources.apply("isabel", [Replace(3, LETTER, ORIGIN, "shape")])
    assert store.history.get("isabel", 3).item.disclosure == "shape"


def test_a_moved_file_renames_the_item_that_is_called_after_it(store: Store) -> None:
    names = ("harbour", "lighthouse")
    for title in ("harbour", "My own"):
        store.sources.apply(
            "isabel", [Add(HistoryItem(title, "about a place"), Origin(f"/{title}", "", "r"))]
        )
    store.history.update("isabel", 3, lambda item: replace(item, text="by hand"))
    there = Origin("/lighthouse", "", "r")
    store.sources.apply("isabel", [Move(3, there, names), Move(4, replace(there, part="1"), names)])
    items = [store.history.get("isabel", item_id).item for item_id in (3, 4)]
    assert [(one.title, one.text) for one in items] == [
        ("lighthouse", "by hand"),
        ("My own", "about a place"),
    ]
    assert (found(store, "harbour"), found(store, "lighthouse")) == ([], [3])
    known = store.sources.known("isabel")[2:]
    assert [one.hash for one in known] == [content_hash(item) for item in items]


def test_what_others_did_meanwhile_is_left_out(store: Store) -> None:
    store.sources.apply("isabel", [Add(LETTER, ORIGIN)])
    store.history.delete("isabel", [1])
    other = store.history.add("walter", [LETTER])[0].id
    made = store.sources.apply(
        "isabel",
        [
            Add(LETTER, ORIGIN),
            Replace(1, LETTER, ORIGIN),
            Remove(1),
            Move(other, ORIGIN),
            Remove(other),
            Remove(99),
        ],
    )
    assert made == {}
    assert store.history.get("walter", other).item.text == LETTER.text
    assert [one.id for one in store.sources.known("isabel")] == [2, 3]


def test_an_erased_item_leaves_neither_path_nor_hash(store: Store, on_disk: Bytes) -> None:
    store.sources.apply("isabel", [Add(LETTER, ORIGIN)])
    assert b"/home/isabel/letter.md" in on_disk()
    store.history.delete("isabel", [3])
    assert b"/home/isabel/letter.md" not in on_disk()
    assert ORIGIN.read.encode() not in on_disk()


def test_folders_are_remembered_changed_and_forgotten(store: Store, on_disk: Bytes) -> None:
    notes = Root("/home/isabel/notes", ("Isa", "isa@example.org"), "turn", "off")
    store.sources.remember("isabel", notes)
    store.sources.remember("isabel", Root("/home/isabel/chats"))
    store.sources.remember("walter", Root("/home/isabel/notes"))
    assert store.sources.roots("isabel") == [notes, Root("/home/isabel/chats")]
    store.sources.remember("isabel", replace(notes, me=(), kind=None))
    assert store.sources.roots("isabel")[0] == Root(notes.path, level="off")
    store.sources.forget("isabel", "/home/isabel/chats")
    assert b"/home/isabel/chats" not in on_disk()
    with pytest.raises(InvalidRequest):
        store.sources.forget("isabel", "/home/isabel/chats")
    store.profiles.delete("isabel")
    assert [store.sources.roots(name) for name in ("walter",)] == [[Root("/home/isabel/notes")]]
    store.profiles.delete("walter")
    assert b"/home/isabel" not in on_disk()


def test_a_replaced_profile_keeps_its_folders_as_it_keeps_its_keys(store: Store) -> None:
    store.sources.remember("isabel", Root("/home/isabel/notes"))
    store.profiles.put(replace(ISABEL, history=()))
    assert store.sources.roots("isabel") == [Root("/home/isabel/notes")]


def test_what_is_opened_for_reading_cannot_be_written(store: Store) -> None:
    with Store.look(store.path.parent) as looking:
        assert looking.sources.known("isabel") == store.sources.known("isabel")
        assert looking.profiles.get("isabel") == ISABEL.profile
        with pytest.raises(Exception, match="written"):
            looking.sources.apply("isabel", [Add(LETTER)])


def test_no_repr_shows_a_path_or_a_text() -> None:
    every = [ORIGIN, Known(1, ORIGIN, "h"), Root("/home/isabel", ("Isa",)), Add(LETTER, ORIGIN)]
    every += [Replace(1, LETTER, ORIGIN), Move(1, ORIGIN, ("Isa", "Isa2"))]
    for one in every:
        assert not any(word in repr(one) for word in ("isabel", "Isa", "lighthouse"))
