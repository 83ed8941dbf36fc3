"""A draft from beginning to end, over a real store and a model that copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from fakes import FakeTokenizer

from app.local.engine.owner import Owner
from app.profiles.disclosure import Disclosure
from app.profiles.profile import HistoryItem, Profile, ProfileDocument
from app.profiles.store import Store
from app.proposals.drafter import ASKED, ASKED_EACH, Drafted, Drafter, Step
from proposals.copying import CopyingModel

LETTERS = (
    "Dear Mum,\n\nI work as a plumber now. My dog Toby sleeps.\n\nAll the best,\nAnna",
    "Dear Ruth,\n\nCall me on +47 22 12 34 56.\n\nAll the best,\nAnna",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def put(store: Store, *texts: str | HistoryItem, **fields: str) -> Profile:
    items = tuple(one if isinstance(one, HistoryItem) else HistoryItem("", one) for one in texts)
    store.profiles.put(ProfileDocument(Profile("anna", "Anna Ek", tuple(fields.items())), items))
    return store.profiles.get("anna")


async def drafted(
    store: Store,
    person: Profile,
    model: CopyingModel | None = None,
    *,
    seconds: float = 60.0,
    clock: Callable[[], float] = lambda: 0.0,
    bounds: tuple[Disclosure, ...] = (),
) -> tuple[Drafted, list[Step]]:
    drafter = Drafter(store.history, model or CopyingModel(), FakeTokenizer(), bounds=bounds, clock=clock)
    async with aclosing(drafter.draft(person, seconds)) as running:
        seen = [one async for one in running]
    *steps, last = seen
    assert isinstance(last, Drafted)
    assert all(isinstance(one, Step) for one in steps)
    return last, [one for one in steps if isinstance(one, Step)]


async def test_fields_come_with_their_passages_and_levels_and_nothing_is_stored(store: Store) -> None:
    person, model = put(store, *LETTERS), CopyingModel()
    found, _ = await drafted(store, person, model)
    fields = {one.key: one for one in found.proposals if one.kind == "field"}
    assert {key: one.value for key, one in fields.items()} == {
        "occupation": "plumber",
        "pets": "dog Toby",
        "phone": "+47 22 12 34 56",
        "signs_off": "All the best, Anna",
    }
    assert (fields["phone"].level, fields["signs_off"].level, fields["pets"].level) == (
        "fill",
        "fill",
        "open",
    )
    newest = store.history.page("anna").items[0].id
    assert (fields["phone"].item_id, fields["occupation"].item_id) == (newest, newest - 1)
    for one in fields.values():
        assert one.passage[one.start : one.end] == one.value
    assert store.profiles.get("anna") == person
    assert model.kept == [Owner.of(person)]
    assert model.open == 0


async def test_what_the_profile_has_is_not_proposed(store: Store) -> None:
    found, _ = await drafted(store, put(store, *LETTERS, occupation="Pianist", about="Has a dog, Toby"))
    assert {one.key for one in found.proposals if one.kind == "field"} == {"phone", "signs_off"}


async def test_what_is_off_is_neither_read_nor_proposed(store: Store) -> None:
    secret = HistoryItem("", "I work as a spy.", disclosure="off")
    model = CopyingModel()
    person = put(store, secret, LETTERS[1])
    found, _ = await drafted(store, person, model, bounds=(Disclosure(identifiers=(("phone", "off"),)),))
    assert "spy" not in "".join(model.read)
    assert "phone" in {one.key for one in found.proposals}  # a bound is a least level alone

    async def of(disclosure: Disclosure) -> set[str]:
        store.profiles.put(
            ProfileDocument(Profile("anna", "Anna Ek", disclosure=disclosure), (HistoryItem("", LETTERS[1]),))
        )
        return {one.key for one in (await drafted(store, store.profiles.get("anna")))[0].proposals}

    assert "phone" not in await of(Disclosure(identifiers=(("phone", "off"),)))
    assert await of(Disclosure(least="off")) == set()


async def test_the_steps_go_from_none_to_all_of_each_stage(store: Store) -> None:
    _, steps = await drafted(
        store, put(store, *LETTERS, *(f"{'Well, so it was. ' * 15}{n}" for n in range(3)))
    )
    assert list(dict.fromkeys(one.stage for one in steps)) == ["reading", "fields", "preferences"]
    for stage in ("reading", "fields", "preferences"):
        own = [one for one in steps if one.stage == stage]
        assert [one.done for one in own] == list(range(own[0].total + 1))


async def test_no_more_is_asked_than_the_limits_say(store: Store) -> None:
    words = ("baking", "rowing", "singing", "knitting", "fishing", "cycling", "painting", "reading", "sewing")
    model = CopyingModel()
    person = put(store, *(f"I enjoy {a} and {b}." for a in words for b in words))
    _, steps = await drafted(store, person, model)
    assert max(one.total for one in steps if one.stage == "fields") == ASKED_EACH <= ASKED
    assert len(model.read) == 2 * ASKED_EACH


async def test_when_the_time_is_over_what_was_found_is_given(store: Store) -> None:
    ticks = iter(range(10_000))
    found, _ = await drafted(store, put(store, *LETTERS), seconds=1.0, clock=lambda: float(next(ticks)))
    assert found.cut  # before the model was asked anything
    assert "occupation" not in {one.key for one in found.proposals}
    assert "signs_off" in {one.key for one in found.proposals}


async def test_an_empty_history_proposes_nothing(store: Store) -> None:
    found, _ = await drafted(store, put(store))
    assert (found.proposals, found.texts, found.cut) == ((), 0, False)


async def test_the_oldest_of_a_long_history_is_found_by_a_search(store: Store) -> None:
    person = put(
        store, "I work as a plumber, since my job is my life.", *("Nothing here." for _ in range(250))
    )
    found, _ = await drafted(store, person)
    assert "plumber" in {one.value for one in found.proposals}


async def test_many_long_texts_leave_room_for_what_a_search_finds(store: Store) -> None:
    long = "Well, that was a day like any other. " * 600
    texts = [f"{long} {number}" for number in range(60)]
    found, _ = await drafted(store, put(store, "I work as a plumber, since my job is my life.", *texts))
    assert found.texts < len(texts)
    assert "plumber" in {one.value for one in found.proposals}


async def test_of_many_numbers_those_that_are_given_most_often_are_proposed(store: Store) -> None:
    texts = [f"Well, {n}: call me on +47 22 12 34 {max(n, 10)}." for n in range(40)]
    found, _ = await drafted(store, put(store, *texts))
    phones = [one for one in found.proposals if one.key == "phone"]
    assert (phones[0].value, phones[0].passages) == ("+47 22 12 34 10", 11)
    assert len(phones) <= 3


async def test_what_a_mail_quotes_is_not_the_person_s(store: Store) -> None:
    quoted = "> We love the colour! The colour is grey, isn't it?\n" * 3
    own = "The bus came at nine and we went to the town to see what there was to be seen on that day. " * 4
    person, model = put(store, *(f"{quoted}{own}{number}." for number in range(3)), quoted), CopyingModel()
    found, _ = await drafted(store, person, model)
    values = {one.value for one in found.proposals}
    assert "Use no exclamation marks." in values
    assert not {"Use exclamation marks.", "Use British spelling."} & values
    assert model.read
    assert "colour" not in "".join(model.read)
