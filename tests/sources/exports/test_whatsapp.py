"""Chats of WhatsApp as phones write them: whose line is whose, when, and what is nobody's words."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profiles.profile import MAX_TEXT
from app.sources.exports import whatsapp
from app.sources.exports.messenger import FULL, MAX_ASKED
from app.sources.exports.whatsapp import MEDIA, OTHERS, SYSTEM, looks_like, read
from app.sources.exports.whatsapp_stamp import Evidence, stamp
from app.sources.exports.whatsapp_words import own_words
from app.sources.found import Found, Person
from sources.laws import ANNA, NOBODY, hold, sorted_out, written, zipped

LONG = "I will be there at eight, but only if the ferry runs; otherwise start without me and save a bun."
MORE = "And tell Bo to bring the big pan, ours is still at the club house since the summer party, I think."


def chat(folder: Path, *lines: str, name: str = "WhatsApp Chat with Bo.txt", end: str = "\n") -> Path:
    return written(folder / name, end.join([*lines, ""]))


def found(path: Path, person: Person = ANNA) -> list[Found]:
    return sorted_out(read(path, person))[0]


def here(*numbers: int) -> datetime:
    """A time on this machine's clock, in UTC."""
    return datetime(*numbers).astimezone(UTC)  # type: ignore[arg-type]


IOS = [
    "\ufeff[31.12.23, 18:00:00] Club: \u200eMessages and calls are end-to-end encrypted.",
    "[31.12.23, 18:01:02] Bo: When do you come?",
    f"[31.12.23, 18:02:03] Anna Ek: {LONG}",
    "\u200e[31.12.23, 18:02:40] Anna Ek: \u200eimage omitted",
    "[31.12.23, 18:03:00] Anna Ek: Bring socks. \u200e<This message was edited>",
    "[31.12.23, 18:03:30] Anna Ek: \u200eThis message was deleted.",
    "\u200e[31.12.23, 18:04:00] Anna Ek: the jetty last night \u200e<attached: 00000012-PHOTO.jpg>",
    "[31.12.23, 18:05:00] Bo: ok",
]
ANDROID = [
    "12/31/23, 6:00\u202fPM - Messages and calls are end-to-end encrypted. Tap to learn more.",
    '12/31/23, 6:00\u202fPM - Bo created group "Club"',
    "12/31/23, 6:01\u202fPM - Bo: When do you come?",
    f"12/31/23, 6:02\u202fPM - Anna Ek: {LONG}",
    "second line",
    "",
    "third line",
    "12/31/23, 6:02\u202fPM - Anna Ek: <Media omitted>",
    "12/31/23, 6:03\u202fPM - Anna Ek: Bring socks. <This message was edited>",
    "12/31/23, 6:03\u202fPM - Anna Ek: You deleted this message",
    "12/31/23, 6:04\u202fPM - Anna Ek: IMG-20231231-WA0001.jpg (file attached)",
    "the jetty last night",
    "12/31/23, 6:05\u202fPM - Bo: ok",
]


def test_a_conversation_of_ios_is_one_text(tmp_path: Path) -> None:
    kept, reasons = sorted_out(read(chat(tmp_path, *IOS, name="_chat.txt", end="\r\n"), ANNA))
    (one,) = kept
    assert one.item.text == f"{LONG}\nBring socks.\nthe jetty last night"
    assert one.item.request == "When do you come?"
    assert one.item.created_at == here(2023, 12, 31, 18, 2, 3)
    assert one.part == "31-12-23 18:02:03"
    assert reasons == {MEDIA: 2, OTHERS: 3}


def test_a_conversation_of_android_is_one_text(tmp_path: Path) -> None:
    kept, reasons = sorted_out(read(chat(tmp_path, *ANDROID), ANNA))
    (one,) = kept
    assert one.item.text == f"{LONG}\nsecond line\n\nthird line\nBring socks.\nthe jetty last night"
    assert one.item.request == "When do you come?"
    assert one.item.created_at == here(2023, 12, 31, 18, 2)
    assert reasons == {MEDIA: 2, OTHERS: 2, SYSTEM: 2}


