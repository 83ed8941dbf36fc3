"""HTML pages give the text that they show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.sources.documents.web_page import read
from sources.made import item, left


def written(folder: Path, html: str | bytes) -> Path:
    path = folder / "page.html"
    path.write_bytes(html if isinstance(html, bytes) else html.encode())
    return path


PAGE = """<!DOCTYPE html><html><head><title>The
 boat</title><meta property="article:published_time" content="2024-03-05T10:00:00+01:00">
<style>p {}</style></head><body><header>Site</header><nav><a href=/>Home</a></nav>
<h1>The boat</h1><p>It   is <b>in</b>
the water,<br>at last.<p style="display:none">unseen</p><!-- no -->
<ul><li>mast<li>sail</ul><table><tr><td>who<td>what</table>
<pre>  a
  b</pre><script>alert(1)</script>tail<aside>ad</aside><footer>2024</footer></body></html>"""


def test_a_page_is_what_it_shows(tmp_path: Path) -> None:
    found = item(read, written(tmp_path, PAGE))
    assert (found.title, found.created_at) == ("The boat", datetime(2024, 3, 5, 9, tzinfo=UTC))
    assert found.text == (
        "The boat\n\nIt is in the water,\nat last.\n\n- mast\n- sail\n\nwho\twhat\n\n  a\n  b\n\ntail"
    )


def test_of_a_page_with_one_article_that_is_read(tmp_path: Path) -> None:
    page = "<body><div>menu</div><article><header><h1>A</h1></header>text</article><div>more</div>"
    found = item(read, written(tmp_path, page))
    assert (found.title, found.text) == ("A", "A\n\ntext")
    two = "<body><article>a</article><article>b</article>"
    assert item(read, written(tmp_path, two)).text == "a\n\nb"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
        ("", "cp1252"),
        ("<meta charset=iso-8859-1>", "cp1252"),
        ("<meta charset='nonsense'>", "cp1252"),
        ("<meta http-equiv=Content-Type content='text/html; charset=iso-8859-15'>", "iso-8859-15"),
        ("<?xml version='1.0' encoding='utf-8'?>", "utf-8"),
    ],
)
def test_the_encoding_is_what_the_page_tells(tmp_path: Path, head: str, encoding: str) -> None:
    assert item(read, written(tmp_path, f"{head}<p>Zoë €".encode(encoding))).text == "Zoë €"


def test_pages_without_a_text_of_anybody_are_left_out(tmp_path: Path) -> None:
    marks = "<!DOCTYPE NETSCAPE-Bookmark-file-1><DL><DT><A HREF=x>y</A></DL>"
    assert left(read, written(tmp_path, marks)).reason == "a browser's bookmarks"
    for html in ("", "<!-- x -->", "<html></html>", "<script>x</script>", "\0"):
        assert left(read, written(tmp_path, html)).reason == "there is no text in it"


def test_elements_without_end_are_read_in_bounds(tmp_path: Path) -> None:
    deep = written(tmp_path, "<p>before" + "<div>" * 1000 + "x" + "</div>" * 1000 + "after")
    assert item(read, deep).text == "before\n\nx\nafter"
    assert (
        left(read, written(tmp_path, "<div>" * 20_000 + "x")).reason == "elements that are nested too deeply"
    )
    long = left(read, written(tmp_path, "<p>x" * 900_000))
    assert long.reason.startswith("a text of more than 1,000,000 characters")
