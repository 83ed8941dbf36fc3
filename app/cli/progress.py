"""Progress bars and spinners on the terminal; where the output is not a terminal, plain lines or nothing."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

DESCRIPTION = TextColumn("{task.description}", markup=False)


def spinner_name(console: Console) -> str:
    """The name of a spinner whose characters the console can write."""
    return "dots" if console.encoding.startswith("utf") else "line"


class RichProgress:
    """Implements app.local.weights.Progress, as a context manager, which ends the last stage.

    Writes to `file`, by default the standard error; without a terminal one plain line per stage.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        # Bind the stream now, so that progress is not captured when a library's output is redirected.
        self._console = Console(file=file or sys.stderr)
        self._stage: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def stage(self, description: str, total: int | None) -> None:
        self._end()
        if not self._console.is_terminal:
            size = f" ({total / 1e6:,.1f} MB)" if total is not None else ""
            self._console.print(Text(f"{description}{size}"), soft_wrap=True)
            return
        # Without a total there is no progress to measure, so show a spinner.
        columns: list[ProgressColumn] = (
            [SpinnerColumn(spinner_name(self._console)), DESCRIPTION, TimeElapsedColumn()]
            if total is None
            else [DESCRIPTION, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]
        )
        self._stage = Progress(*columns, console=self._console, redirect_stdout=False, redirect_stderr=False)
        self._task = self._stage.add_task(description, total=total)
        self._stage.start()

    def advance(self, n: int) -> None:
        if self._stage is not None:
            self._stage.advance(self._task, n)

    def _end(self) -> None:
        if self._stage is not None:
            self._stage.stop()
            self._stage = None


class ItemProgress:
    """A progress bar that counts items, with their `rate` if wanted; without a terminal it shows nothing.

    A context manager. Writes to `file`, by default the standard error.
    """

    def __init__(
        self, description: str, total: int, file: TextIO | None = None, *, rate: bool = True
    ) -> None:
        rates = (_RateColumn(),) if rate else ()
        columns = (DESCRIPTION, BarColumn(), MofNCompleteColumn(), *rates, TimeRemainingColumn())
        console = Console(file=file or sys.stderr)
        self._bar = Progress(
            *columns,
            console=console,
            disable=not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(description, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def describe(self, description: str) -> None:
        """Says something else before the bar."""
        self._bar.update(self._task, description=description)

    def advance(self, n: int) -> None:
        """`n` more items are done."""
        self._bar.advance(self._task, n)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} items/s" if speed else "", style="progress.data.speed")