@pytest.mark.parametrize(
    ("line", "clock"),
    [
        ("[31.12.23, 23:59:58] Bo: x", (23, 59, 58)),
        ("\u200e[31/12/2023, 11:59:58\u202fPM] Bo: x", (23, 59, 58)),
        ("[31/12/23, 12:05:00 a.\u00a0m.] Bo: x", (0, 5, 0)),
        ("[2023/12/31 下午11:59:58] Bo: x", (23, 59, 58)),
        ("[2023/12/31, 上午12:09:58] Bo: x", (0, 9, 58)),
        ("[31.12.2023 klo 23.59.58] Bo: x", (23, 59, 58)),
        ("[31.12.23 kl. 23.59.58] Bo: x", (23, 59, 58)),
        ("[2023-12-31, 23:59:58] Bo: x", (23, 59, 58)),
        ("[2023. 12. 31. 오후 11:59:58] Bo: x", (23, 59, 58)),
        ("[2023. 12. 31. 23:59:58] Bo: x", (23, 59, 58)),
        ("12/31/23, 11:59 PM - Bo: x", (23, 59, 0)),
        ("31/12/2023, 11:59 p. m. - Bo: x", (23, 59, 0)),
        ("31/12/2023 à 23:59 - Bo: x", (23, 59, 0)),
        ("31/12/23, 12:00 pm - Bo: x", (12, 0, 0)),
        ("31.12.23, 23:59 - Bo: x", (23, 59, 0)),
        ("31-12-2023 23:59 - Bo: x", (23, 59, 0)),
        ("2023-12-31 23:59 - Bo: x", (23, 59, 0)),
        ("2023. 12. 31. 23:59 - Bo: x", (23, 59, 0)),
        ("31. 12. 2023 23:59 - Bo: x", (23, 59, 0)),
        ("31.12.2023 \u0433., 23:59 ч. - Bo: x", (23, 59, 0)),
        ("2023년 12월 31일 오후 11:59, Bo : x", (23, 59, 0)),
        ("2023年12月31日 23:59 - Bo: x", (23, 59, 0)),
        ("31/12/2566 23:59 - Bo: x", (23, 59, 0)),
        (
            "\u0663\u0661\u200f/\u0661\u0662\u200f/\u0662\u0660\u0662\u0663\u060c "
            "\u0661\u0661:\u0665\u0669 م - Bo: x",
            (23, 59, 0),
        ),
        ("31/12/23, 11:59 μ.μ. - Bo: x", (23, 59, 0)),
        ("31.12.2023 23:59 - Bo: x", (23, 59, 0)),
        ("31.12.23 23:59:58: Bo: x", (23, 59, 58)),
    ],
)
def test_a_stamp_is_read_as_phones_write_it(line: str, clock: tuple[int, int, int]) -> None:
    read_stamp = stamp(line)
    assert read_stamp is not None
    assert read_stamp.clock == clock
    assert line[read_stamp.end :].replace(" :", ":") == "Bo: x"
    evidence = Evidence()
    evidence.add(read_stamp)
    assert read_stamp.time(evidence.order) == here(2023, 12, 31, *clock)


@pytest.mark.parametrize(
    "line",
    ["", "Hello", "12:30 - Bo: x", "3/4 - half", "[x] Bo: y", "[31.12.23, 23:59:59 Bo: x", "1.2.3", "9" * 90],
)
def test_other_lines_have_no_stamp(line: str) -> None:
    assert stamp(line) is None


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["01/02/23", "13/02/23"], "dmy"),
        (["01/02/23", "02/13/23"], "mdy"),
        (["31/01/23", "01/02/23"], "dmy"),
        (["01/02/23", "01/03/23", "02/01/23"], "mdy"),  # as days first it would run backward
        (["02/01/23", "01/02/23"], "dmy"),
        (["23-12-30", "23-12-31"], "ymd"),
        (["2023-02-01"], "ymd"),
        (["01/02/23", "01/03/23"], "mdy"),
        (["01/02/23", "02/02/23"], "dmy"),
        (["03/04/23"], "dmy"),
        (["03.04.23"], "dmy"),
    ],
)
def test_the_order_of_a_date_is_found_by_what_is_possible(dates: list[str], order: str) -> None:
    evidence = Evidence()
    for day in dates:
        found_stamp = stamp(f"{day}, 10:00 - Bo: x")
        assert found_stamp is not None
        evidence.add(found_stamp)
    assert evidence.order == order


def test_numbers_written_as_in_the_united_states_are_read_so() -> None:
    for line, order in {"3/4/23, 7:02 PM - Bo: x": "mdy", "03/04/23, 7:02 pm - Bo: x": "dmy"}.items():
        evidence = Evidence()
        found_stamp = stamp(line)
        assert found_stamp is not None
        evidence.add(found_stamp)
        assert evidence.order == order


@given(st.dates(date(2010, 1, 1), date(2099, 10, 1)), st.integers(13, 80))
def test_a_chat_of_some_weeks_shows_its_order(start: date, days: int) -> None:
    dates = [start + timedelta(days=number) for number in range(days)]
    for order, pattern in {"dmy": "%d/%m/%y", "mdy": "%m/%d/%y", "ymd": "%Y/%m/%d"}.items():
        evidence = Evidence()
        for day in dates:
            found_stamp = stamp(f"{day.strftime(pattern)}, 10:00 - Bo: x")
            assert found_stamp is not None
            evidence.add(found_stamp)
        assert evidence.order == order


