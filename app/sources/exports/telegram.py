"""Reads Telegram Desktop's export: result.json of one chat or of all, one message in memory at a time.

The fields are those that Telegram Desktop writes, export/output/export_output_json.cpp.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from app.profiles.plain_text import foreign
from app.sources.exports.archive import HEAD, Damaged, beginning, opened
from app.sources.exports.json_stream import Cut, JsonStream, Unreadable
from app.sources.exports.messenger import NO_NAME, Line, conversations, known, named
from app.sources.exports.parts import Parts
from app.sources.exports.times import of_epoch, of_iso
from app.sources.found import Found, LeftOut, Person

TITLE = "Telegram chat"
FILE = re.compile(r"result(?: ?\(\d{1,3}\))?\.json")
PAGE = re.compile(r"messages\d{0,6}\.html")
# A chat of one export, or the beginning of all of them.
MARKER = re.compile(
    rb'(?<!\\)"(?:text_entities|from_id|date_unixtime|actor_id)"\s{0,9}:|'
    rb'(?<!\\)"type"\s{0,9}:\s{0,9}"(?:personal_chat|bot_chat|saved_messages|replies|'
    rb'(?:private|public)_(?:group|supergroup|channel))"|"personal_information"\s{0,9}:\s{0,9}\{'
)
HTML = re.compile(rb'<div class="page_wrap|class="pull_right date details"')

AS_HTML = "a Telegram chat as HTML; export it as machine-readable JSON instead"
OTHERS = "a message of somebody else"
FORWARDED = "a message that was forwarded, or written by a bot"
SERVICE = "an event of a chat, such as a call"
MEDIA = "a picture, recording or file without words"
NO_MESSAGE = "an entry that is no message"
CUT = "the rest of the file is no JSON; is it complete? Export it again"


def looks_like(path: Path) -> bool:
    """Whether the beginning of the file, or of the one in an archive, is Telegram's, as JSON or as HTML."""
    head = beginning(path, wanted)
    if PAGE.fullmatch(path.name):
        return HTML.search(head) is not None
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and MARKER.search(head) is not None


def wanted(name: str) -> bool:
    return FILE.fullmatch(name) is not None


def read(path: Path, person: Person) -> Iterator[Found | LeftOut]:
    """The person's messages, conversation by conversation. Who the person is, an export of all chats says
    itself; in a chat of two it is the one whom the chat is not named after; in a group the names say it.
    Raises OSError."""
    if PAGE.fullmatch(path.name):
        yield LeftOut(AS_HTML, broken=True)
        return
    reading = _Reading(Parts(path), known(person))
    try:
        for _, stream in opened(path, wanted):
            if encoding := foreign(stream.peek(HEAD)):
                yield LeftOut(f"not UTF-8 text but {encoding}; save it with the encoding UTF-8", broken=True)
                continue
            try:
                yield from reading.chat(JsonStream(stream))
            except Cut:
                yield LeftOut(CUT, broken=True)
    except Damaged as error:
        yield LeftOut(error.reason, broken=True)
    yield from (LeftOut(reason, count) for reason, count in reading.passed.items())
    if reading.unknown:
        yield LeftOut(NO_NAME, broken=True, who=True)


@dataclass(slots=True, repr=False)
class _Chat:
    """What stands in front of a chat's messages."""

    kind: str = ""
    identity: str = ""
    name: str = ""


