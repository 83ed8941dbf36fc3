"""A command in a terminal of its own, and what that shows."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pyte

from cli.running import ROOT
from cli.test_serve import SERVE

ENTER, BREAK, TAB, INTERRUPT, END = "\r", "\x1b\r", "\t", "\x03", "\x04"
ROWS = 60
PATIENCE = 90.0  # seconds, on a busy machine


class Terminal:
    """What a process writes to its terminal, and what is typed there."""

    def __init__(self, pid: int, ours: int, columns: int) -> None:
        self._pid, self._ours = pid, ours
        self._screen = pyte.Screen(columns, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.sent = b""  # all that the process has written

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait(self, there: str | Callable[[str], bool]) -> str:
        """What is shown once a text, or what is asked for, is there."""
        found = there if callable(there) else lambda shown: there in shown
        until = time.monotonic() + PATIENCE
        while not found(self.text):
            assert self._read(until), f"the terminal shows:\n{self.text}"
        return self.text

    def status(self) -> int:
        """The exit status, once the process has ended."""
        until = time.monotonic() + PATIENCE
        while self._read(until):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def cell(self, column: int, row: int) -> pyte.screens.Char:
        return self._screen.buffer[row][column]

    def _read(self, until: float) -> bool:
        """Whether something came, before the moment and the end."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        with suppress(OSError):  # Linux ends a terminal that nobody holds any more with one
            data = os.read(self._ours, 1 << 16)
            self.sent += data
            self._stream.feed(data)
            # A line editor asks where the cursor is, and waits for the answer.
            if b"\x1b[6n" in data:
                self.type(f"\x1b[{self._screen.cursor.y + 1};{self._screen.cursor.x + 1}R")
            return bool(data)
        return False


@contextmanager
def terminal(*arguments: str, columns: int = 80, more: str = "", **environment: str) -> Iterator[Terminal]:
    """`costeer` with these arguments over fake models, as its terminal's foreground process."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    variables |= {"TERM": "xterm-256color", **environment}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        if name not in environment:
            variables.pop(name, None)
    pid, ours = pty.fork()
    if pid == 0:
        script = SERVE.replace("{more}", more)
        os.execvpe(sys.executable, [sys.executable, "-c", script, *arguments], variables)  # noqa: S606
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    try:
        yield Terminal(pid, ours, columns)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(ours)
