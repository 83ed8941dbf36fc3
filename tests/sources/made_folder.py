"""Writes the disk of a made-up person: some 60 files of every kind that is read, and of kinds that are not.

`python -m tests.sources.made_folder FOLDER` writes it with a mailbox of 20,000 mails and a text of 50 MB.
"""

from __future__ import annotations

import argparse
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

NAME = "Marlene Okafor"
ADDRESS = "marlene@okafor-gardens.example"
FIRST_DAY = datetime(2023, 1, 2, 8, 15, tzinfo=UTC)

PLACES = (
    "the walled garden in Redland",
    "the allotment by the Avon",
    "Mrs Dalal's terrace",
    "the school yard",
)
PLANTS = ("rosemary", "hornbeam", "old roses", "foxgloves", "a quince", "sweet peas", "medlars", "ferns")
DOINGS = ("cut back", "moved", "planted", "watered", "divided", "lost to the frost", "fed", "tied in")
FEELINGS = (
    "I could have stayed there all day.",
    "My back disagrees, but the bed looks right at last.",
    "Nobody else noticed; that is how I know it worked.",
    "Next year I will begin a fortnight earlier, as I say each year.",
    "Femi says I talk to them too much. He may be right.",
)
GREETINGS = ("Dear Ruth,", "Hello you,", "Dear all,", "Dear Mr Dalal,", "My dear Femi,")


