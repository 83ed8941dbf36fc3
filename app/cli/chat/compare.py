"""/compare: a steered reply beside the one that the remote alone would have written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from app.cli.chat.reply import Piece, Reply
from app.cli.chat.screen import Screen
from app.cli.chat.tint import style
from app.cli.chat.wrapping import Segment, Wrapper
from app.logs import printable

# Columns from which on two replies stand side by side, and between them.
WIDE, BETWEEN = 100, 4
HEADS = ("Steered", "The remote alone")


def compare(screen: Screen, steered: Reply, alone: Reply) -> None:
    """Shows both, side by side where there is room."""
    if screen.terminal and screen.width >= WIDE:
        for line in side_by_side(steered, alone, screen.width):
            screen.show([*line, ("\n", "")])
        return
    for number, (head, reply) in enumerate(zip(HEADS, (steered, alone), strict=True)):
        screen.show([("\n" if number else "", ""), (f"{head}:\n", "bold")])
        screen.paragraph((piece.text, style(piece)) for piece in _pieces(reply, number))


def side_by_side(steered: Reply, alone: Reply, width: int) -> Iterator[list[Segment]]:
    """The lines of two columns, without their ends."""
    size = (width - BETWEEN) // 2
    left, right = (lines(_pieces(reply, number), size) for number, reply in enumerate((steered, alone)))
    yield [(HEADS[0].ljust(size + BETWEEN), "bold"), (HEADS[1], "bold")]
    for row in range(max(len(left), len(right))):
        first = left[row] if row < len(left) else []
        pad = size + BETWEEN - sum(cell_len(text) for text, _ in first)
        yield [*first, (" " * pad, ""), *(right[row] if row < len(right) else [])]


def lines(pieces: Sequence[Piece], width: int) -> list[list[Segment]]:
    """The pieces as lines of at most so many columns."""
    wrapper = Wrapper(lambda: width)
    segments = [one for piece in pieces for one in wrapper.push(printable(piece.text), style(piece))]
    found: list[list[Segment]] = [[]]
    for text, how in [*segments, *wrapper.flush()]:
        if text == "\n":
            found.append([])
            continue
        for part in _cut(text, width):
            if found[-1] and sum(cell_len(one) for one, _ in found[-1]) + cell_len(part) > width:
                found.append([])
            found[-1].append((part, how))
    while len(found) > 1 and not found[-1]:
        found.pop()
    return found


def _cut(text: str, width: int) -> Iterator[str]:
    """A text in parts that fit a line; a single word may be wider than one."""
    for start in range(0, len(text), width):
        yield text[start : start + width]


def _pieces(reply: Reply, number: int) -> list[Piece]:
    """What is shown of a reply; the second one has no marks."""
    return reply.pieces if number == 0 else [Piece(piece.text) for piece in reply.pieces]
