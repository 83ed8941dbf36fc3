"""The report: every figure of the summary, pictures that are pictures, and replies as they were written."""

from pathlib import Path

from app.evaluation.quality.report import grids, side_by_side, write_report
from app.evaluation.quality.rules import REMOTE_ALONE
from app.evaluation.quality.summary import summarise
from evaluation.quality.examples import CASES, forced, written

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = [REMOTE_ALONE, "auto"]
REPLIES = [written(case.id, name, 1.0, 0.8) for case in CASES for name in NAMES]


def test_it_has_tables_and_pictures(tmp_path: Path) -> None:
    summary = summarise(CASES, [forced(case.id) for case in CASES], REPLIES, NAMES)
    by_system = {name: {one.case: one for one in REPLIES if one.system == name} for name in NAMES}
    write_report(tmp_path, summary, {"model": "big"}, CASES, by_system)
    text = (tmp_path / "report.md").read_text()
    assert "model big." in text
    for grid in grids(summary):
        for row in grid.rows:
            assert f"| {' | '.join(row)} |" in text
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert pictures == ["candidates.png", "replies.png", "strengths.png"]
    for name in pictures:
        assert f"({name})" in text
        assert (tmp_path / name).read_bytes().startswith(PNG)
    assert (tmp_path / "replies.md").read_text() == side_by_side(CASES, by_system)


def test_one_half_alone_is_a_report(tmp_path: Path) -> None:
    write_report(tmp_path, summarise(CASES, [forced("a")], [], []), {}, CASES, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "candidates.png",
        "report.md",
        "strengths.png",
    ]
    (grid,) = grids(summarise(CASES, [], REPLIES, NAMES))
    assert "METEOR, %" in grid.columns
    assert all(len(row) == len(grid.columns) for row in grid.rows)


def test_replies_of_several_lines_stay_quotations() -> None:
    reply = written("a", "auto", 1.0, 0.8, text="# Dear all\n\n- one\n")
    text = side_by_side(CASES, {"auto": {"a": reply}})
    assert "**auto**\n\n> # Dear all\n>\n> - one\n" in text
    assert "## b" not in text
