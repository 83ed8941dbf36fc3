"""The folder of files that were sent: emptied at the start, but not while another server has files in it."""

from __future__ import annotations

from pathlib import Path

from app.api.received import LOCK, NAME, swept


def left_over(data_dir: Path) -> Path:
    file = data_dir / NAME / "abc" / "1" / "letter.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("Dear Ruth")
    return file


def test_what_a_crash_has_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    file = left_over(tmp_path)
    with swept(tmp_path):
        assert not file.exists()


def test_nobody_else_can_hold_the_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK).touch(mode=0o644)
    with swept(tmp_path):
        assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o600


def test_what_another_server_is_reading_stays(tmp_path: Path) -> None:
    with swept(tmp_path):
        file = left_over(tmp_path)
        with swept(tmp_path):
            assert file.exists()
        assert file.exists()
    with swept(tmp_path):
        assert not file.exists()
