"""Which reader a file takes: by its suffix, and where that is shared by a look at its beginning."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from app.sources.documents import text_file
from app.sources.documents.document import NO_TEXT
from app.sources.found import Found, LeftOut, Person
from app.sources.mail import mail_file
from app.sources.refusal import NOT_INSTALLED

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how counts call it, the module of app/sources whose `read` reads it, its suffixes, and
    the most bytes that it may have. Where `asked`, the module's `looks_like` says whether a file is one;
    with `exchanges`, its `read` can give a question with its answer too."""

    name: str
    module: str
    suffixes: frozenset[str]
    most: int = 64 * MIB
    asked: bool = False
    exchanges: bool = False

    def loaded(self) -> Any:
        """The module. Raises ImportError if a library that it needs is not installed."""
        return import_module(f"app.sources.{self.module}")


# Of what is read as a stream.
ANY = 2**50
MBOX = Format("mbox", "mail.mbox", frozenset({".mbox", ".mbx"}), most=ANY)
MAIL = Format("mail", "mail.mail_file", frozenset({".eml", ".emlx"}))
TEXT = Format("text", "documents.text_file", frozenset({".txt", ".text"}))
# For a suffix the first that fits: those that look into the file stand before those that take any.
FORMATS = (
    Format("WhatsApp", "exports.whatsapp", frozenset({".txt", ".zip"}), most=ANY, asked=True),
    Format("Telegram", "exports.telegram", frozenset({".json", ".zip"}), most=ANY, asked=True),
    Format("ChatGPT", "exports.chatgpt", frozenset({".json", ".zip"}), most=ANY, asked=True, exchanges=True),
    Format("Claude", "exports.claude", frozenset({".json", ".zip"}), most=ANY, asked=True, exchanges=True),
    Format("table", "exports.csv_table", frozenset({".csv", ".tsv", ".tab"}), most=ANY),
    Format("Markdown", "documents.text_file", frozenset({".md", ".markdown"})),
    TEXT,
    Format("Word", "documents.docx", frozenset({".docx", ".docm"})),
    Format("OpenDocument", "documents.odt", frozenset({".odt"})),
    Format("PDF", "documents.pdf", frozenset({".pdf"}), most=128 * MIB),
    Format("HTML", "documents.web_page", frozenset({".html", ".htm", ".xhtml"}), most=20 * MIB),
    MAIL,
    MBOX,
    Format("items", "documents.item_file", frozenset({".json", ".jsonl", ".ndjson"})),
)
SUFFIXES = frozenset().union(*(one.suffixes for one in FORMATS))
NOT_READ = LeftOut("not a kind of file that is read")
# Kinds that people have texts in, and how to have them read.
ADVICE = {
    ".doc": "of Word before 2007; save it as .docx",
    ".dot": "of Word before 2007; save it as .docx",
    ".rtf": "rich text; save it as .docx or .odt",
    ".pages": "of Apple's Pages; export it as .docx",
    ".msg": "a mail of Outlook; save it as .eml",
    ".pst": "mail of Outlook; export it as .mbox or .eml",
    ".ost": "mail of Outlook; export it as .mbox or .eml",
    ".epub": "a book; convert what you wrote of it to .docx or .txt",
    ".fodt": "flat OpenDocument; save it as .odt",
    ".sxw": "of OpenOffice before 2005; save it as .odt",
    ".zip": "an archive; unpack it to add what is in it",
}
# Never opened, even if they are named.
BINARY = {
    *(".7z", ".aac", ".ai", ".aif", ".aiff", ".apk", ".avi", ".bin", ".bmp", ".bz2", ".class"),
    *(".db", ".dll", ".dmg", ".ds_store", ".dylib", ".eps", ".exe", ".flac", ".gif", ".gz"),
    *(".heic", ".heif", ".ico", ".iso", ".jar", ".jpeg", ".jpg", ".key", ".m4a", ".m4v"),
    *(".mid", ".mkv", ".mov", ".mp3", ".mp4", ".mpeg", ".mpg", ".msf", ".numbers", ".odp"),
    *(".ods", ".ogg", ".ogv", ".opus", ".otf", ".png", ".ppt", ".pptx", ".psd", ".pyc", ".rar"),
    *(".raw", ".so", ".sqlite", ".svg", ".tar", ".tif", ".tiff", ".ttf", ".wav", ".webm"),
    *(".webp", ".wma", ".wmv", ".woff", ".woff2", ".xls", ".xlsx", ".xz"),
}


def format_of(path: Path, *, explicit: bool = False) -> Format | LeftOut:
    """The format of a file, or why it has none. A file that was named is read as text whatever its suffix,
    but for those of other kinds. Raises OSError, and ImportError where a library is not installed."""
    suffix = path.suffix.lower()
    if mail_file.in_maildir(path):
        return MAIL
    for one in FORMATS:
        if suffix in one.suffixes and (not one.asked or one.loaded().looks_like(path)):
            return one
    if suffix in ADVICE:
        return LeftOut(ADVICE[suffix], broken=True)
    if suffix in BINARY:
        return NOT_READ
    # Thunderbird's folders and Apple's exports are mboxes without a suffix.
    if (explicit or not suffix) and MBOX.loaded().looks_like(path):
        return MBOX
    return TEXT if explicit else NOT_READ


def read(
    path: Path, person: Person, *, explicit: bool = False, exchanges: bool = False
) -> Iterator[Found | LeftOut]:
    """What is found in a file; `explicit` if it was named and does not only lie in a folder. With `exchanges`
    conversations with a model give questions with their answers, else the person's own messages. Raises
    OSError only."""
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):  # the pipe of a shell's <(...), which can be read once
        yield from text_file.read(path, person)
        return
    if not state.st_size:
        yield NO_TEXT
        return
    try:
        kind = format_of(path, explicit=explicit)
        if isinstance(kind, LeftOut):
            yield kind
        elif state.st_size > kind.most:
            yield LeftOut(f"{kind.name} of more than {kind.most // MIB} MiB; split it", broken=True)
        else:
            options = {"exchanges": True} if exchanges and kind.exchanges else {}
            yield from kind.loaded().read(path, person, **options)
    except ImportError:
        yield LeftOut(NOT_INSTALLED, broken=True)
