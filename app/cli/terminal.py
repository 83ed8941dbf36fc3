"""What commands write, to people and to programs, and how they end when something is wrong."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.errors import CoSteerError

out = Console()
err = Console(stderr=True)

# A terminal would obey these: control characters, and those that turn the direction of writing around.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LINE_BREAKS = re.compile(r"\s+")


@contextmanager
def mistakes_named() -> Iterator[None]:
    """Errors that the user can mend are one message, not a traceback; Ctrl-C is no error."""
    try:
        yield
    except CoSteerError as error:
        say(f"error: {error.message}")
        sys.exit(1)
    except UnicodeEncodeError as error:
        if "surrogates" not in error.reason:
            raise
        say("error: An argument holds bytes that are no UTF-8 text. Set the terminal to UTF-8, or retype it.")
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        say("error: The output cannot be written: no space is left. Free some, or write to another place.")
        sys.exit(1)


def say(message: str) -> None:
    """A line to the person, on the standard error."""
    _line(err, message)


def write(text: str = "") -> None:
    """Text to the person, on the standard output."""
    _line(out, text)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    out.print(table)


def write_json(value: Any) -> None:
    """To programs; times are as the API has them."""
    write_bytes(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    )


def write_bytes(data: bytes) -> None:
    """To the standard output as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    """The text with what a terminal would obey written out, as \\x1b; line ends and tabs stay."""
    return OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str, size: int | None = None) -> str:
    """The text on one line; what is beyond `size` characters is three dots."""
    line = printable(LINE_BREAKS.sub(" ", text)).strip()
    return line if size is None or len(line) <= size else f"{line[: size - 1]}…"


def when(moment: datetime | None) -> str:
    """In UTC, to the minute; nothing for never."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if moment is not None else ""


def counted(number: int, noun: str) -> str:
    """1 item, 2,000 items."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def confirm(question: str, *, yes: bool) -> bool:
    """Whether to go on: asked on a terminal; elsewhere only --yes is an answer. Raises CoSteerError."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CoSteerError(f"{question} Nobody can be asked here: add --yes to do it.")
    if typer.confirm(printable(question), err=True):
        return True
    say("Nothing was changed.")
    return False


def _line(console: Console, text: str) -> None:
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