@pytest.mark.parametrize(
    "text",
    [
        "<Media omitted>",
        "<Medien ausgeschlossen>",
        "<Multimedia omitido>",
        "<Médias omis>",
        "<省略多媒体文件>",
        "\u200eimage omitted",
        "image omitted",
        "Bild weggelassen",
        "imagen omitida",
        "Contact card omitted",
        "IMG-20231231-WA0001.jpg (Datei angehängt)",
        "Annual report 2023.pdf (archivo adjunto)",
        "\u200e<attached: 00000001-PHOTO-2023-12-31.jpg>",
        "This message was deleted",
        "Du hast diese Nachricht gelöscht.",
        "Se eliminó este mensaje.",
        "null",
        "\u200ePOLL:\nWhere?\n\u200eOPTION: Here (2 votes)",
        "POLL:\nWhere?\nOPTION: Here (2 votes)",
        "\u200eMissed voice call",
        "\u200eLocation: https://maps.google.com/?q=1.5,2.5",
        "location: https://maps.google.com/?q=1.5,2.5",
        "https://example.org/a/long/way",
        "",
    ],
)
def test_what_whatsapp_writes_is_nobodys_words(text: str) -> None:
    assert own_words(text, marked=False) == ""
    assert own_words(f"\u200e{text}", marked=True) == ""


@pytest.mark.parametrize(
    "text",
    [
        "we <3 it",
        "see example.com (it is good)",
        "the photo was omitted from the report, sadly",
        "read https://example.org and say what you think",
        "a <b> c",
    ],
)
def test_words_stay_as_they_are(text: str) -> None:
    assert own_words(text, marked=False) == text


def test_edits_and_captions_leave_the_words() -> None:
    assert own_words("Hi <Diese Nachricht wurde bearbeitet.>", marked=False) == "Hi"
    assert own_words("<Media omitted>\nthe jetty", marked=False) == "the jetty"
    assert own_words("the jetty \u200eimage omitted", marked=True) == "the jetty"


def test_a_night_parts_conversations_and_a_long_one_is_parted(tmp_path: Path) -> None:
    path = chat(
        tmp_path,
        "31.12.23, 10:00 - Bo: Morning?",
        f"31.12.23, 10:01 - Anna Ek: {LONG}",
        f"31.12.23, 15:00 - Anna Ek: {MORE}",
        "31.12.23, 15:01 - Bo: Before the night.",
        f"01.01.24, 10:01 - Anna Ek: {MORE}",
        "01.01.24, 20:01 - Anna Ek: ok",
        *(f"02.01.24, 10:00 - Anna Ek: {number} {LONG}" for number in range(40)),
    )
    kept, reasons = sorted_out(read(path, ANNA))
    assert kept[0].item.text == f"{LONG}\n{MORE}" and kept[0].item.request == "Morning?"
    assert kept[1].item.text == MORE and not kept[1].item.request
    assert all(FULL - 1 <= len(one.item.text) < FULL + 200 for one in kept[2:-1]) and len(kept) > 4
    assert kept[3].part == "2-1-24 10:00:00#2"
    assert reasons["a conversation with fewer than 60 characters of yours"] == 1


def test_a_chat_that_went_on_keeps_its_parts(tmp_path: Path) -> None:
    lines = [
        f"0{day}.02.24, 10:{minute} - Anna Ek: {LONG}" for day in range(1, 4) for minute in range(10, 40)
    ]
    before = found(chat(tmp_path, *lines))
    after = found(chat(tmp_path, *lines, f"13.02.24, 10:00 - Anna Ek: {MORE}"))
    assert [(one.part, one.item.text) for one in after[: len(before)]] == [
        (one.part, one.item.text) for one in before
    ]


def test_names_are_compared_without_case_marks_and_tilde(tmp_path: Path) -> None:
    for name in ("ANNA EK", "\u202aAnna\u00a0Ek\u202c", "~\u202fAnna Ek", "Ánna  Ek"):
        assert len(found(chat(tmp_path, f"31.12.23, 10:01 - {name}: {LONG}"))) == 1
    colon = Person(names=("Anna: work",))
    assert found(chat(tmp_path, f"31.12.23, 10:01 - Anna: work: {LONG}"), colon)[0].item.text == LONG


def test_whose_lines_are_wanted_must_be_known(tmp_path: Path) -> None:
    for person in (NOBODY, Person(names=("Cleo",))):
        kept, reasons = sorted_out(read(chat(tmp_path, *ANDROID), person))
        (reason,) = reasons
        assert not kept and "none of the 2 names" in reason and "--me" in reason
        assert "Anna" not in reason and "Bo" not in reason


