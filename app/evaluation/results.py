"""What has been evaluated so far, in a file that a broken-off evaluation goes on from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from app.errors import InvalidRequest
from app.evaluation.forced import Forced


class Results:
    """A JSONL file: what was asked for in the first line, then a line a case. No case's text is in it."""

    def __init__(self, path: Path, arguments: Mapping[str, Any]) -> None:
        """Goes on from the file if there is one. Raises InvalidRequest when that is of another evaluation."""
        self._path = path
        self.forced: list[Forced] = []
        asked = orjson.loads(orjson.dumps(dict(arguments)))
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise InvalidRequest(f"{path}: cannot be read: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]  # a line that has no end was broken off
        try:
            found = [orjson.loads(line) for line in whole.splitlines()]
            made_with = found[0]["arguments"] if data else asked
            self.forced = [
                Forced(one["case"], one["tokens"], {rule: tuple(nll) for rule, nll in one["nll"].items()})
                for one in found[1:]
            ]
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            raise InvalidRequest(f"{path} is no file of results. Choose another --out.") from None
        if made_with != asked:
            different = sorted(
                name for name in {*asked, *made_with} if asked.get(name) != made_with.get(name)
            )
            raise InvalidRequest(
                f"{path} holds results of another evaluation ({', '.join(different)}). Choose another --out, "
                "or delete it."
            )
        if data:
            self._cut_off(len(whole))
        else:
            self._append({"arguments": asked})

    @property
    def cases(self) -> frozenset[str]:
        """Those that are done."""
        return frozenset(one.case for one in self.forced)

    def add(self, one: Forced) -> None:
        """Keep one more, on the disk."""
        self._append(dataclasses.asdict(one))
        self.forced.append(one)

    def _cut_off(self, size: int) -> None:
        """Forget what comes after the first `size` bytes; those are never written anew."""
        with self._writing() as file:
            file.truncate(size)

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._writing() as file:
            file.write(orjson.dumps(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _writing(self) -> Iterator[BinaryIO]:
        try:
            with self._path.open("ab") as file:
                yield file
        except OSError as error:
            raise InvalidRequest(f"{self._path}: cannot be written: {error.strerror}") from error
