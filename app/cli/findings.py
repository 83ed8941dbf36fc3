"""Says what became of the files that were read: counts by what was done, by kind of file and by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.cli.intake import Outcome
from app.cli.terminal import counted, one_line, say, write_table
from app.sources.formats import Format, format_of
from app.sources.found import LeftOut
from app.sources.place import is_file, is_folder
from app.sources.survey import Survey
from app.sources.walk import PassedOver

# What is left out and named, each on a line.
MAX_PASSED_OVER = 20


def summary(outcome: Outcome, *, dry: bool = False, prune: str = "--prune") -> str:
    """What became of the items on one line; what is none is not named, but for those that were added."""
    parts = [f"{'would add' if dry else 'added'} {counted(outcome.added, 'item')}"]
    words = {
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "moved": outcome.moved,
        "same as others": outcome.same,
        "removed": outcome.removed,
        "vanished": outcome.vanished,
    }
    parts += [f"{word} {number:,}" for word, number in words.items() if number]
    return ", ".join(parts) + (f" ({prune} removes them)" if outcome.vanished else "")


def write_kinds(found: Survey) -> None:
    """Prints a table of what each kind of file gave, if there are several."""
    rows = _by_kind(found)
    if len(rows) > 1:
        write_table(
            ("kind of file", "files", "items", "left out"),
            [(kind, *(f"{number:,}" for number in row)) for kind, row in rows.items()],
        )


def say_left_out(found: Survey, *, every: bool = False) -> None:
    """Prints what is left out with its reason, first what may be mended: 20 lines, or all."""
    passed = sorted(found.passed, key=lambda one: not one.left.broken)
    named = passed if every else passed[:MAX_PASSED_OVER]
    for one in named:
        number = f" ({one.left.count:,})" if one.left.count > 1 else ""
        say(f"left out: {one_line(found.name(one.path))}: {one.left.reason}{number}")
    if len(passed) > len(named):
        say(f"left out: {len(passed) - len(named):,} more")


def write_reasons(found: Survey) -> None:
    """Prints a table of the reasons why something is left out."""
    rows = _by_reason(found.passed)
    if rows:
        write_table(("left out because", "files", "texts"), [(why, f"{n:,}", f"{m:,}") for why, n, m in rows])


def for_programs(outcome: Outcome, found: Survey) -> dict[str, Any]:
    """The same for programs."""
    names = ("files", "items", "left_out")
    return {
        **asdict(outcome),
        "kinds": {kind: dict(zip(names, row, strict=True)) for kind, row in _by_kind(found).items()},
        "left_out": [
            {
                "file": found.name(one.path),
                "reason": one.left.reason,
                "count": one.left.count,
                "broken": one.left.broken,
            }
            for one in found.passed
        ],
    }


def _by_kind(found: Survey) -> dict[str, tuple[int, int, int]]:
    """By kind of file: how many files and items, and how many texts are left out."""
    items = Counter(one.origin.file for one in found.seen)
    rows: dict[str, list[int]] = {}
    for file, one in found.candidates.items():
        row = rows.setdefault(_kind(one.path, explicit=one.explicit), [0, 0, 0])
        row[0] += 1
        row[1] += items[file]
    explicit = {one.path for one in found.candidates.values() if one.explicit}
    for left in found.passed:
        kind = _kind(left.path, explicit=left.path in explicit)
        rows.setdefault(kind, [0, 0, 0])[2] += left.left.count
    return {kind: (row[0], row[1], row[2]) for kind, row in sorted(rows.items())}


def _by_reason(passed: Sequence[PassedOver]) -> list[tuple[str, int, int]]:
    """Each reason with the numbers of files and of texts, the most frequent first."""
    files: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    for one in passed:
        files[one.left.reason] += 1
        texts[one.left.reason] += one.left.count
    return [(reason, number, texts[reason]) for reason, number in files.most_common()]


def _kind(path: Path, *, explicit: bool) -> str:
    """How a file's kind is called: its format, or its suffix where it has none."""
    if is_folder(path):
        return "folders"
    kind: Format | LeftOut | None
    try:
        # A pipe would be waited for.
        kind = format_of(path, explicit=explicit) if is_file(path) else None
    except (OSError, ImportError):
        kind = None
    if kind is None or isinstance(kind, LeftOut):
        return path.suffix.lower() or "others"
    return kind.name
