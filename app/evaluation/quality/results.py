"""The results so far, in a file from which an interrupted evaluation resumes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

import orjson

from app.errors import InvalidRequest


class Result(Protocol):
    """A dataclass; of several with the same key the last counts."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> tuple[str, ...]: ...


R = TypeVar("R", bound=Result)


class Results(Generic[R]):
    """A JSONL file: the evaluation's arguments in the first line, then one result per line."""

    def __init__(self, path: Path, arguments: Mapping[str, Any], result: Callable[..., R]) -> None:
        """Resumes from the file if it exists. Raises InvalidRequest when it is of another evaluation.

        `result` makes a result from its fields in JSON.
        """
        self._path = path
        self._kept: dict[tuple[str, ...], R] = {}
        asked = orjson.loads(orjson.dumps(dict(arguments)))
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise InvalidRequest(f"{path}: cannot be read: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]  # a last line without its newline was cut off
        try:
            found = [orjson.loads(line) for line in whole.splitlines()]
            made_with = found[0]["arguments"] if data else asked
            self._kept = {one.key: one for one in (result(**line) for line in found[1:])}
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

    def get(self, *key: str) -> R | None:
        return self._kept.get(key)

    def __iter__(self) -> Iterator[R]:
        return iter(self._kept.values())

    def add(self, one: R) -> None:
        """Add one result, and write it to the disk."""
        self._append(dataclasses.asdict(one))
        self._kept[one.key] = one

    def _cut_off(self, size: int) -> None:
        """Truncate the file to its first `size` bytes, which are never rewritten."""
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
