"""/save: a conversation as a file, which only its owner can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from app.cli.chat.conversation import Conversation, Exchange
from app.cli.private_file import write_privately
from app.errors import InvalidRequest

STOPPED = "*(stopped here)*"


def destination(argument: str) -> Path:
    """The file that is meant. Raises InvalidRequest for none, a folder, or a suffix that says no format."""
    if not argument:
        raise InvalidRequest("/save takes a file's name, like /save talk.md or /save talk.json.")
    try:
        path = Path(argument).expanduser()
    except RuntimeError as error:  # ~user, and there is no such user
        raise InvalidRequest("/save: there is no such user's folder.") from error
    if path.suffix.lower() not in (".md", ".json"):
        raise InvalidRequest("/save writes Markdown or JSON: end the name in .md or .json.")
    try:
        path.lstat()
        folder = path.is_dir()
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:  # a folder that is closed to us, a name that none can have
        raise InvalidRequest("/save: there can be no file of that name here, or none of yours.") from error
    if folder:
        raise InvalidRequest(f"/save: {path} is a folder.")
    return path


def save(path: Path, conversation: Conversation) -> None:
    """Writes the conversation, in the format of the suffix. Raises CoSteerError."""
    as_json = path.suffix.lower() == ".json"
    exchanges, system = conversation.exchanges, conversation.wishes.system
    write_privately(path, json_of(exchanges, system) if as_json else markdown_of(exchanges, system).encode())


def markdown_of(exchanges: Sequence[Exchange], system: str | None = None) -> str:
    """A heading for each turn, and its text as it is."""
    parts = ["# Conversation", *([f"## System\n\n{system}"] if system else [])]
    for one in exchanges:
        whose = f" ({one.profile})" if one.profile else ""
        parts += [f"## You\n\n{one.question}", f"## Reply{whose}\n\n{one.reply.text.rstrip()}"]
        parts += [STOPPED] if one.reply.stopped else []
    return "\n\n".join(parts) + "\n"


def json_of(exchanges: Sequence[Exchange], system: str | None = None) -> bytes:
    """`messages` as OpenAI's API takes them; the replies' have besides `profile`, `seed` and `stopped`."""
    messages: list[dict[str, object]] = [{"role": "system", "content": system}] if system else []
    for one in exchanges:
        told = {"profile": one.profile, "seed": one.reply.seed, "stopped": one.reply.stopped}
        messages.append({"role": "user", "content": one.question})
        messages.append({"role": "assistant", "content": one.reply.text, **told})
    return orjson.dumps({"messages": messages}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
