"""Archives: the files that are wanted, and that no damage raises anything that a reader does not expect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.sources.exports import archive, chatgpt, claude, telegram, whatsapp
from app.sources.exports.archive import beginning, encoding_of, names, opened
from app.sources.found import Found, LeftOut
from sources.exports.test_chatgpt import LETTER, conversation, message
from sources.exports.test_whatsapp import IOS
from sources.laws import ANNA, hold, sorted_out, written, zipped

FILES = {
    "conversations.json": json.dumps([conversation(message("user", LETTER))]),
    "result.json": json.dumps({"name": "Bo", "type": "personal_chat", "id": 2, "messages": []}),
    "chat/_chat.txt": "\n".join(IOS),
}
READERS: list[Any] = [chatgpt, claude, telegram, whatsapp]


def text(name: str) -> bool:
    return name.endswith(".txt")


def test_wanted_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        {"b/2.txt": "two", "a/1.txt": "one", "__MACOSX/3.txt": "", "4.jpg": "", "d.txt/": ""},
    )
    assert [(name, stream.read()) for name, stream in opened(path, text)] == [
        ("a/1.txt", b"one"),
        ("b/2.txt", b"two"),
    ]
    assert names(path, text) == ["b/2.txt", "a/1.txt"]
    assert beginning(path, text) == b"one"


def test_a_file_that_is_no_archive_is_itself(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", "no archive")
    assert [stream.read() for _, stream in opened(path, text)] == [b"no archive"]
    assert names(path, text) == []


def test_what_an_archive_unpacks_to_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 10_000)
    path = zipped(tmp_path / "a.zip", {"1.txt": "x" * 100_000})
    assert [len(stream.read()) for _, stream in opened(path, text)] == [10_000]
    several = zipped(tmp_path / "b.zip", {f"{number}.txt": "x" * 4000 for number in range(5)})
    assert [len(stream.read()) for _, stream in opened(several, text)] == [4000, 4000, 2000, 0, 0]


def test_what_is_not_there_raises_oserror(tmp_path: Path) -> None:
    for reader in READERS:
        for path in (tmp_path / "none.json", tmp_path):
            with pytest.raises(OSError):
                list(reader.read(path, ANNA))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_by_their_beginning(tmp_path: Path, encoding: str) -> None:
    with written(tmp_path / "a.txt", "text, title".encode(encoding)).open("rb") as stream:
        found = encoding_of(stream)
        assert stream.read().decode(found) == "text, title"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.data())
def test_no_damage_raises(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(zipped(tmp_path / "whole.zip", FILES).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path / "damaged.zip", bytes(whole[: data.draw(st.integers(10, len(whole)))]))

    def reading(reader: Any) -> Callable[[], Iterator[Found | LeftOut]]:
        return lambda: reader.read(path, ANNA)

    for reader in READERS:
        assert reader.looks_like(path) in (True, False)
        hold(reading(reader))


def test_each_reader_takes_its_own_of_an_archive(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", FILES)
    assert [reader.looks_like(path) for reader in READERS] == [True, False, True, True]
    assert [len(sorted_out(reader.read(path, ANNA))[0]) for reader in READERS] == [1, 0, 0, 1]
