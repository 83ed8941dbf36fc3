"""What reads the files and bodies of users, as functions of bytes, with the errors that they may raise."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.api.body import Body, decoded, parsed, validated
from app.api.forms import read_form
from app.api.history_upload import items_of
from app.api.schemas.chat import ChatRequest
from app.api.schemas.history import UploadQuery
from app.api.schemas.steerable import honoured, unsteerable
from app.errors import CoSteerError, InvalidRequest, ProfileFileError
from app.evaluation.quality.cases import read_cases
from app.evaluation.speed.cases import read_prompts
from app.profiles.document import ItemIn
from app.profiles.history_file import read_history
from app.profiles.profile_file import Syntax, dump_profile, parse_profile
from app.profiles.terms import indexable, passages, terms

# Characters of a message that somebody is to read.
READABLE = 60_000


@dataclass(frozen=True)
class Reader:
    """`read` may raise `error`, and nothing else; `kind` is the kind of its inputs."""

    kind: str
    read: Callable[[bytes], None]
    error: type[CoSteerError]


def run(reader: Reader, data: bytes) -> bool:
    """Whether the input is taken. Raises whatever is no named error, or no message that can be shown."""
    try:
        reader.read(data)
    except CoSteerError as error:
        assert type(error) is reader.error
        error.message.encode()
        (error.param or "").encode()
        assert len(error.message) < READABLE
        return False
    return True


def _profile(syntax: Syntax) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        document = parse_profile(data, "me", syntax)
        # What was read can be written, and is the same then.
        assert parse_profile(dump_profile(document), "me", "json") == document

    return read


def _files(name: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(data)
            for item in read_history([str(path)], io.BytesIO()):
                _indexed(item.text)

    return read


def _upload(media_type: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        for item in items_of(Body(media_type, data), UploadQuery()):
            _indexed(item.text)

    return read


def _text(data: bytes) -> None:
    for item in items_of(Body("text/plain", data), UploadQuery()):
        _indexed(item.text)


def _item(data: bytes) -> None:
    validated(ItemIn, parsed(decoded(data)))


def _chat(data: bytes) -> None:
    asked = parsed(decoded(data))
    if isinstance(asked, dict):
        unsteerable(asked)
        validated(ChatRequest, honoured(asked))
    else:
        validated(ChatRequest, asked)


def _form(data: bytes) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    read_form("multipart/form-data; boundary=x", head + data + b"\r\n--x--\r\n")


def _cases(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cases.jsonl")
        path.write_bytes(data)
        with suppress(InvalidRequest):
            read_prompts(path)
        read_cases(path)


def _indexed(text: str) -> None:
    for passage in passages(text):
        indexable(passage)
    terms(text)


READERS = {
    "profile.toml": Reader("toml", _profile("toml"), ProfileFileError),
    "profile.json": Reader("json", _profile("json"), ProfileFileError),
    "history.jsonl": Reader("jsonl", _files("a.jsonl"), InvalidRequest),
    "history.json": Reader("jsonl", _files("a.json"), InvalidRequest),
    "notes.md": Reader("markdown", _files("a.md"), InvalidRequest),
    "notes.txt": Reader("text", _files("a.txt"), InvalidRequest),
    "upload of JSONL": Reader("jsonl", _upload("application/jsonl"), InvalidRequest),
    "upload of JSON": Reader("jsonl", _upload("application/json"), InvalidRequest),
    "upload of text": Reader("text", _text, InvalidRequest),
    "an item": Reader("jsonl", _item, InvalidRequest),
    "a chat request": Reader("body", _chat, InvalidRequest),
    "a form": Reader("body", _form, InvalidRequest),
    "cases.jsonl": Reader("cases", _cases, InvalidRequest),
}
