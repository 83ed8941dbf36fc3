"""Multipart forms: what their parts are, and that those which two programs may read apart are refused."""

from __future__ import annotations

import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.forms import HEAD_BYTES, MOST_PARTS, Form, file_name_of, name_of, read_form
from app.errors import InvalidRequest

TYPE = "multipart/form-data; boundary=xyz"
HEAD = 'Content-Disposition: form-data; name="a"'


def body(*parts: str, end: str = "--xyz--\r\n") -> bytes:
    return "".join([*(f"--xyz\r\n{part}\r\n" for part in parts), end]).encode()


def test_parts_have_a_name_a_type_and_a_value() -> None:
    files = {"file": ('diary "1".jsonl', b"\x00\xff\r\n--\r\n\r\n", "application/jsonl")}
    sent = httpx.Request("POST", "http://x", data={"model": "m", "purpose": "batch"}, files=files)
    form = read_form(sent.headers["content-type"], sent.read())
    assert [(part.name, part.value) for part in form.parts] == [
        ("model", b"m"),
        ("purpose", b"batch"),
        ("file", b"\x00\xff\r\n--\r\n\r\n"),
    ]
    assert form.parts[2].media_type == "application/jsonl" and form.bare
    again = read_form(form.content_type, form.dumped())
    assert again == form


@given(st.lists(st.binary().filter(lambda value: b"\r\n--xyz" not in b"\r\n" + value)))
def test_written_again_a_form_holds_the_same(values: list[bytes]) -> None:
    head = HEAD.encode() + b"\r\nContent-Type: audio/wav"
    sent = b"".join(b"--xyz\r\n" + head + b"\r\n\r\n" + value + b"\r\n" for value in values) + b"--xyz--\r\n"
    form = read_form(TYPE, sent)
    assert [part.value for part in form.parts] == values
    assert read_form(TYPE, form.dumped()) == form == Form("xyz", form.parts)


@pytest.mark.parametrize(
    "wrong", ["a" * 8000, "a" * 4000 + " " + "a" * 3900, "x" * 8000 + ";", 'x="' + "a" * 7000, "*" * 8000]
)
def test_a_header_that_is_wrong_is_refused_at_once(wrong: str) -> None:
    """Other threads wait for a regular expression: one that tries each letter anew would stop all replies."""
    head = f"{HEAD}; {wrong}"
    with pytest.raises(InvalidRequest):
        read_form(TYPE, body(f"{head}\r\n\r\n1"))
    long = {"content-disposition": f"{head.partition(': ')[2]}{wrong * 100}"}
    began = time.thread_time()
    with pytest.raises(InvalidRequest):
        name_of(long)
    assert file_name_of(long) is None
    assert time.thread_time() - began < 20  # seconds; in quadratic time it would be hours


def test_what_stands_around_the_parts_is_noticed() -> None:
    for data in (b"private\r\n" + body(HEAD + "\r\n\r\n1"), body(HEAD + "\r\n\r\n1") + b"private"):
        form = read_form(TYPE, data)
        assert not form.bare and b"private" not in form.dumped()


def test_a_value_of_another_length_is_not_said_to_have_the_old_one() -> None:
    part = read_form(TYPE, body(f"{HEAD}\r\nContent-Length: 1\r\n\r\n1")).parts[0]
    assert "content-length" in part.headers
    assert "content-length" not in part.written(b"22").headers


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=xyz; boundary=abc",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_a_boundary_is_needed_and_only_one(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="boundary"):
        read_form(content_type, body(f"{HEAD}\r\n\r\n1"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        body(f"{HEAD}\r\n\r\n1", end=""),
        body(f"{HEAD}\r\n\r\n1").replace(b"\r\n", b"\n"),
        body("\r\n1"),
        body("no header\r\n\r\n1"),
        body(f"{HEAD}\r\n{HEAD}\r\n\r\n1"),
        body(f"{HEAD};\r\n filename=b\r\n\r\n1"),
        body("Content-Type: text/plain\r\n\r\n1"),
        body("Content-Disposition: attachment; name=a\r\n\r\n1"),
        body("Content-Disposition: form-data\r\n\r\n1"),
        body('Content-Disposition: form-data; name="a"; name="user"\r\n\r\n1'),
        body("Content-Disposition: form-data; name=a; name*=UTF-8''user\r\n\r\n1"),
        body('Content-Disposition: form-data; name="a\r\n\r\n1'),
        body(f"{HEAD}\nname: user\r\n\r\n1"),
        body(f"{HEAD}\r\nContent-Transfer-Encoding: base64\r\n\r\n1"),
        body(f"{HEAD}\r\nX: {'x' * HEAD_BYTES}\r\n\r\n1"),
        body(*[f"{HEAD}\r\n\r\n1"] * (MOST_PARTS + 1)),
        body(f"{HEAD}\r\n\r\n1").replace(b"--xyz\r\n", b"--xyzz\r\n"),
    ],
    ids=map(str, range(19)),
)
def test_what_may_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^The form is not valid multipart/form-data: "):
        read_form(TYPE, data)


def test_a_long_header_of_nothing_takes_linear_time() -> None:
    for filling in ('\\"', "; a=", '; a="', ";" + " " * 50):
        data = body(
            'Content-Disposition: form-data; name="'
            + filling * (HEAD_BYTES // len(filling) - 20)
            + "\r\n\r\n1"
        )
        with pytest.raises(InvalidRequest):
            read_form(TYPE, data)


def test_a_name_in_a_file_s_name_or_content_is_none() -> None:
    disguised = body('Content-Disposition: form-data; name="file"; filename="x; name=user"\r\n\r\n' + HEAD)
    assert [part.name for part in read_form(TYPE, disguised).parts] == ["file"]
