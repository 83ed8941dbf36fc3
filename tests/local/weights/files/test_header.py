"""Headers of GGUF files: what they say, and that no file costs memory or time, whatever it claims."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from app.local.weights.files.header import LIST, MOST_FIELDS, MOST_TENSORS, TEXT, NotGGUF, read_header
from local.weights.gguf_files import SPECIAL, WIDTH, vocabulary, write_model

FLOAT = 6


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def file(
    path: Path, fields: bytes = b"", *, fields_count: int = 1, tensors: int = 0, version: int = 3
) -> Path:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, fields_count) + fields)
    return path


def test_what_the_header_says(tmp_path: Path) -> None:
    write_model(tmp_path / "a.gguf")
    header = read_header(tmp_path / "a.gguf")
    assert (header.architecture, header.text("general.name")) == ("llama", "parrot")
    assert header.number("llama.context_length") == 4096
    tokens, _ = vocabulary(SPECIAL)
    assert header.vocabulary == len(tokens)
    assert header.fields["tokenizer.ggml.token_type"][: len(SPECIAL)] == [3, 3, 3]
    assert header.parameters == 2 * len(tokens) * WIDTH + 4 * WIDTH**2 + 3 * WIDTH + 3 * 32 * WIDTH
    assert header.missing == 0
    assert header.values(tmp_path / "a.gguf", "output_norm.weight") == (1.0,) * WIDTH
    assert header.text("llama.context_length") == ""
    assert header.number("general.name") is None


def test_a_file_that_is_cut_off_says_by_how_much_or_is_none(tmp_path: Path) -> None:
    write_model(tmp_path / "a.gguf")
    whole = (tmp_path / "a.gguf").read_bytes()
    cut = tmp_path / "b.gguf"
    for size in (len(whole) - 1, len(whole) - 100_000):
        cut.write_bytes(whole[:size])
        assert read_header(cut).missing == len(whole) - size
    for size in (0, 3, 20, 100, 2_000):
        cut.write_bytes(whole[:size])
        with pytest.raises(NotGGUF, match="ends within its header"):
            read_header(cut)


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ({"fields_count": MOST_FIELDS + 1}, "claims"),
        ({"fields_count": 0, "tensors": MOST_TENSORS + 1}, "claims"),
        ({"fields": struct.pack("<Q", 1 << 62)}, "claims"),
        ({"fields": text("a") + struct.pack("<IQ", TEXT, 1 << 40)}, "claims"),
        ({"fields": text("a") + struct.pack("<IIQ", LIST, FLOAT, 1 << 60)}, "claims"),
        ({"fields": text("a") + struct.pack("<IIQ", LIST, TEXT, 1 << 20) + b"\xff" * 64}, "ends"),
        ({"fields": text("a") + struct.pack("<IIQ", LIST, LIST, 1) * 50}, "type that is none"),
        ({"fields": text("a") + struct.pack("<I", 99)}, "type that is none"),
        ({"fields": b"", "fields_count": 0, "tensors": 1}, "ends"),
        ({"fields": text("t") + struct.pack("<I", 9), "fields_count": 0, "tensors": 1}, "claims"),
        (
            {"fields": text("t") + struct.pack("<IQIQ", 1, 4, 77, 0), "fields_count": 0, "tensors": 1},
            "not known",
        ),
        (
            {
                "fields": text("t") + struct.pack("<IQQIQ", 2, 1 << 40, 1 << 40, 0, 0),
                "fields_count": 0,
                "tensors": 1,
            },
            "claims",
        ),
        ({"fields": text("general.alignment") + struct.pack("<II", 4, 0)}, "alignment"),
        ({"version": 1}, "version"),
        ({"version": 3 << 24}, "version"),
    ],
)
def test_a_hostile_header_is_refused_at_once(tmp_path: Path, claim: dict[str, int], why: str) -> None:
    with pytest.raises(NotGGUF, match=why):
        read_header(file(tmp_path / "a.gguf", **claim))  # type: ignore[arg-type]


def test_whatever_is_changed_in_a_header_is_read_or_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "a.gguf")
    whole = bytearray((tmp_path / "a.gguf").read_bytes()[:16_000])
    drawn = random.Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(drawn.randint(1, 8)):
            data[drawn.randrange(len(data))] = drawn.choice((0, 1, 9, 255, drawn.randrange(256)))
        (tmp_path / "b.gguf").write_bytes(data)
        try:
            read_header(tmp_path / "b.gguf")
        except NotGGUF as error:
            assert str(tmp_path / "b.gguf") in error.message


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"PK\x03\x04" * 100)
    with pytest.raises(NotGGUF, match="does not begin with GGUF"):
        read_header(tmp_path / "a.gguf")
