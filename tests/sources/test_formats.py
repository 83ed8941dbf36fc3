"""A file is read by its format: by its suffix, by a look at its beginning, or not at all."""

from __future__ import annotations

import json
import os
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from app.sources import formats
from app.sources.formats import FORMATS, Format, format_of, read
from app.sources.found import Found, LeftOut
from sources.exports.test_chatgpt import LETTER, conversation, message
from sources.made import ANNA, docx, mail, odt, paragraph, pdf

MBOX = b"From - Tue Mar 05 10:00:00 2024\n" + mail("Hello.\n")


def texts(path: Path, *, explicit: bool = False) -> list[str]:
    """The texts found and, in brackets, the reasons of what is left out."""
    found = read(path, ANNA, explicit=explicit)
    return [one.item.text if isinstance(one, Found) else f"({one.reason})" for one in found]


def test_every_format_has_a_reader() -> None:
    for one in FORMATS:
        assert callable(one.loaded().read)
        assert not one.asked or callable(one.loaded().looks_like)


def test_a_file_goes_to_the_reader_of_its_suffix(tmp_path: Path) -> None:
    made = {
        "a.TXT": b"Hello.",
        "a.md": b"%%no%%Hello.",
        "a.html": b"<p>Hello.",
        "a.eml": mail("Hello.\n"),
        "a.mbox": MBOX,
        "mbox": MBOX,
        "a.jsonl": b'{"text": "Hello."}',
        "a.json": b'[{"text": "Hello."}]',
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    docx(tmp_path / "a.docx", paragraph("Hello."))
    odt(tmp_path / "a.odt", "<text:p>Hello.</text:p>")
    pdf(tmp_path / "a.pdf", ["Hello."])
    for path in sorted(tmp_path.iterdir()):
        assert texts(path) == ["Hello."], path.name


SAID = "I moved the old roses to the wall, where they have the sun until the evening."
CHAT = f"05/03/2024, 10:00 - Bo: Well?\n05/03/2024, 10:01 - Anna: {SAID}\n"
TELEGRAM = {
    "name": "Bo",
    "type": "personal_chat",
    "id": 2,
    "messages": [{"id": 1, "type": "message", "date": "2024-03-05T10:00:00", "from": "Anna", "text": SAID}],
}
ASKED = {"uuid": "a", "sender": "human", "text": SAID, "created_at": "2024-03-05T10:00:00Z"}
CLAUDE = [{"uuid": "c", "name": "", "created_at": "2024-03-05T10:00:00Z", "chat_messages": [ASKED]}]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("WhatsApp Chat with Bo.txt", CHAT, "WhatsApp"),
        ("result.json", json.dumps(TELEGRAM), "Telegram"),
        ("conversations.json", json.dumps(CLAUDE), "Claude"),
        ("rows.csv", f'text\n"{SAID}"\n', "table"),
        ("roses.txt", SAID, "text"),
        ("roses.json", json.dumps({"text": SAID}), "items"),
    ],
)
def test_an_export_is_known_by_its_beginning(tmp_path: Path, name: str, text: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    found = format_of(path)
    assert isinstance(found, Format)
    assert found.name == kind
    assert SAID in texts(path)
    if kind in {"WhatsApp", "Telegram", "Claude"}:
        archive = tmp_path / "export.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(path, "_chat.txt" if kind == "WhatsApp" else name)
        assert SAID in texts(archive)


def test_a_mail_in_a_maildir_has_no_suffix(tmp_path: Path) -> None:
    for name in ("cur", "new", "tmp"):
        (tmp_path / name).mkdir()
    path = tmp_path / "cur" / "1700000000.M1P1.host:2,S"
    path.write_bytes(mail("Hello.\n"))
    assert texts(path) == ["Hello."]


@pytest.mark.parametrize(
    ("name", "says", "broken"),
    [
        ("a.doc", "of Word before 2007; save it as .docx", True),
        ("a.msg", "a mail of Outlook; save it as .eml", True),
        ("a.rtf", "rich text; save it as .docx or .odt", True),
        ("a.PNG", "not a kind of file that is read", False),
    ],
)
def test_other_kinds_are_not_opened(tmp_path: Path, name: str, says: str, broken: bool) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    path.chmod(0)
    for explicit in (False, True):
        (one,) = read(path, ANNA, explicit=explicit)
        assert isinstance(one, LeftOut)
        assert one.reason.startswith(says)
        assert one.broken == broken


def test_an_archive_that_is_no_export_is_to_be_unpacked(tmp_path: Path) -> None:
    assert texts(docx(tmp_path / "a.zip", paragraph("x"))) == ["(an archive; unpack it to add what is in it)"]


def test_a_file_that_was_named_is_text_whatever_its_suffix(tmp_path: Path) -> None:
    for name in ("run.py", "notes.org", "README"):
        path = tmp_path / name
        path.write_text("Hello.")
        assert texts(path, explicit=True) == ["Hello."]
        assert texts(path) == ["(not a kind of file that is read)"]
    path = tmp_path / "mail.2024"
    path.write_bytes(MBOX)
    assert texts(path, explicit=True) == ["Hello."]


def test_empty_and_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.docx"
    path.touch()
    assert texts(path) == ["(there is no text in it)"]
    with path.open("wb") as stream:
        stream.truncate(65 * 2**20)
    assert texts(path) == ["(Word of more than 64 MiB; split it)"]


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library, module, name in (("pypdf", "pdf", "a.pdf"), ("lxml", "web_page", "a.html")):
        monkeypatch.setitem(sys.modules, library, None)
        for loaded in (module, "html_text"):
            monkeypatch.delitem(sys.modules, f"app.sources.documents.{loaded}", raising=False)
        path = tmp_path / name
        path.write_bytes(b"x")
        assert texts(path) == ['(what reads it is not installed: pip install "costeer[sources]")']


def test_formats_that_share_a_suffix_are_asked_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Format("mbox", "mail.mbox", frozenset({".txt"}), asked=True)
    monkeypatch.setattr(formats, "FORMATS", (asked, *FORMATS))
    path = tmp_path / "a.txt"
    path.write_text("Hello.")
    assert format_of(path) == formats.TEXT
    path.write_bytes(MBOX)
    assert format_of(path) == asked


def test_a_pipe_that_was_named_is_text(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("Hello.",))
    writer.start()
    assert texts(path, explicit=True) == ["Hello."]
    writer.join()


def test_errors_of_the_system_are_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "none.txt", ANNA))


def test_an_export_of_chats_with_a_model_gives_messages_or_exchanges(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    asked, told = message("user", LETTER), message("assistant", "Here it is.")
    path.write_text(json.dumps([conversation(asked, told)]))

    (own,) = [one.item for one in read(path, ANNA) if isinstance(one, Found)]
    (exchange,) = [one.item for one in read(path, ANNA, exchanges=True) if isinstance(one, Found)]

    assert (own.kind, own.text) == ("document", LETTER)
    assert (exchange.kind, exchange.request, exchange.text) == ("turn", LETTER, "Here it is.")
