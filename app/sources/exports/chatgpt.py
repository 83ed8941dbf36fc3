"""Reads the export of ChatGPT: conversations.json, in its archive or alone, whole or in numbered files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from app.sources.exports.archive import beginning
from app.sources.exports.assistant import NO_CONVERSATION, Said, conversations, line, newest, written
from app.sources.exports.cleaning import title_line
from app.sources.exports.parts import Parts, digest
from app.sources.exports.times import of_epoch
from app.sources.found import Found, LeftOut, Person

# Since 2026 a large export is conversations-000.json and so on.
FILE = re.compile(r"conversations(?:-\d{1,6})?\.json")
MARKER = re.compile(rb'(?<!\\)"mapping"\s{0,9}:\s{0,9}\{')
# What a conversation is called until it has a title.
UNTITLED = {
    "new chat", "new conversation", "untitled", "neuer chat", "nouveau chat", "nouvelle discussion",
    "nuevo chat", "nueva conversación", "nuova chat", "novo chat", "nova conversa", "nieuwe chat", "ny chatt",
    "ny chat", "uusi keskustelu", "nowy czat", "новый чат", "новий чат", "yeni sohbet",
    "新聊天", "新しいチャット", "새 채팅",
}  # fmt: skip
SPOKEN = ("text", "multimodal_text")
# Channels of what a model says beside its answer.
ASIDE = ("analysis", "commentary")
# Citations as the site draws them: a span of private characters, or 【4†source】.
CITATION = re.compile("\ue200[^\ue200\ue201]{0,2000}\ue201|【[^【】†]{0,200}†[^【】]{0,200}】")
INSTRUCTIONS = "custom instructions for the model; what they say of you belongs into fields"


def looks_like(path: Path) -> bool:
    """Whether the beginning of the file, or of the conversations in an archive, is ChatGPT's."""
    return MARKER.search(beginning(path, wanted)) is not None


def wanted(name: str) -> bool:
    return FILE.fullmatch(name) is not None


def read(path: Path, person: Person, *, exchanges: bool = False) -> Iterator[Found | LeftOut]:
    """The messages of the account's owner, or the exchanges; `person` is not needed. Of a conversation that
    was edited or answered anew, the branch that the site shows is read. Raises OSError."""
    del person
    parts = Parts(path)
    for conversation in conversations(path, wanted, "mapping"):
        if isinstance(conversation, LeftOut):
            yield conversation
        elif isinstance(mapping := conversation["mapping"], dict):
            yield from _conversation(conversation, mapping, parts, exchanges=exchanges)
        else:
            yield LeftOut(NO_CONVERSATION, broken=True)


def _conversation(
    conversation: Mapping[str, object], mapping: dict[str, object], parts: Parts, *, exchanges: bool
) -> Iterator[Found | LeftOut]:
    title = title_line(conversation.get("title"))
    if title.casefold() in UNTITLED:
        title = ""
    began = of_epoch(conversation.get("create_time"))
    said = []
    instructed = False
    for key in _shown(conversation, mapping):
        message = _object(_object(mapping[key]).get("message"))
        instructed = (
            instructed or _object(message.get("content")).get("content_type") == "user_editable_context"
        )
        if one := _said(key, message, began):
            said.append(one)
    if instructed:
        yield LeftOut(INSTRUCTIONS)
    identity = conversation.get("conversation_id") or conversation.get("id")
    yield from written(said, title, identity, parts, exchanges=exchanges)


def _shown(conversation: Mapping[str, object], mapping: dict[str, object]) -> list[str]:
    """The keys of the messages that the site shows: from the root to the current node, else the last one."""
    parents = {key: _object(node).get("parent") for key, node in mapping.items()}
    leaf = conversation.get("current_node")
    if not isinstance(leaf, str) or leaf not in parents:
        times = {key: _time(_object(_object(node).get("message"))) for key, node in mapping.items()}
        leaf = newest(times, parents)
    return line(parents, leaf)[0]


def _said(key: str, message: Mapping[str, object], began: datetime | None) -> Said | None:
    """What the person or the model said in a message; None for what the site does not show: hidden messages,
    those without weight, calls of tools and their results, thoughts."""
    role = _object(message.get("author")).get("role")
    hidden = _object(message.get("metadata")).get("is_visually_hidden_from_conversation")
    aside = message.get("recipient", "all") not in ("all", None) or message.get("channel") in ASIDE
    if (
        role not in ("user", "assistant")
        or hidden
        or message.get("weight") == 0
        or (aside and role != "user")
    ):
        return None
    text = _text(message.get("content"))
    if role == "assistant":
        text = CITATION.sub("", text)
    if not text.strip():
        return None
    identity = message.get("id")
    named = identity if isinstance(identity, str) and identity.strip() else key.strip() or digest(text)
    return Said(role == "user", named, text, _time(message) or began)


def _text(content: object) -> str:
    """What is written in a message, and what was said aloud and written down; not images, code and files."""
    if isinstance(content, str):
        return content
    content = _object(content)
    parts = content.get("parts")
    if content.get("content_type") not in SPOKEN or not isinstance(parts, list):
        return ""
    texts = []
    for part in parts:
        spoken = isinstance(part, dict) and part.get("content_type") in ("audio_transcription", "text")
        text = part.get("text") if spoken else part
        if isinstance(text, str) and text.strip():
            texts.append(text.strip())
    return "\n\n".join(texts)


def _time(message: Mapping[str, object]) -> datetime | None:
    return of_epoch(message.get("create_time"))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
