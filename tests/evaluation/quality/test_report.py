"""The report: every figure of the summary, pictures that are pictures, and replies as they were written."""

from pathlib import Path

from app.evaluation.quality.grids import grids
from app.evaluation.quality.report import side_by_side, write_report
from app.evaluation.quality.rules import REMOTE_ALONE
from app.evaluation.quality.summary import summarise
from evaluation.quality.examples import CASES, HEADINGS, LETTER, forced, planned, written

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = [REMOTE_ALONE, "auto", "auto [headings]"]
TEXTS = [forced(case.id, form=form) for case in CASES for form in (LETTER, HEADINGS)]
REPLIES = [written(case.id, name, 1.0, {LETTER: 0.8, HEADINGS: 0.7}) for case in CASES for name in NAMES]


def test_it_has_tables_and_pictures(tmp_path: Path) -> None:
    summary = summarise(planned(LETTER, HEADINGS, against="auto [headings]"), TEXTS, REPLIES)
    by_system = {name: {one.case: one for one in REPLIES if one.system == name} for name in NAMES}
    write_report(tmp_path, summary, {"model": "big"}, CASES, by_system)
    text = (tmp_path / "report.md").read_text()
    assert "model big." in text
    assert len(grids(summary)) == 5
    for grid in grids(summary):
        assert f"## {grid.title}" in text
        for row in grid.rows:
            assert len(row) == len(grid.columns)
            assert f"| {' | '.join(row)} |" in text
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["candidates.png", "frontier.png", "replies.png", "strengths.png"]
    for name in pictures:
        assert f"({name})" in text
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert (tmp_path / "replies.md").read_text() == side_by_side(CASES, by_system)


def test_one_half_alone_is_a_report(tmp_path: Path) -> None:
    write_report(tmp_path, summarise(planned(), [forced("a")], []), {}, CASES, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "candidates.png",
        "report.md",
        "strengths.png",
    ]
    replies, frontier = grids(summarise(planned(), [], REPLIES))
    assert "METEOR, %" in replies.columns
    assert "gained" not in frontier.columns  # no texts were read
    for grid in (replies, frontier):
        assert all(len(row) == len(grid.columns) for row in grid.rows)


def test_columns_tell_the_forms_apart_where_there_are_several() -> None:
    one, two = (
        {name for grid in grids(summarise(planned(*forms), TEXTS, REPLIES)) for name in grid.columns}
        for forms in ((LETTER,), (LETTER, HEADINGS))
    )
    assert "likelier" in one and not any("headings" in name for name in one)
    assert {"likelier [letter]", "likelier [headings]", "of the gap of letter, %"} <= two


def test_replies_of_several_lines_stay_quotations() -> None:
    reply = written("a", "auto", 1.0, 0.8, text="# Dear all\n\n- one\n")
    text = side_by_side(CASES, {"auto": {"a": reply}})
    assert "**auto**\n\n> # Dear all\n>\n> - one\n" in text
    assert "## b" not in text
