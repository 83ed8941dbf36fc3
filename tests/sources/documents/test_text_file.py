"""Text files and Markdown notes, Obsidian's among them, become items of what is prose in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.profiles.profile import MAX_TEXT
from app.sources.documents.markdown import note_of
from app.sources.documents.text_file import read
from sources.made import item, left


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_text_is_read_in_any_encoding_that_tells_itself(tmp_path: Path, encoding: str) -> None:
    found = item(read, written(tmp_path, "Day.txt", "Dear Zoë,\r\nbye\r\n".encode(encoding)))
    assert (found.title, found.text) == ("Day", "Dear Zoë,\nbye")


@pytest.mark.parametrize(
    ("data", "says", "broken"),
    [
        ("Zoë".encode("cp1252"), "not UTF-8 text; save it", True),
        (b"\xff\xfea", "not UTF-8 text; save it", True),
        (b"a\0b", "a NUL character", True),
        (b"x" * (4 * MAX_TEXT + 1), "a text of more than 1,000,000 characters; split", True),
        (b"x" * (MAX_TEXT + 1), "a text of more than 1,000,000 characters; split", True),
        (b"\xef\xbb\xbf \n", "there is no text in it", False),
    ],
    ids=["latin-1", "half", "nul", "longer", "long", "blank"],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, data: bytes, says: str, broken: bool) -> None:
    one = left(read, written(tmp_path, "a.txt", data))
    assert one.reason.startswith(says)
    assert one.broken == broken


def test_the_longest_text_of_the_widest_characters_is_read(tmp_path: Path) -> None:
    assert len(item(read, written(tmp_path, "a.txt", "🌊" * MAX_TEXT)).text) == MAX_TEXT


NOTE = """---
title: "Rigging, day one"
tags: [boat, log]
created: 2024-03-05T10:30:00+01:00
---
# Rigging

We raised the mast with [[Bo Lund|Bo]] and [[People/Cy#Work|Cy]]; see [[Knots#Bowline]]. ^mast
![[mast.png]] ![the mast](mast.jpg) %%ask Bo
again%%

| who | what |
|---|---|
| [[Bo Lund\\|Bo]] | stays |

```dataview
LIST FROM #boat
```

```python
print("[[kept]] %%as it is%%")
```

There are `= this.hours` hours<!-- not sure --> <% tp.date.now() %>left.
^end
"""


def test_a_note_is_its_prose(tmp_path: Path) -> None:
    found = item(read, written(tmp_path, "note.md", NOTE))
    assert found.title == "Rigging, day one"
    assert found.created_at == datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    assert found.text.startswith("# Rigging\n\nWe raised the mast with Bo and Cy; see Knots.\n")
    assert "| Bo | stays |" in found.text
    assert 'print("[[kept]] %%as it is%%")' in found.text
    assert "There are  hours left." in found.text
    for gone in ("tags", "mast", "again", "dataview", "LIST", "this.hours", "not sure", "tp.date", "^end"):
        assert gone not in found.text.replace("raised the mast", ""), gone


def test_a_text_that_is_no_markdown_keeps_its_signs(tmp_path: Path) -> None:
    text = "Fifty %% of [[all]] <% it %>"
    assert item(read, written(tmp_path, "a.txt", text)).text == text


def test_a_daily_note_was_written_on_its_day(tmp_path: Path) -> None:
    found = item(read, written(tmp_path, "2024-03-05.md", "It rained."))
    assert (found.title, found.created_at) == ("2024-03-05", datetime(2024, 3, 5, tzinfo=UTC))
    linked = "---\ndate: [[2023-01-02]]\n---\nIt rained."
    assert item(read, written(tmp_path, "a.md", linked)).created_at == datetime(2023, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "# People\n\n- [[Bo]]\n- [[Cy|a friend]]\n* [site](https://example.com) #people/all\n",
        "https://example.com/a?b=c\n",
        "---\ntitle: A\n---\n## Only\n## headings\n",
    ],
)
def test_a_note_that_only_points_elsewhere_is_left_out(tmp_path: Path, text: str) -> None:
    one = left(read, written(tmp_path, "a.md", text))
    assert (one.reason, one.broken) == ("nothing but links, tags and headings", False)


def test_a_drawing_and_a_note_of_front_matter_alone_are_left_out(tmp_path: Path) -> None:
    drawing = "---\nexcalidraw-plugin: parsed\n---\n# Text Elements\nmast ^a1\n"
    assert left(read, written(tmp_path, "a.md", drawing)).reason == "a drawing"
    assert left(read, written(tmp_path, "b.md", "---\ntitle: x\n---\n\n")).reason == "there is no text in it"
    assert left(read, written(tmp_path, "c.md", "%%later%%")).reason.startswith("nothing but")


def test_marks_that_are_never_closed_stay() -> None:
    for text in ("100%% sure", "a <% b", "a <!-- b", "see [[b", "```dataview\nLIST", "```\ncode"):
        assert note_of(text).text == ("" if "dataview" in text else text)


@pytest.mark.parametrize("sign", ["![", "[[", "%%", "<%", "<!--", "[](", "`= ", "\n^a ", "```\n", "https://"])
def test_a_note_of_one_sign_is_read_in_linear_time(sign: str) -> None:
    """A square of the time would not end: a note has up to a million characters."""
    note_of(sign * (900_000 // len(sign)))
