"""What the remote and the small model may have of a conversation."""

from typing import Any

import pytest

from app.disclosure import guarded as reading
from app.disclosure.conversation import disclosed
from app.disclosure.guarded import guarded
from app.disclosure.identifiers import Found, identifiers
from app.profiles.disclosure import Disclosure
from app.profiles.profile import HistoryItem, Hit, Profile, StoredItem
from app.prompts.message import Message, ToolCall
from app.prompts.private import PrivateContext


def person(name: str = "Isabel Moreno", **fields: str) -> Profile:
    return Profile("isabel", name, tuple(fields.items()))


def hits(*texts: str) -> tuple[Hit, ...]:
    return tuple(
        Hit(StoredItem(number, HistoryItem("", text)), text, 0, 1.0) for number, text in enumerate(texts)
    )


def asked(*texts: str) -> tuple[Message, ...]:
    return tuple(
        Message(role, text) for role, text in zip(("user", "assistant") * len(texts), texts, strict=False)
    )


def test_what_is_off_is_not_read_and_is_guarded_where_another_text_says_it() -> None:
    private = PrivateContext(person(diagnosis="epilepsy"), hits("I sleep badly because of my epilepsy."))
    shown = disclosed(private, asked("Hi"), Disclosure(fields=(("diagnosis", "off"),)))
    assert shown.private.profile is not None
    assert not shown.private.profile.fields
    assert "epilepsy" in shown.guarded.words[()]


def test_the_remotes_own_words_stay_in_earlier_replies() -> None:
    private = PrivateContext(person(city="Valencia", age="5", language="English"))
    said = "Madrid, Valencia. 2+3=5. In English, Isabel."
    levels = Disclosure(fields=(("city", "open"), ("age", "fill")))
    shown = disclosed(private, asked("List", said, "More"), levels)
    assert shown.messages[1].content == "Madrid, Valencia. 2+3=5. In English, [Your first name]."
    assert (
        disclosed(private, asked("List", said, "More"), levels, {1: "as told"}).messages[1].content
        == "as told"
    )


def test_a_later_turn_reads_the_person_no_more_often_than_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()

    def find(text: str, **more: Any) -> list[Found]:
        read.append(text)
        return identifiers(text, **more)

    monkeypatch.setattr(reading, "identifiers", find)
    private = PrivateContext(person(city="Valencia"), hits("Call +34 961 23 45 67."))
    turns = asked("Who?", "Isabel Moreno of Valencia", "Again")
    first = disclosed(private, turns[:1], Disclosure())
    once = len(read)
    later = disclosed(private, turns, Disclosure())
    assert len(read) == 2 * once
    assert first.guarded == guarded(private, turns[:1], Disclosure())
    assert later.guarded == guarded(private, later.messages, Disclosure())
    assert "valencia" not in later.guarded.words.get((), ())


def test_a_name_is_turned_back_at_each_level_but_open() -> None:
    private = PrivateContext(person())
    turns = asked("Who?", "Isabel Moreno", "Again")
    for levels, content in (
        (Disclosure(), "[Your name]"),
        (Disclosure(least="shape"), "[Your name]"),
        (Disclosure(least="off"), "[Your name]"),
        (Disclosure(identifiers=(("name", "open"),)), "Isabel Moreno"),
    ):
        assert disclosed(private, turns, levels).messages[1].content == content


def test_what_the_user_types_stays_and_names_them() -> None:
    private = PrivateContext(person())
    shown = disclosed(private, asked("My name is Isabel.", "Hello", "Who am I?"), Disclosure())
    assert shown.messages[0].content == "My name is Isabel."
    assert "isabel" not in shown.guarded.words.get((), ())
    assert "moreno" in shown.guarded.words[()]


def test_a_name_that_is_a_word_too_is_not_freed_by_the_word() -> None:
    private = PrivateContext(person("Grace Young"))
    for question in ("Will you say grace with a young colleague?", "Grace is a virtue. Young people know."):
        shown = disclosed(private, asked(question), Disclosure())
        assert {"grace", "young"} <= shown.guarded.words[()]
    shown = disclosed(private, asked("I am Grace Young."), Disclosure())
    assert not {"grace", "young"} & shown.guarded.words.get((), frozenset())


def test_no_five_words_of_a_title_or_a_request_are_quoted() -> None:
    item = HistoryItem("", "No.", request="My landlord threatened to evict me again")
    private = PrivateContext(person(), (Hit(StoredItem(1, item), item.text, 0, 1.0),))
    words = disclosed(private, asked("Hi"), Disclosure()).guarded.words
    assert words["my", "landlord", "threatened", "to"] == {"evict"}


def test_what_calls_and_their_results_say_is_free_and_stays() -> None:
    private = PrivateContext(person(city="Valencia", street="Ronda"))
    call = ToolCall("call_1", "weather", '{"place": {"city": "VALENCIA", "days": ["Isabel Moreno"]}}')
    turns = (
        Message("user", "What will it be like?"),
        Message("assistant", "A moment, Isabel.", calls=(call,)),
        Message("tool", "Rain, says Isabel Moreno of the ronda", answers="call_1"),
    )
    shown = disclosed(private, turns, Disclosure("shape"))
    assert shown.messages[1] == Message("assistant", "A moment, [Your first name].", calls=(call,))
    assert (shown.messages[0], shown.messages[2]) == (turns[0], turns[2])
    free = {"valencia", "ronda", "isabel", "moreno"}
    before = disclosed(private, turns[:1], Disclosure("shape")).guarded.words[()]
    assert free <= before
    assert not free & shown.guarded.words.get((), frozenset())
    assert disclosed(private, turns, Disclosure("shape"), {1: "A moment."}).messages[1].calls == (call,)