def made_folder(folder: Path, *, mails: int = 20_000, large: int = 50_000_000) -> int:
    """Writes the files into a new folder; returns their number. `large`: bytes of the largest text."""
    chance = random.Random(7)
    writers: Sequence[Callable[[Path, random.Random], None]] = (
        _vault,
        _letters,
        _office,
        _pages,
        _tables,
        _chats,
        _assistants,
        _unreadable,
    )
    for write in writers:
        write(folder, chance)
    _mail(folder, chance, mails)
    with (folder / "server.txt").open("w") as stream:
        line = "2024-05-01T00:00:00 pump 3 on, 14.2 C, valve open\n"
        stream.write(line * (large // len(line)))
    return sum(path.is_file() for path in folder.rglob("*"))


def story(chance: random.Random, sentences: int = 6) -> str:
    """A text in this person's own way of writing."""
    said = []
    for number in range(sentences):
        place, plant, doing = chance.choice(PLACES), chance.choice(PLANTS), chance.choice(DOINGS)
        said.append(f"At {place} I {doing} {plant}, number {chance.randrange(1000)}.")
        if number % 2:
            said.append(chance.choice(FEELINGS))
    return " ".join(said)


def _text(path: Path, text: str, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))


def _day(number: int) -> datetime:
    return FIRST_DAY + timedelta(days=number, minutes=number % 600)


def _vault(folder: Path, chance: random.Random) -> None:
    """An Obsidian vault of 20 notes, with what it keeps beside them."""
    vault = folder / "Notes"
    for number in range(16):
        front = f"---\ntitle: Week {number + 1}\ncreated: {_day(7 * number):%Y-%m-%d}\ntags: [garden]\n---\n"
        links = f"See [[Week {number}|the week before]] and ![[bed-{number}.png]].\n"
        _text(
            vault / "Diary" / f"Week {number + 1}.md",
            f"{front}\n{story(chance)}\n\n{links}%%to do: photos%%\n",
        )
    _text(vault / "Femi.md", f"# Femi\n\nMy brother, a cellist in Lagos. {story(chance, 2)}\n")
    _text(
        vault / "About me.md",
        "# About me\n\nI am a landscape gardener in Bristol. I have two whippets, Juno and Pip, and I grow "
        "medlars that nobody else likes. I never use exclamation marks.\n",
    )
    _text(vault / "Index.md", "[[Week 1]]\n[[Week 2]]\n[[Femi]]\n#garden #index\n")
    _text(vault / "Empty.md", "")
    _text(vault / ".obsidian" / "app.json", "{}")
    _text(vault / ".obsidian" / "templates.json", '{"folder": "Templates"}')
    _text(vault / "Templates" / "Diary.md", "# {{date}}\n\nWhat I did:\n")
    (vault / "bed-3.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))


def _letters(folder: Path, chance: random.Random) -> None:
    letters = folder / "Letters"
    for number in range(5):
        body = f"{GREETINGS[number]}\n\n{story(chance)}\n\nYours, in wellingtons,\nMarlene\n"
        _text(letters / f"letter {number + 1}.txt", body)
    _text(letters / "from the old computer.txt", f"Café au lait on the terrace. {story(chance)}", "utf-16")
    _text(letters / "nothing yet.txt", "  \n\n")


def _office(folder: Path, chance: random.Random) -> None:
    office = folder / "Documents"
    office.mkdir(parents=True)
    for number in range(3):
        title = f"Proposal {number + 1} for a garden"
        _docx(office / f"proposal {number + 1}.docx", title, [story(chance), story(chance, 3)])
    for number in range(2):
        _odt(office / f"report {number + 1}.odt", f"Report {number + 1}", story(chance))
    for number in range(2):
        (office / f"invoice notes {number + 1}.pdf").write_bytes(_pdf(story(chance)))
    (office / "scanned.pdf").write_bytes(_pdf(""))
    (office / "broken.docx").write_bytes(b"PK\x03\x04 cut off by a full disk")
    (office / "broken.pdf").write_bytes(_pdf(story(chance))[:150])
    (office / "~$proposal 1.docx").write_bytes(b"\x07Marlene" + bytes(155))


def _docx(path: Path, title: str, texts: Sequence[str]) -> None:
    def paragraph(text: str, style: str = "Normal") -> str:
        return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'

    head = '<?xml version="1.0" encoding="UTF-8"?>'
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    words = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    document = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    body = paragraph(title, "Heading1") + "".join(map(paragraph, texts))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(
            "[Content_Types].xml",
            f'{head}<Types xmlns="{kinds}"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        )
        packed.writestr(
            "_rels/.rels",
            f'{head}<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{document}" '
            'Target="word/document.xml"/></Relationships>',
        )
        packed.writestr(
            "word/document.xml",
            f'{head}<w:document xmlns:w="{words}"><w:body>{body}</w:body></w:document>',
        )


def _odt(path: Path, title: str, text: str) -> None:
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" ' \
            'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'  # fmt: skip
    body = f'<text:h text:outline-level="1">{title}</text:h><text:p>{text}</text:p>'
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {names} office:version="1.3">'
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        packed.writestr("content.xml", content)


def _pdf(text: str) -> bytes:
    """A PDF 1.4 of one page, with lines of 80 characters."""
    lines = [text[start : start + 80] for start in range(0, len(text), 80)]
    shown = "BT /F1 11 Tf 14 TL 50 780 Td " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    data, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{one}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return data + f"{end}startxref\n{len(data)}\n%%EOF\n".encode()


def _pages(folder: Path, chance: random.Random) -> None:
    for number in range(3):
        _text(
            folder / "Blog" / f"post {number + 1}.html",
            f"<!doctype html><html><head><title>Post {number + 1}</title><style>p {{color: red}}</style>"
            f"<script>track('reader')</script></head><body><nav>Home | About</nav><article>"
            f"<h1>Post {number + 1}</h1><p>{story(chance)}</p><p>{story(chance, 2)}</p></article></body>",
        )


def _tables(folder: Path, chance: random.Random) -> None:
    data = folder / "Data"
    lines = [json.dumps({"request": f"Tell week {n}.", "text": story(chance, 3)}) for n in range(30)]
    _text(data / "old notes.jsonl", "\n".join(lines) + "\n")
    _text(data / "broken.jsonl", lines[0] + '\n{"text": "cut of\n')
    rows = "".join(f'{_day(n):%Y-%m-%d};Note {n};"{story(chance, 2)}"\n' for n in range(20))
    _text(data / "journal.csv", f"date;title;text\n{rows}")
    _text(data / "prices.csv", "plant,price\nquince,24.50\n")
    _text(data / "truncated.json", '[{"text": "The first of')


def _mail(folder: Path, chance: random.Random, count: int) -> None:
    """A mailbox in which every fourth mail is the person's own, and five mails as files."""
    mail = folder / "Mail"
    mail.mkdir(parents=True)
    with (mail / "All.mbox").open("wb") as stream:
        for number in range(count):
            own = number % 4 == 0
            stream.write(f"From - {_day(number % 900):%a %b %d %H:%M:%S %Y}\n".encode())
            text = bytes(_message(chance, number, own=own)).replace(b"\nFrom ", b"\n>From ")
            stream.write(text + b"\n\n")
    for number in range(5):
        message = _message(chance, count + number, own=number != 4)
        (mail / f"kept {number + 1}.eml").write_bytes(bytes(message))
    (mail / "empty.eml").write_bytes(b"")


def _message(chance: random.Random, number: int, *, own: bool) -> EmailMessage:
    message = EmailMessage()
    here, there = f"{NAME} <{ADDRESS}>", "Ruth Bell <ruth@bell.example>"
    message["From"], message["To"] = (here, there) if own else (there, here)
    message["Subject"] = f"Re: The beds, {number}"
    message["Date"] = format_datetime(_day(number % 900))
    message["Message-ID"] = f"<{number}@okafor-gardens.example>"
    answered = f"On Mon, Ruth Bell wrote:\n> When do you come?\n> {story(chance, 1)}\n"
    message.set_content(f"Dear Ruth,\n\n{story(chance, 4)}\n\n{answered}\n-- \nMarlene Okafor\nGardens\n")
    return message


def _chats(folder: Path, chance: random.Random) -> None:
    lines = ["01/02/2024, 09:00 - Messages and calls are end-to-end encrypted."]
    for number in range(200):
        moment = _day(number)
        who = NAME if number % 2 else "Ruth"
        lines.append(f"{moment:%d/%m/%Y, %H:%M} - {who}: {story(chance, 1)}")
    lines.append(f"{_day(300):%d/%m/%Y, %H:%M} - {NAME}: <Media omitted>")
    _text(folder / "Chats" / "WhatsApp Chat with Ruth.txt", "\n".join(lines) + "\n")
    messages = [
        {
            "id": number,
            "type": "message",
            "date": f"{_day(number):%Y-%m-%dT%H:%M:%S}",
            "from": NAME if number % 2 else "Femi",
            "from_id": "user1" if number % 2 else "user2",
            "text": ["Listen: ", {"type": "bold", "text": story(chance, 1)}],
        }
        for number in range(1, 121)
    ]
    chat = {"name": "Femi", "type": "personal_chat", "id": 2, "messages": messages}
    _text(folder / "Chats" / "result.json", json.dumps(chat))


def _assistants(folder: Path, chance: random.Random) -> None:
    talks = []
    for number in range(25):
        asked = f"Help me with a note about {chance.choice(PLACES)}. This is what I have: {story(chance, 4)}"
        at = _day(number).timestamp()
        talks.append({
            "title": f"Help {number}", "create_time": at, "update_time": at, "current_node": "c",
            "conversation_id": f"talk-{number}",
            "mapping": {
                "a": {"id": "a", "message": None, "parent": None, "children": ["b"]},
                "b": {"id": "b", "parent": "a", "children": ["c"], "message": _said("user", asked, at)},
                "c": {"id": "c", "parent": "b", "children": [], "message": _said("assistant", "Yes.", at)},
            },
        })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "chatgpt-export.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("conversations.json", json.dumps(talks))
        packed.writestr("user.json", "{}")
    claude = [
        {"uuid": f"c{number}", "name": f"Talk {number}", "created_at": f"{_day(number):%Y-%m-%dT%H:%M:%SZ}",
         "chat_messages": [
             {"uuid": f"m{number}", "sender": "human", "text": story(chance, 4), "content": [],
              "created_at": f"{_day(number):%Y-%m-%dT%H:%M:%SZ}", "attachments": [], "files": []},
             {"uuid": f"n{number}", "sender": "assistant", "text": "Gladly.", "content": [],
              "created_at": f"{_day(number):%Y-%m-%dT%H:%M:%SZ}", "attachments": [], "files": []}]}
        for number in range(10)
    ]  # fmt: skip
    _text(folder / "Claude" / "conversations.json", json.dumps(claude))


def _said(role: str, text: str, at: float) -> dict[str, object]:
    content = {"content_type": "text", "parts": [text]}
    return {"id": role, "author": {"role": role}, "content": content, "create_time": at, "weight": 1.0}


def _unreadable(folder: Path, chance: random.Random) -> None:
    """What no reader takes."""
    (folder / "Pictures").mkdir(parents=True)
    for number in range(3):
        (folder / "Pictures" / f"bed {number}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + chance.randbytes(500))
    (folder / "song.mp3").write_bytes(b"ID3" + chance.randbytes(500))
    (folder / ".DS_Store").write_bytes(bytes(100))
    (folder / "notes.txt.bak").write_bytes(chance.randbytes(300))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=50_000_000, help="bytes of the largest text")
    given = parser.parse_args()
    print(made_folder(given.folder, mails=given.mails, large=given.large), "files")


if __name__ == "__main__":
    main()
