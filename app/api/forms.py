"""A strict parser of multipart forms (RFC 7578): it rejects what another parser might read differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from app.errors import InvalidRequest

MEDIA_TYPE = "multipart/form-data"
BOUNDARY = re.compile(r";\s*boundary\s*=\s*(\"[^\"]*\"|[^\s;\"]+)", re.IGNORECASE)
MOST_PARTS = 1000
HEAD_BYTES = 8192
DISPOSITION = re.compile(r'form-data(?:\s*;\s*[\w*]++=(?:"(?:[^"\\]|\\.)*+"|[^\s;"]*+))*+\s*', re.IGNORECASE)
# From the beginning of a name, or a long one without a value would be tried from each of its letters.
PARAMETER = re.compile(r'(?<![\w*])([\w*]++)=("(?:[^"\\]|\\.)*+"|[^\s;"]*+)')
# What browsers write of a file's name otherwise: %22 for a quotation mark, and other programs \".
ESCAPED = re.compile(r'%22|%0D|%0A|\\"', re.IGNORECASE)
TOO_MANY = f"it has more than {MOST_PARTS} parts"
CUT_OFF = "it is cut off, or its lines do not end in CR LF"
NO_HEADERS = "a part has no headers of its own, or too many"
# Headers of a part that depend on its value, and are dropped when the value changes.
BY_VALUE = ("content-length", "content-md5", "digest")
PLAIN = {"7bit", "8bit", "binary"}


@dataclass(frozen=True, repr=False)
class Part:
    """One part of the form: a field, or a file."""

    headers: dict[str, str]
    name: str
    value: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def written(self, value: bytes) -> Part:
        """The part with another value."""
        headers = {name: said for name, said in self.headers.items() if name not in BY_VALUE}
        return replace(self, headers=headers, value=value)


@dataclass(frozen=True, repr=False)
class Form:
    """A parsed form. `boundary` is as in the header, with or without quotes. `bare`: there is no preamble
    or epilogue, which parsers ignore and which could hold anything."""

    boundary: str
    parts: list[Part]
    bare: bool = True

    @property
    def content_type(self) -> str:
        return f"{MEDIA_TYPE}; boundary={self.boundary}"

    def dumped(self) -> bytes:
        """Serializes the form; only the spelling of its headers may differ from what the client sent."""
        line = f"--{self.boundary.strip(chr(34))}".encode()
        pieces = []
        for part in self.parts:
            headers = [
                f"{name.title()}: {value}\r\n".encode("utf-8", "surrogateescape")
                for name, value in part.headers.items()
            ]
            pieces += [line, b"\r\n", *headers, b"\r\n", part.value, b"\r\n"]
        return b"".join([*pieces, line, b"--\r\n"])


def read_form(content_type: str, data: bytes) -> Form:
    """Parses a form. Raises InvalidRequest if it is invalid, or if parsers could read it differently."""
    boundary = boundary_of(content_type)
    before, *pieces = (b"\r\n" + data).split(delimiter_of(boundary), MOST_PARTS + 1)
    parts: list[Part] = []
    for piece in pieces:
        if piece.startswith(b"--"):
            return Form(
                boundary, parts, bare=not before and piece in {b"--", b"--\r\n"} and piece is pieces[-1]
            )
        if len(parts) == MOST_PARTS:
            raise wrong(TOO_MANY)
        parts.append(_part(piece))
    raise wrong(CUT_OFF)


def _part(piece: bytes) -> Part:
    padding, line_end, rest = piece.partition(b"\r\n")
    head, blank, value = rest.partition(b"\r\n\r\n")
    if padding.strip(b" \t") or not line_end or not blank or len(head) > HEAD_BYTES:
        raise wrong(NO_HEADERS)
    headers = headers_of(head)
    return Part(headers, name_of(headers), value)


def boundary_of(content_type: str) -> str:
    """What the form's parts are told apart by, with or without quotes. Raises InvalidRequest."""
    boundaries = BOUNDARY.findall(content_type)
    if len(boundaries) != 1 or not boundaries[0].isascii() or not 0 < len(boundaries[0].strip('"')) <= 70:
        raise wrong("its Content-Type must name one boundary, of at most 70 characters")
    (boundary,) = boundaries
    return str(boundary)


def delimiter_of(boundary: str) -> bytes:
    """The bytes that a part begins with."""
    return b"\r\n--" + boundary.strip('"').encode()


def headers_of(head: bytes) -> dict[str, str]:
    """The headers of a part, by their names in lower case. Raises InvalidRequest."""
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", "surrogateescape").split("\r\n"):
        name, colon, said = line.partition(":")
        name = name.lower()
        if not colon or not re.fullmatch(r"[\w-]+", name) or name in headers or re.search(r"[\r\n\0]", said):
            raise wrong("a part's headers must each be on one line, and there once")
        headers[name] = said.strip()
    if headers.get("content-transfer-encoding", "binary").lower() not in PLAIN:
        raise wrong("a part must be sent as it is, without a Content-Transfer-Encoding")
    return headers


def name_of(headers: Mapping[str, str]) -> str:
    """The name of a part's field. Raises InvalidRequest."""
    disposition = headers.get("content-disposition", "")
    given = [(key.lower(), value) for key, value in PARAMETER.findall(disposition)]
    names = [value for key, value in given if key == "name"]
    if DISPOSITION.fullmatch(disposition) is None or len(names) != 1 or "name*" in dict(given):
        raise wrong('a part needs one name, as in Content-Disposition: form-data; name="file"')
    return unquote(names[0].strip('"'))


def file_name_of(headers: Mapping[str, str]) -> str | None:
    """The name of a part's file as browsers write it; None of a part that is no file."""
    given = {key.lower(): value for key, value in PARAMETER.findall(headers.get("content-disposition", ""))}
    if "filename" not in given:
        return None
    name = given["filename"].encode("utf-8", "surrogateescape").decode(errors="replace")
    return ESCAPED.sub(lambda one: unquote(one[0]) if one[0][0] == "%" else one[0][1:], name.strip('"'))


def wrong(why: str) -> InvalidRequest:
    """The error of a form."""
    return InvalidRequest(f"The form is not valid {MEDIA_TYPE}: {why}.")