def test_what_the_others_wrote_is_bounded(tmp_path: Path) -> None:
    others = [f"31.12.23, 10:00 - Bo: {number} {'x' * 90}" for number in range(50)]
    (one,) = found(chat(tmp_path, *others, f"31.12.23, 10:01 - Anna Ek: {LONG}"))
    assert len(one.item.request) <= MAX_ASKED and one.item.request.endswith(f"49 {'x' * 90}")


def test_archives_of_both_systems(tmp_path: Path) -> None:
    for name, lines in {"_chat.txt": IOS, "WhatsApp-Chat mit Bo.txt": ANDROID}.items():
        path = zipped(tmp_path / "chat.zip", {name: "\n".join(lines), "IMG-1.jpg": b"\xff\xd8"})
        assert looks_like(path)
        assert len(found(path)) == 1


def test_a_chat_looks_like_one(tmp_path: Path) -> None:
    assert looks_like(chat(tmp_path, *IOS, name="_chat.txt"))
    assert looks_like(chat(tmp_path, *ANDROID, name="renamed.txt"))
    assert looks_like(chat(tmp_path, *ANDROID[2:3]))
    diary = ["12/31/23, 6:00 - a walk", "and home", "On 12/31/23, 6:00 - Bo: came"]
    assert not looks_like(chat(tmp_path, *diary, name="diary.txt"))
    assert not looks_like(chat(tmp_path, *ANDROID, name="chat.md"))
    assert not looks_like(written(tmp_path / "empty.txt", ""))
    assert not looks_like(zipped(tmp_path / "a.zip", {"notes.txt": "x"}))


def test_a_text_that_is_no_chat_is_broken(tmp_path: Path) -> None:
    (left_out,) = list(read(written(tmp_path / "whatsapp.txt", "Hello"), ANNA))
    assert not isinstance(left_out, Found) and left_out.broken
    (left_out,) = list(read(written(tmp_path / "a.zip", b"PK\x03\x04"), ANNA))
    assert not isinstance(left_out, Found) and left_out.broken


def test_lines_of_another_form_belong_to_the_message(tmp_path: Path) -> None:
    pasted = "[31.12.23, 18:01:02] Bo: pasted from elsewhere"
    (one,) = found(chat(tmp_path, f"31.12.23, 10:01 - Anna Ek: {LONG}", pasted))
    assert one.item.text == f"{LONG}\n{pasted}"


def test_a_message_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    path = chat(
        tmp_path, f"31.12.23, 10:01 - Anna Ek: {'x' * (2 * MAX_TEXT)}", f"31.12.23, 10:02 - Anna Ek: {LONG}"
    )
    kept, reasons = sorted_out(read(path, ANNA))
    assert [one.item.text for one in kept] == [LONG]
    assert reasons == {"a message of more than 1,000,000 characters": 1}


def test_other_encodings(tmp_path: Path) -> None:
    text = f"31.12.23, 10:01 - Anna Ek: {LONG} å\n"
    assert found(written(tmp_path / "WhatsApp.txt", text.encode("utf-16")))[0].item.text == f"{LONG} å"
    assert found(written(tmp_path / "WhatsApp.txt", text.encode("latin-1")))[0].item.text == f"{LONG} \ufffd"


PIECES = st.lists(
    st.sampled_from(
        [*IOS, *ANDROID, "\n", "\r", ":", "\u200e", "12/31/23, 6:00 PM - ", "Anna Ek: ", "<", "[", LONG]
    )
    | st.text(max_size=6),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(PIECES, st.sampled_from(["", "\n"]))
def test_no_text_raises_and_all_bounds_hold(tmp_path: Path, pieces: list[str], between: str) -> None:
    path = written(tmp_path / "_chat.txt", between.join(pieces).encode(errors="surrogatepass"))
    looks_like(path)
    hold(lambda: whatsapp.read(path, ANNA))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(tmp_path: Path, data: bytes) -> None:
    for name in ("_chat.txt", "chat.zip"):
        path = written(tmp_path / name, data if name == "_chat.txt" else b"PK\x03\x04" + data)
        looks_like(path)
        hold(lambda path=path: whatsapp.read(path, ANNA))  # type: ignore[misc]


@pytest.mark.parametrize(
    "hostile", ["x" * 3_000_000, ":" * 3_000_000, "1/1/23, " * 300_000, "[1.1.23, 1:01 " * 200_000]
)
def test_a_long_line_takes_linear_time(tmp_path: Path, hostile: str) -> None:
    path = chat(tmp_path, f"31.12.23, 10:01 - Anna Ek: {LONG}", hostile)
    assert sum(1 for _ in whatsapp.read(path, ANNA)) <= 3


def test_memory_is_bounded_by_one_message() -> None:
    many = "".join(f"31.12.23, 10:01 - Bo: {number}\n" for number in range(1000)).encode()
    entries = whatsapp._entries(io.BufferedReader(io.BytesIO(many)))
    assert next(entries).text == "Bo: 0\n"
