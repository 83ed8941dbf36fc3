"""The header of a GGUF file: what the model in it is, without its weights."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from app.errors import WeightsError
from app.local import packages

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Far beyond any model, and little enough that a file which claims it is refused at once.
MOST_FIELDS, MOST_TENSORS, MOST_DIMENSIONS, MOST_WEIGHTS = 4_096, 65_536, 4, 1 << 44
LONGEST_NAME, LONGEST_TEXT = 1 << 16, 1 << 22
MOST_ENTRIES = 1 << 21  # of a list; the largest vocabularies have a quarter million tokens
# A list of up to so many entries is read; of a longer one only the length.
READ = 1_024
# Bytes of a header: that of Gemma's quarter million tokens has 15 MB.
USUAL, LARGEST = 1 << 24, 1 << 28
TEXT, LIST = 8, 9
FLOAT32 = 0
SCALARS = {
    kind: struct.Struct(f"<{code}")
    for kind, code in {
        0: "B",
        1: "b",
        2: "H",
        3: "h",
        4: "I",
        5: "i",
        6: "f",
        7: "?",
        10: "Q",
        11: "q",
        12: "d",
    }.items()
}
_COUNTS = struct.Struct("<4sIQQ")
_LENGTH = struct.Struct("<Q")
_KIND = struct.Struct("<I")
_TENSOR = struct.Struct("<IQ")  # behind the dimensions: how it is stored, and where


class NotGGUF(WeightsError):
    """The file is no GGUF file, or not all of one."""

    code = "weights_conversion_failed"


@dataclass(frozen=True)
class Length:
    """A list that was not read: the number of its entries."""

    entries: int


@dataclass(frozen=True)
class Tensor:
    """GGUF's number for how it is stored, how many weights it has, and the bytes before it in the file."""

    kind: int
    elements: int
    offset: int


@dataclass(frozen=True)
class Header:
    """`fields` by GGUF's names, `tensors` by theirs. `missing` are the bytes that the file lacks at its
    end."""

    fields: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    missing: int

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(one.elements for one in self.tensors.values())

    def values(self, path: Path, name: str) -> tuple[float, ...]:
        """A short tensor of its file, if it is stored in float32. Raises NotGGUF otherwise."""
        tensor = self.tensors[name]
        if tensor.kind != FLOAT32 or tensor.elements > READ:
            raise NotGGUF(f"{path} stores {name} in a way that is not read here.")
        with path.open("rb") as file:
            file.seek(tensor.offset)
            data = file.read(4 * tensor.elements)
        return struct.unpack(f"<{tensor.elements}f", data)

    def text(self, name: str) -> str:
        """A field that should be a text; empty where it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A field that should be a whole number; None where it is none."""
        value = self.fields.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def vocabulary(self) -> int:
        """The number of its tokens."""
        tokens = self.fields.get("tokenizer.ggml.tokens")
        return tokens.entries if isinstance(tokens, Length) else len(tokens or ())


def read_header(path: Path) -> Header:
    """Reads the header alone, within bounds. Raises NotGGUF for what is none, and OSError."""
    # Not mapped: a download that is cut short meanwhile would end the process.
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(USUAL)
        try:
            return _Reader(data, path).header(size)
        except (struct.error, IndexError):
            data += file.read(LARGEST - USUAL)
    try:
        return _Reader(data, path).header(size)
    except (struct.error, IndexError):
        raise _damaged(path, "it ends within its header") from None


class _Reader:
    """Reads on from `_at` in the bytes of a file."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._data = data
        self._path = path
        self._at = 0

    def header(self, size: int) -> Header:
        magic, version, tensor_count, field_count = self._unpack(_COUNTS)
        if magic != MAGIC:
            raise _damaged(self._path, "it does not begin with GGUF")
        if version not in VERSIONS:
            raise NotGGUF(f"{self._path} is GGUF of a version that cannot be read; 2 and 3 can.")
        self._bounded(field_count, MOST_FIELDS)
        self._bounded(tensor_count, MOST_TENSORS)
        fields = {}
        for _ in range(field_count):
            name = self._text(LONGEST_NAME)
            fields[name] = self._value(self._unpack(_KIND)[0])
        tensors, end = self._tensors(tensor_count)
        alignment = fields.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 16:
            raise _damaged(self._path, "its alignment is none")
        begin = -(-self._at // alignment) * alignment
        missing = max(0, begin + end - size) if tensor_count else 0
        placed = {name: replace(one, offset=begin + one.offset) for name, one in tensors.items()}
        return Header(fields, placed, missing)

    def _tensors(self, count: int) -> tuple[dict[str, Tensor], int]:
        """The tensors, by where they are behind the header, and where the last one ends."""
        packages.require()
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType  # noqa: PLC0415  # not for a list

        sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
        names = {int(kind) for kind in GGMLQuantizationType}
        tensors: dict[str, Tensor] = {}
        end = 0
        for _ in range(count):
            name = self._text(LONGEST_NAME)
            (dimensions,) = self._unpack(_KIND)
            self._bounded(dimensions, MOST_DIMENSIONS)
            elements = prod(self._unpack(struct.Struct(f"<{dimensions}Q")))
            self._bounded(elements, MOST_WEIGHTS)
            kind, offset = self._unpack(_TENSOR)
            if kind not in names or kind not in sizes:
                raise NotGGUF(f"{self._path} stores weights in a way that is not known here.")
            block, width = sizes[kind]
            tensors[name] = Tensor(kind, elements, offset)
            end = max(end, offset + -(-elements // block) * width)
        return tensors, end

    def _value(self, kind: int) -> Any:
        if kind == TEXT:
            return self._text(LONGEST_TEXT)
        if kind == LIST:
            return self._list()
        return self._unpack(self._scalar(kind))[0]

    def _list(self) -> list[Any] | Length:
        (kind,) = self._unpack(_KIND)
        (count,) = self._unpack(_LENGTH)
        self._bounded(count, MOST_ENTRIES)
        if kind == TEXT:
            if count <= READ:
                return [self._text(LONGEST_TEXT) for _ in range(count)]
            self._skip_texts(count)
            return Length(count)
        one = self._scalar(kind)  # a list of lists has no use, and is refused
        if count <= READ:
            return [self._unpack(one)[0] for _ in range(count)]
        self._skip(count * one.size)
        return Length(count)

    def _skip_texts(self, count: int) -> None:
        # The longest part of reading a header: hundreds of thousands of tokens and merges.
        data, at, length_at = self._data, self._at, _LENGTH.unpack_from
        end = len(data)
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
            if at > end:
                raise IndexError
        self._at = at

    def _text(self, longest: int) -> str:
        (length,) = self._unpack(_LENGTH)
        self._bounded(length, longest)
        start = self._at
        self._skip(length)
        return self._data[start : self._at].decode(errors="replace")

    def _scalar(self, kind: int) -> struct.Struct:
        if kind not in SCALARS:
            raise _damaged(self._path, "a field has a type that is none")
        return SCALARS[kind]

    def _unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        found = form.unpack_from(self._data, self._at)
        self._at += form.size
        return found

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise IndexError

    def _bounded(self, count: int, most: int) -> None:
        if count > most:
            raise _damaged(self._path, f"it claims {count:,} of what has at most {most:,}")


def _damaged(path: Path, why: str) -> NotGGUF:
    return NotGGUF(f"{path} is not a whole GGUF file: {why}. Download it again.")
