"""Reads the export of Claude: conversations.json, in its archive or alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.sources.exports.archive import beginning
from app.sources.exports.assistant import NO_CONVERSATION, Said, conversations, line, newest, written
from app.sources.exports.chatgpt import wanted
from app.sources.exports.cleaning import title_line
from app.sources.exports.parts import Parts, digest
from app.sources.exports.times import of_iso
from app.sources.found import Found, LeftOut, Person

MARKER = re.compile(rb'(?<!\\)"chat_messages"\s{0,9}:\s{0,9}\[')
# The parent of a first message, in exports that name parents at all.
ROOT = "00000000-0000-"
# Stands in the flat text for calls of tools and what else only the site can show.
UNSUPPORTED = re.compile(r"```\s{0,9}This block is not supported on your current device yet\.\s{0,9}```")
ATTACHED = "a message that is an attachment alone"


def looks_like(path: Path) -> bool:
    """Whether the beginning of the file, or of the conversations in an archive, is Claude's."""
    return MARKER.search(beginning(path, wanted)) is not None


def read(path: Path, person: Person, *, exchanges: bool = False) -> Iterator[Found | LeftOut]:
    """The messages of the account's owner, or the exchanges; `person` is not needed. Of a conversation that
    was edited or answered anew, the newest branch is read. Raises OSError."""
    del person
    parts = Parts(path)
    for conversation in conversations(path, wanted, "chat_messages"):
        if isinstance(conversation, LeftOut):
            yield conversation
        elif isinstance(messages := conversation["chat_messages"], list):
            yield from _conversation(conversation, messages, parts, exchanges=exchanges)
        else:
            yield LeftOut(NO_CONVERSATION, broken=True)


def _conversation(
    conversation: Mapping[str, object], messages: list[object], parts: Parts, *, exchanges: bool
) -> Iterator[Found | LeftOut]:
    title = title_line(conversation.get("name"))
    began = of_iso(conversation.get("created_at"))
    said = []
    attached = 0
    for message in _shown(conversation, [one for one in messages if isinstance(one, dict)]):
        text = _text(message)
        mine = message.get("sender") in ("human", "user")
        if text.strip() and (mine or message.get("sender") == "assistant"):
            key = message.get("uuid")
            named = key if isinstance(key, str) and key.strip() else digest(text)
            said.append(Said(mine, named, text, of_iso(message.get("created_at")) or began))
        elif mine and (message.get("attachments") or message.get("files")):
            attached += 1
    if attached:
        yield LeftOut(ATTACHED, attached)
    yield from written(said, title, conversation.get("uuid"), parts, exchanges=exchanges)


def _shown(conversation: Mapping[str, object], messages: list[dict[str, object]]) -> list[dict[str, object]]:
    """The messages of one branch. Older exports name no parents: there the list is all. So it is where a
    parent is missing, since the messages before it would be lost."""
    tree = {key: one for one in messages if isinstance(key := one.get("uuid"), str)}
    parents = {key: one.get("parent_message_uuid") for key, one in tree.items()}
    if len(tree) < len(messages) or not all(isinstance(one, str) for one in parents.values()):
        return messages
    leaf = conversation.get("current_leaf_message_uuid")
    if not isinstance(leaf, str) or leaf not in tree:
        leaf = newest({key: of_iso(one.get("created_at")) for key, one in tree.items()}, parents)
    keys, root = line(parents, leaf)
    return [tree[key] for key in keys] if str(root).startswith(ROOT) else messages


def _text(message: Mapping[str, object]) -> str:
    """What is written in a message: its blocks of text, else its flat text, which older exports have alone
    and newer ones spoil by what stands for calls of tools. What was pasted as an attachment is not in it."""
    blocks = message.get("content")
    texts = [
        text.strip()
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, dict) and block.get("type") in ("text", "voice_note")
        if isinstance(text := block.get("text"), str) and text.strip()
    ]
    flat = message.get("text")
    text = "\n\n".join(texts) or (flat if isinstance(flat, str) else "")
    return UNSUPPORTED.sub("", text)
