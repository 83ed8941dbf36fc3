"""Receives a form with files: these onto the disk as they come, its fields as texts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from app.api.body import media_type_of
from app.api.form_stream import Begun, FormStream
from app.api.forms import MEDIA_TYPE, wrong
from app.api.upload_folder import not_kept
from app.api.validation_errors import LENGTH
from app.errors import InvalidRequest
from app.sources.sent import SentFile, label_of, leaf

FILE = "file"
# Bytes that are written at once, and those that all fields may have together.
PIECE = 2**20
MOST_OF_FIELDS = 2**16


@dataclass(frozen=True, repr=False)
class Received:
    """The files in the order of the form, and the values of each field."""

    files: list[SentFile] = field(default_factory=list)
    fields: Mapping[str, list[str]] = field(default_factory=dict)


async def receive_files(request: Request, folder: Path) -> Received:
    """Reads the form. Raises InvalidRequest, and StoreError if a file cannot be written."""
    media_type_of(request, MEDIA_TYPE)
    taker = _Taker(FormStream(request.headers.get("content-type", "")), folder)
    waiting = bytearray()
    try:
        async for piece in request.stream():
            waiting += piece
            if len(waiting) >= PIECE:
                await anyio.to_thread.run_sync(taker.take, bytes(waiting))
                waiting.clear()
        await anyio.to_thread.run_sync(taker.take, bytes(waiting))
        return taker.received()
    except ClientDisconnect:
        raise InvalidRequest("The body was cut off.") from None
    finally:
        taker.close()


class _Taker:
    """Writes the files of a form into a folder, each into one of its own: two may have the same name."""

    def __init__(self, form: FormStream, folder: Path) -> None:
        self._form = form
        self._folder = folder
        self._files: list[SentFile] = []
        self._fields: dict[str, list[bytearray]] = defaultdict(list)
        self._size = 0
        self._open: BinaryIO | bytearray = bytearray()

    def take(self, data: bytes) -> None:
        for one in self._form.feed(data):
            if isinstance(one, Begun):
                self._begin(one)
            elif isinstance(self._open, bytearray):
                self._size += len(one)
                if self._size > MOST_OF_FIELDS:
                    raise wrong(f"its fields have more than {MOST_OF_FIELDS:,} bytes")
                self._open += one
            else:
                self._write(self._open, one)

    def received(self) -> Received:
        self._form.end()
        self.close()
        fields = {name: [_text(name, one) for one in values] for name, values in self._fields.items()}
        return Received(self._files, fields)

    def close(self) -> None:
        if not isinstance(self._open, bytearray):
            self._open.close()

    def _begin(self, part: Begun) -> None:
        self.close()
        if part.name == FILE and part.file_name is not None:
            self._open = self._new(label_of(part.file_name))
        elif part.name == FILE or part.file_name is not None:
            name = f"{FILE} is one" if part.name == FILE else f"files are called {FILE}"
            raise InvalidRequest(f"A part that is a file needs a filename, and {name}.", param=FILE)
        else:
            self._open = bytearray()
            self._fields[part.name].append(self._open)

    def _new(self, label: str) -> BinaryIO:
        place = self._folder / str(len(self._files) + 1)
        path = place / leaf(label)
        self._files.append(SentFile(label, path))
        try:
            place.mkdir(mode=0o700)
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        except OSError as error:
            raise not_kept(error) from None

    @staticmethod
    def _write(file: BinaryIO, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        except OSError as error:
            raise not_kept(error) from None


def _text(name: str, value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:LENGTH]} must be UTF-8.", param=name[:LENGTH]) from None
