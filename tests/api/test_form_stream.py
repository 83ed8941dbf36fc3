"""Forms that come piece by piece: the same parts as of a whole, however they are cut."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.form_stream import Begun, FormStream
from app.api.forms import HEAD_BYTES, MOST_PARTS, read_form
from app.errors import InvalidRequest

TYPE = "multipart/form-data; boundary=xyz"
HEAD = b'Content-Disposition: form-data; name="a"'
Parts = list[tuple[str, str | None, bytes]]


def parts(data: bytes, size: int = 1, content_type: str = TYPE) -> Parts:
    form = FormStream(content_type)
    found: Parts = []
    for start in range(0, len(data), size):
        for one in form.feed(data[start : start + size]):
            if isinstance(one, Begun):
                found.append((one.name, one.file_name, b""))
            else:
                name, file_name, value = found[-1]
                found[-1] = name, file_name, value + one
    form.end()
    return found


def body(*values: bytes, head: bytes = HEAD) -> bytes:
    return b"".join(b"--xyz\r\n" + head + b"\r\n\r\n" + one + b"\r\n" for one in values) + b"--xyz--\r\n"


# Values that look like boundaries.
PIECES = st.lists(st.sampled_from([b"\r\n", b"--", b"xyz", b"-", b"\r", b"\n--xy", b"a", b"\0"]))
VALUES = st.lists(PIECES.map(b"".join).filter(lambda one: b"\r\n--xyz" not in b"\r\n" + one))


@given(VALUES, st.integers(1, 40))
def test_a_form_has_the_same_parts_however_it_is_cut(values: list[bytes], size: int) -> None:
    whole = read_form(TYPE, body(*values))
    found = [value for _, _, value in parts(body(*values), size)] if values else []
    assert found == [one.value for one in whole.parts] == values


def test_files_have_the_names_that_browsers_write() -> None:
    files = {"file": ('a "b".txt', b"1"), "other": ("Tür/ü.md", b"2")}
    sent = httpx.Request("POST", "http://x", data={"me": "Jo"}, files=files)
    found = parts(sent.read(), 7, sent.headers["content-type"])
    assert found == [("me", None, b"Jo"), ("file", 'a "b".txt', b"1"), ("other", "Tür/ü.md", b"2")]
    head = b'Content-Disposition: form-data; name="file"; filename="%41 \\"b\\".txt"'
    assert parts(body(b"", head=head)) == [("file", '%41 "b".txt', b"")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        b"before\r\n" + body(b"1"),
        body(b"1")[:-6],
        body(b"1").replace(b"\r\n", b"\n"),
        body(b"1", head=b"no header"),
        body(b"1", head=b"X: " + b"x" * (HEAD_BYTES + 100)),
        b"--xyz" + b" " * 200 + b"\r\n" + HEAD + b"\r\n\r\n1\r\n--xyz--",
        b"--xyzz\r\n" + HEAD + b"\r\n\r\n1\r\n--xyz--",
        body(*[b"1"] * (MOST_PARTS + 1)),
    ],
)
def test_what_is_no_whole_form_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="The form is not valid"):
        parts(data, 1000)
