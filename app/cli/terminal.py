"""The output of commands, for people or for programs, and their exit status and message on errors."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.errors import CoSteerError, SettingsError, TokenizerMismatch
from app.logs import printable

out = Console()
err = Console(stderr=True)

LINE_BREAKS = re.compile(r"\s+")
# The narrowest readable cell, in columns; if a table has no room for that, each row is printed as a list.
NARROWEST = 12
# Columns that a table needs for the borders of one cell.
BORDERS = 3
# Error handlers under which writing a character that the stream's encoding lacks raises.
STRICT = {"strict", "surrogateescape"}
# How the system refuses a path that somebody has named.
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}


def bear_any_output() -> None:
    """Makes the standard streams accept any text; a character that their encoding lacks is replaced.

    A closed stream is redirected to the null device.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors in STRICT:
            stream.reconfigure(errors="replace")


def on_terminal() -> bool:
    """Whether the standard output is a terminal, not a pipe or a file."""
    return sys.stdout.isatty()


@contextmanager
def mistakes_named(*, misconfigured: int = 1) -> Iterator[None]:
    """Prints errors that the user can fix as one message without a traceback, and exits with status 1; with
    `misconfigured` where trying again would not help before the settings are changed.

    Ctrl-C exits with status 130 and no message.
    """
    try:
        yield
    except (SettingsError, TokenizerMismatch) as error:
        say(f"error: {error}")
        sys.exit(misconfigured)
    except CoSteerError as error:
        say(f"error: {error}")
        sys.exit(1)
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:
            raise
        say("error: An argument holds bytes that are no UTF-8 text. Set the terminal to UTF-8, or retype it.")
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except OSError as error:
        if error.errno in REFUSED and error.filename:
            name = os.fsdecode(error.filename)
            say(f"error: {name}: {error.strerror}. Give it to this user, or name another.")
            sys.exit(1)
        if error.errno != errno.ENOSPC:
            raise
        say("error: The output cannot be written: no space is left. Free some, or write to another place.")
        sys.exit(1)


def say(message: str) -> None:
    """Prints a line for people on the standard error."""
    print(printable(message), file=sys.stderr, flush=True)


def write(text: str = "") -> None:
    """Prints text for people on the standard output."""
    print(printable(text), flush=True)


def write_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Collection[int] = (0,)
) -> None:
    """Prints a table on a terminal; elsewhere tab-separated lines, with the column names first.

    The columns `whole`, of ids, are never wrapped. If the terminal is too narrow, each row becomes a list.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    if not on_terminal():
        for row in ([*columns], *cells):
            write("\t".join(row))
    elif _least_width(columns, cells, whole) <= out.width:
        table = Table()
        for number, name in enumerate(columns):
            table.add_column(name, no_wrap=number in whole, overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        out.print(table)
    else:
        for row in cells:
            write("\n".join(f"{name}: {cell}" for name, cell in zip(columns, row, strict=True) if cell))
            write()


def write_aligned(cells: Sequence[str], widths: Sequence[int], styles: Sequence[str], below: str) -> None:
    """Prints a row of cells, and a line `below` the last cell, which has no fixed width; a terminal wraps it.

    `widths` has one entry for each cell but the last, in columns; `styles` one for each cell.
    """
    texts = [Text(one_line(cell), style) for cell, style in zip(cells, styles, strict=True)]
    last = Text(f"-> {one_line(below)}", "bold") if below else None
    if on_terminal() and sum(widths) + 2 * len(widths) + NARROWEST <= out.width:
        grid = Table.grid(padding=(0, 2, 0, 0))
        for width in widths:
            grid.add_column(width=width, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(*texts)
        if last is not None:
            grid.add_row(*("" for _ in widths), last)
        out.print(grid)
        return
    for text, width in zip(texts, widths, strict=False):
        text.pad_right(max(0, width - text.cell_len))
    out.print(Text("  ").join(texts), soft_wrap=True)
    if last is not None:
        out.print(Text(" " * 4) + last, soft_wrap=True)


def write_json(value: Any) -> None:
    """Prints JSON for programs; times are formatted as in the API, and keys that are numbers are texts."""
    how = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    try:
        data = orjson.dumps(value, option=how)
    except TypeError as error:
        if "surrogates" not in str(error):
            raise
        data = orjson.dumps(_legible(value), option=how)  # names of files may be no UTF-8
    write_bytes(data)


def _legible(value: Any) -> Any:
    """The value with the bytes in its texts escaped that are no UTF-8."""
    if isinstance(value, dict):
        return {_legible(key): _legible(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_legible(one) for one in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def write_bytes(data: bytes) -> None:
    """Writes the bytes unchanged to the standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def one_line(text: str, size: int | None = None) -> str:
    """The text on one line, cut to `size` characters with an ellipsis."""
    line = printable(LINE_BREAKS.sub(" ", text)).strip()
    return line if size is None or len(line) <= size else f"{line[: size - 1]}…"


def when(moment: datetime | None) -> str:
    """Formats a time in UTC, to the minute; None gives an empty string."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if moment is not None else ""


def counted(number: int, noun: str) -> str:
    """The number with its noun: 1 item, 2,000 items."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def asked() -> bool:
    """Whether a person can be asked: the standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go on: asks on a terminal; without one raises CoSteerError unless --yes was given."""
    if yes:
        return True
    if not asked():
        raise CoSteerError(f"{question} Nobody can be asked here: add --yes to do it.")
    if typer.confirm(printable(question), err=True):
        return True
    say("Nothing was changed.")
    return False


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[int]) -> int:
    """The least width in columns at which the table breaks no id, and no cell is too narrow to read."""
    least = 1
    for number, name in enumerate(columns):
        cells = [name, *(row[number] for row in rows)]
        widest = max(map(cell_len, cells))
        least += BORDERS + (widest if number in whole else min(widest, NARROWEST))
    return least