@dataclass(slots=True, repr=False)
class _Reading:
    """Who the person is, as far as the file has said; what was left out so far."""

    parts: Parts
    names: frozenset[str]
    ids: set[str] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)
    unknown: bool = False

    def chat(self, json: JsonStream, *, listed: bool = False) -> Iterator[Found | LeftOut]:
        """One chat, or all of them in lists; a chat that is `listed` has none itself. Raises Cut."""
        chat = _Chat()
        for key in json.entries():
            opening = json.peek()
            if key == "messages" and opening == b"[":
                yield from self._messages(json, chat)
            elif key in ("chats", "left_chats") and opening == b"{" and not listed:
                yield from self._listed(json)
            elif key == "personal_information":
                self._introduced(_value(json))
            elif key in ("type", "id", "name") and opening not in (b"[", b"{"):
                value = _value(json)
                text = str(value)[:300] if isinstance(value, str | int) else ""
                match key:
                    case "type":
                        chat.kind = text
                    case "id":
                        chat.identity = text
                    case _:
                        chat.name = named(text)
            else:
                json.skip()

    def _listed(self, json: JsonStream) -> Iterator[Found | LeftOut]:
        for key in json.entries():
            if key != "list" or json.peek() != b"[":
                json.skip()
                continue
            for _ in json.items():
                if json.peek() == b"{":
                    yield from self.chat(json, listed=True)
                else:
                    json.skip()

    def _introduced(self, value: object) -> None:
        about = value if isinstance(value, dict) else {}
        if isinstance(about.get("user_id"), str | int):
            self.ids.add(f"user{about['user_id']}")
        both = [about.get("first_name"), about.get("last_name")]
        name = named(" ".join(one for one in both if isinstance(one, str)))
        self.names |= {name} if name else set()

    def _messages(self, json: JsonStream, chat: _Chat) -> Iterator[Found | LeftOut]:
        if chat.kind == "saved_messages" and chat.identity:
            self.ids.add(f"user{chat.identity}")  # a chat with oneself
        passed: Counter[str] = Counter()
        mine = 0

        def lines() -> Iterator[Line]:
            nonlocal mine
            for _ in json.items():
                line = self._line(json, chat)
                if isinstance(line, Line):
                    mine += line.mine
                    passed[OTHERS] += not line.mine
                    yield line
                else:
                    passed[line] += 1

        yield from conversations(lines(), TITLE, self.parts)
        # Who the person is in a group nobody has said: neither the file nor a name that is in it.
        self.unknown = self.unknown or (not mine and passed[OTHERS] > 0 and not self.ids)
        self.passed += passed

    def _line(self, json: JsonStream, chat: _Chat) -> Line | str:
        """A message with words of its writer, or why it is none. Raises Cut."""
        message = _value(json)
        if not isinstance(message, dict):
            return NO_MESSAGE
        if message.get("type", "message") != "message":
            return SERVICE
        if any(key in message for key in ("forwarded_from", "forwarded_from_id", "saved_from", "via_bot")):
            return FORWARDED
        text = _text(message.get("text"))
        if not text.strip():
            return MEDIA
        key = (
            f"{chat.identity}/{message['id']}" if isinstance(message.get("id"), str | int) else chat.identity
        )
        return Line(self._mine(message, chat), key[:100], text, _time(message))

    def _mine(self, message: Mapping[str, object], chat: _Chat) -> bool:
        sender = message.get("from_id")
        sender = f"user{sender}" if isinstance(sender, int) else sender  # as exports until 2020 have it
        # Where the person's number is known, somebody else may have their name.
        if self.ids and isinstance(sender, str) and sender.startswith("user"):
            return sender in self.ids
        # In a channel `from` is the channel, and `author` who signs.
        writers = [named(one) for one in (message.get("from"), message.get("author")) if isinstance(one, str)]
        if not self.names.isdisjoint(writers):
            return True
        # Of two people the one whom the chat is not named after, unless it is known that they are neither.
        two = chat.kind in ("personal_chat", "bot_chat") and not self.ids and chat.name not in self.names
        other = sender == f"user{chat.identity}" or chat.name in writers
        return two and bool(chat.identity) and any(writers) and not other


def _value(json: JsonStream) -> object:
    """The next value; None for one that cannot be read. Raises Cut."""
    try:
        return json.value()
    except Unreadable:
        return None


def _text(value: object) -> str:
    """A message's text: one string, or a list of strings and of objects for links, names and formats."""
    if isinstance(value, str):
        return value
    pieces = value if isinstance(value, list) else []
    texts = (piece.get("text") if isinstance(piece, dict) else piece for piece in pieces)
    return "".join(text for text in texts if isinstance(text, str))


def _time(message: Mapping[str, object]) -> datetime | None:
    return of_epoch(message.get("date_unixtime")) or of_iso(message.get("date"))
