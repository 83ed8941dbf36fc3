"""Tables as spreadsheets and programs write them: dialects, encodings, columns, and what is refused."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.profiles.document import MAX_TITLE
from app.profiles.profile import MAX_REQUEST, MAX_TEXT, HistoryItem
from app.sources.exports.csv_table import BLANK, LONG, NO_NAME, NO_TEXT, OTHERS, looks_like, read
from app.sources.found import Found, Person
from sources.laws import ANNA, NOBODY, hold, sorted_out, written


def found(path: Path, person: Person = NOBODY) -> list[Found]:
    return sorted_out(read(path, person))[0]


def items(folder: Path, content: str | bytes, name: str = "table.csv") -> list[HistoryItem]:
    path = written(folder / name, content)
    kept = [one.item for one in found(path)]
    assert {item.source for item in kept} <= {str(path)}
    return [replace(item, source="") for item in kept]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_dialects(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = ['"Title"|Body|"Created At"', 'A|"two\nlines, ""quoted""; and more"|2024-01-31T09:30:00Z', "||"]
    content = end.join(row.replace("|", delimiter) for row in rows)
    assert items(tmp_path, content) == [
        HistoryItem(
            "A", 'two\nlines, "quoted"; and more', created_at=datetime(2024, 1, 31, 9, 30, tzinfo=UTC)
        )
    ]


def test_tabs_by_the_files_name(tmp_path: Path) -> None:
    assert items(tmp_path, "text\tsubject\na, b\tc", "a.tsv") == [HistoryItem("c", "a, b")]


def test_excels_own_line_and_formulas_that_are_text(tmp_path: Path) -> None:
    assert items(tmp_path, '\ufeffsep=;\r\ntext;title\r\n"=SUM(A1;2)";x') == [HistoryItem("x", "=SUM(A1;2)")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert items(tmp_path, "text,title\nfjällräv,é".encode(encoding)) == [HistoryItem("é", "fjällräv")]


def test_columns_by_all_their_names(tmp_path: Path) -> None:
    header = "ID,Prompt,MESSAGE,Subject,Timestamp"
    assert items(tmp_path, f"{header}\n7,Why?,Because.,S,1706693400") == [
        HistoryItem("S", "Because.", request="Why?", created_at=datetime(2024, 1, 31, 9, 30, tzinfo=UTC))
    ]
    assert items(tmp_path, "content,date\nx,31.01.2024\ny")[0].created_at is None


def test_only_the_persons_rows_where_a_column_says_whose(tmp_path: Path) -> None:
    content = "from,body\nAnna Ek <ANNA@ek.example>,a\nanna ek,b\nBo,c\nanna@ek.example,d\n,e"
    content += "\nAnna Ek <anna@other.example>,f"
    kept, reasons = sorted_out(read(written(tmp_path / "a.csv", content), ANNA))
    assert [one.item.text for one in kept] == ["a", "b", "d"] and reasons == {OTHERS: 3}
    assert sorted_out(read(tmp_path / "a.csv", NOBODY)) == ([], {NO_NAME: 1})


@pytest.mark.parametrize("content", ["name,age\nsecret,7", "secret", ",,\n1,2,3", "\n"])
def test_a_table_without_texts_is_refused(tmp_path: Path, content: str) -> None:
    (left_out,) = list(read(written(tmp_path / "a.csv", content), NOBODY))
    assert not isinstance(left_out, Found) and "secret" not in left_out.reason
    assert left_out.reason == (NO_TEXT if content.strip() else "an empty table")


def test_an_empty_table(tmp_path: Path) -> None:
    assert sorted_out(read(written(tmp_path / "a.csv", ""), NOBODY)) == ([], {"an empty table": 1})
    assert sorted_out(read(written(tmp_path / "a.csv", "text,title\n"), NOBODY)) == ([], {})


def test_rows_without_text_are_counted(tmp_path: Path) -> None:
    kept, reasons = sorted_out(read(written(tmp_path / "a.csv", "title,text\na\nb, \nc,d"), NOBODY))
    assert [one.item.text for one in kept] == ["d"] and reasons == {BLANK: 2}


def test_parts_stay_where_rows_are_inserted_and_tell_equal_rows_apart(tmp_path: Path) -> None:
    before = {one.part: one.item.text for one in found(written(tmp_path / "a.csv", "text\na\nb\nb\n"))}
    after = {one.part: one.item.text for one in found(written(tmp_path / "a.csv", "text\nnew\na\nb\nb\n"))}
    assert len(before) == 3 and before.items() <= after.items()


def test_what_is_too_long_is_bounded(tmp_path: Path) -> None:
    content = f"text,title,request\nx,{'t' * 2 * MAX_TITLE},{'r' * 2 * MAX_REQUEST}"
    (item,) = items(tmp_path, content)
    assert (len(item.title), len(item.request)) == (MAX_TITLE, MAX_REQUEST)


@pytest.mark.parametrize(
    "hostile", ['"' + "x\n" * MAX_TEXT, "x" * 5 * MAX_TEXT, "a," * 2 * MAX_TEXT + '"' * 9]
)
def test_a_quote_that_is_not_closed_keeps_the_rows_before(tmp_path: Path, hostile: str) -> None:
    path = written(tmp_path / "a.csv", f"text\nfirst\n{hostile}")
    kept, reasons = sorted_out(read(path, NOBODY))
    assert "first" in [one.item.text for one in kept]
    assert reasons.get(LONG) == 1 or len(kept) == 2
    hold(lambda: read(path, NOBODY))


def test_what_looks_like_a_table(tmp_path: Path) -> None:
    for name, like in {"a.csv": True, "a.TSV": True, "a.tab": True, "a.txt": False, "csv": False}.items():
        assert looks_like(tmp_path / name) is like


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_pythons_writer_writes_is_read(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str
) -> None:
    rows = [(title.replace("\0", ""), text.replace("\0", "")) for title, text in rows]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("title", "text"), *rows])
    kept = items(tmp_path, out.getvalue().encode(errors="replace"))
    whole = [text.encode(errors="replace").decode() for _, text in rows]
    unified = [text.replace("\r\n", "\n").replace("\r", "\n").strip() for text in whole]
    assert [item.text for item in kept] == [text for text in unified if text]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    st.sampled_from([b"", b"text,from\n", b"sep=;\ntext;title\n"]),
    st.binary(max_size=300) | st.text().map(lambda text: text.encode(errors="surrogatepass")),
)
def test_no_bytes_raise_and_all_bounds_hold(tmp_path: Path, head: bytes, data: bytes) -> None:
    path = written(tmp_path / "a.csv", head + data)
    hold(lambda: read(path, ANNA))
