"""What has been evaluated so far, in a file that a broken-off evaluation goes on from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
            lines = path.read_bytes().split(b"\n")[:-1]  # what has no end was broken off
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise InvalidRequest(f"{path}: cannot be read: {error.strerror}") from error
        try:
            found = [orjson.loads(line) for line in lines]
            made_with = found[0]["arguments"] if found else asked
            self.forced = [
                Forced(one["case"], one["tokens"], {rule: tuple(nll) for rule, nll in one["nll"].items()})
                for one in found[1:]
            ]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise InvalidRequest(f"{path} is no file of results. Choose another --out.") from None
        if made_with != asked:
            different = sorted(
                name for name in {*asked, *made_with} if asked.get(name) != made_with.get(name)
            )
            raise InvalidRequest(
                f"{path} holds results of another evaluation ({', '.join(different)}). Choose another --out, "
                "or delete it."
            )
        self._write([{"arguments": asked}, *(dataclasses.asdict(one) for one in self.forced)], "wb")

    @property
    def cases(self) -> frozenset[str]:
        """Those that are done."""
        return frozenset(one.case for one in self.forced)

    def add(self, one: Forced) -> None:
        """Keep one more, on the disk."""
        self._write([dataclasses.asdict(one)], "ab")
        self.forced.append(one)

    def _write(self, objects: list[Any], mode: str) -> None:
        try:
            with self._path.open(mode) as file:
                file.write(b"".join(orjson.dumps(one) + b"\n" for one in objects))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InvalidRequest(f"{self._path}: cannot be written: {error.strerror}") from error
