"""Telegram's export: who the person is, which messages are their own words, and all chats or one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sources.exports.messenger import NO_NAME
from app.sources.exports.telegram import AS_HTML, FORWARDED, MEDIA, OTHERS, SERVICE, looks_like, read
from app.sources.found import Found, Person
from sources.exports.test_chatgpt import JSON
from sources.exports.test_whatsapp import LONG, MORE
from sources.laws import ANNA, NOBODY, hold, sorted_out, written, zipped

ME, BO = 111, 222
NAMES: dict[int | str, str] = {ME: "Anna Ek", BO: "Bo"}


def message(number: int, sender: int | str, text: object, **more: object) -> dict[str, object]:
    return {
        "id": number,
        "type": "message",
        "date": "2023-12-31T18:00:00",
        "date_unixtime": str(1704042000 + number),
        "from": NAMES.get(sender, "Cleo"),
        "from_id": f"user{sender}",
        "text": text,
        "text_entities": [],
        **more,
    }


def chat(*messages: object, **more: object) -> dict[str, object]:
    return {"name": "Bo", "type": "personal_chat", "id": BO, **more, "messages": list(messages)}


def everything(*chats: object) -> dict[str, object]:
    return {
        "about": "Here is the data you requested.",
        "personal_information": {"user_id": ME, "first_name": "Anna", "last_name": "Ek", "bio": "x"},
        "contacts": {"about": "", "list": [{"first_name": "Bo", "messages": [1]}]},
        "chats": {"about": "", "list": list(chats)},
        "left_chats": {"about": "", "list": []},
    }


def export(folder: Path, value: object, name: str = "result.json") -> Path:
    return written(folder / name, json.dumps(value, indent=1, ensure_ascii=False))


def found(path: Path, person: Person = NOBODY) -> list[Found]:
    return sorted_out(read(path, person))[0]


def test_of_two_people_it_is_the_one_whom_the_chat_is_not_named_after(tmp_path: Path) -> None:
    path = export(tmp_path, chat(message(1, BO, "When?"), message(2, ME, LONG), message(3, ME, MORE)))
    for person in (NOBODY, ANNA, Person(names=("somebody",))):
        kept, reasons = sorted_out(read(path, person))
        assert [(one.item.text, one.item.request, one.part) for one in kept] == [
            (f"{LONG}\n{MORE}", "When?", f"{BO}/2")
        ]
        assert kept[0].item.created_at == datetime.fromtimestamp(1704042002, UTC)
        assert reasons == {OTHERS: 1}


def test_the_person_may_be_the_one_whom_the_chat_is_named_after(tmp_path: Path) -> None:
    path = export(tmp_path, chat(message(1, BO, LONG), message(2, ME, MORE)))
    assert [one.item.text for one in found(path, Person(names=("Bo",)))] == [LONG]


def test_an_export_of_all_chats_says_who_the_person_is(tmp_path: Path) -> None:
    group = {"name": "Club", "type": "private_group", "id": 5}
    path = export(
        tmp_path,
        everything(
            chat(message(1, ME, LONG), message(1, BO, LONG)),
            chat(message(1, 333, LONG), message(7, ME, MORE), **group),
            chat(name=None, id=6),
        ),
    )
    assert [(one.item.text, one.part) for one in found(path)] == [(LONG, f"{BO}/1"), (MORE, "5/7")]


def test_somebody_with_the_person_s_name_is_somebody_else(tmp_path: Path) -> None:
    namesake = message(1, 333, LONG, **{"from": "Anna Ek"})
    path = export(
        tmp_path, everything(chat(namesake, message(2, ME, MORE), name="Club", type="private_group"))
    )
    assert [one.item.text for one in found(path, ANNA)] == [MORE]


def test_in_a_group_a_name_says_who_the_person_is(tmp_path: Path) -> None:
    path = export(
        tmp_path, chat(message(1, 333, LONG), message(2, ME, MORE), type="private_group", name="Club")
    )
    assert [one.item.text for one in found(path, ANNA)] == [MORE]
    kept, reasons = sorted_out(read(path, NOBODY))
    assert not kept and reasons == {OTHERS: 2, NO_NAME: 1}


def test_saved_messages_are_the_persons_own(tmp_path: Path) -> None:
    saved = {"type": "saved_messages", "id": ME, "messages": [message(1, ME, LONG)]}
    assert [one.item.text for one in found(export(tmp_path, saved))] == [LONG]


def test_the_signature_of_a_post_in_a_channel(tmp_path: Path) -> None:
    post = message(1, "x", LONG, **{"from": "Club", "from_id": "channel9", "author": "Anna Ek"})
    path = export(tmp_path, chat(post, type="public_channel", name="Club", id=9))
    assert [one.item.text for one in found(path, ANNA)] == [LONG]


def test_numeric_senders_of_old_exports(tmp_path: Path) -> None:
    path = export(
        tmp_path, everything(chat(message(1, ME, LONG, from_id=ME), message(2, BO, MORE, from_id=BO)))
    )
    assert [one.item.text for one in found(path)] == [LONG]


def test_links_names_and_formats_are_words(tmp_path: Path) -> None:
    pieces = [
        "Ask ",
        {"type": "mention_name", "text": "Bo", "user_id": BO},
        ", ",
        {"type": "bold", "text": LONG},
        7,
    ]
    assert found(export(tmp_path, chat(message(1, ME, pieces))))[0].item.text == f"Ask Bo, {LONG}"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"forwarded_from": "Cleo"}, FORWARDED),
        ({"forwarded_from": None}, FORWARDED),
        ({"saved_from": "Cleo"}, FORWARDED),
        ({"via_bot": "@gif"}, FORWARDED),
        ({"type": "service", "action": "phone_call"}, SERVICE),
        ({"type": "unsupported"}, SERVICE),
        ({"text": "", "photo": "(File not included.)"}, MEDIA),
        ({"text": "", "media_type": "sticker", "sticker_emoji": "x"}, MEDIA),
        ({"text": None, "poll": {"question": LONG}}, MEDIA),
    ],
)
def test_what_is_not_the_persons_words_is_left_out(
    tmp_path: Path, more: dict[str, object], reason: str
) -> None:
    kept, reasons = sorted_out(read(export(tmp_path, chat({**message(1, ME, LONG), **more})), NOBODY))
    assert not kept and reasons == {reason: 1}


def test_a_caption_and_an_edited_message_are_the_persons_words(tmp_path: Path) -> None:
    edited = message(1, ME, LONG, photo="photos/1.jpg", edited="2024-01-01T00:00:00", reply_to_message_id=9)
    assert [one.item.text for one in found(export(tmp_path, chat(edited)))] == [LONG]


def test_control_characters_as_telegram_writes_them(tmp_path: Path) -> None:
    text = json.dumps(chat(message(1, ME, f"{LONG}!"))).replace("!", "\\x1F")
    assert found(written(tmp_path / "result.json", text))[0].item.text.startswith(LONG)


def test_html_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "messages2.html", '<html><body><div class="page_wrap">secret')
    assert looks_like(path)
    assert [one.reason for one in read(path, ANNA) if not isinstance(one, Found)] == [AS_HTML]
    assert not looks_like(written(tmp_path / "messages.html", "<html>a page of mine"))


def test_what_looks_like_telegrams(tmp_path: Path) -> None:
    assert looks_like(export(tmp_path, chat(message(1, ME, LONG))))
    assert looks_like(export(tmp_path, everything(), "all.json"))
    content = json.dumps(chat(message(1, ME, LONG)))
    path = zipped(tmp_path / "export.zip", {"ChatExport/result.json": content})
    assert looks_like(path) and len(found(path)) == 1
    others: list[object] = [[], {"text": '"from_id": 1'}, {"history": [{"text": "x"}]}, [{"mapping": {}}]]
    for value in others:
        assert not looks_like(export(tmp_path, value, "other.json"))


def test_a_file_that_ends_too_early_keeps_what_came_before(tmp_path: Path) -> None:
    text = json.dumps(chat(message(1, ME, LONG), message(2, ME, MORE)))
    path = written(tmp_path / "result.json", text[: text.index(MORE) + 5])
    left_out = [one for one in read(path, NOBODY) if not isinstance(one, Found)]
    assert any(one.broken for one in left_out)


def test_chats_within_chats_do_not_nest(tmp_path: Path) -> None:
    text = '{"chats": {"list": [' * 50_000
    assert not found(written(tmp_path / "result.json", text))


KEYS = ["type", "id", "name", "messages", "from", "from_id", "text", "date", "date_unixtime", "chats", "list"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.lists(
        st.builds(
            lambda sender, more: {**message(1, sender, LONG), **more},
            st.sampled_from([ME, BO, 3]),
            st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3),
        )
        | JSON,
        max_size=4,
    ),
    st.dictionaries(st.sampled_from([*KEYS, "personal_information"]), JSON, max_size=3),
    st.booleans(),
)
def test_no_json_raises_and_all_bounds_hold(
    tmp_path: Path, messages: list[object], more: dict[str, object], alone: bool
) -> None:
    one = {**chat(*messages), **more}
    path = export(
        tmp_path, json.loads(json.dumps(one if alone else {**everything(one), **more}).replace("\\ud", ""))
    )
    looks_like(path)
    hold(lambda: read(path, ANNA))
