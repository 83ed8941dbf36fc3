"""/why: what each model made of the words of a reply, by the detail that came with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from app.cli.chat.reply import Piece
from app.cli.chat.tint import style
from app.cli.chat.wrapping import Segment

# Words that are explained unless a number is given.
WORDS = 5
DIGITS = 9  # of a number that is read; one with more is all of the words
NUMBER = 8  # columns of a number
NAME = 8  # columns of a candidate, at least
MARGIN = 4  # columns in front of a candidate
ABOUT = ("with", "without")
COLUMNS = (
    "Probabilities: of the remote, of the small model with and without what is private, and of the reply, "
    "before its margin and temperature."
)
PAIRS = " The first pair is about the person, the second about how replies should be."


def chosen(pieces: Sequence[Piece], wanted: str) -> list[Piece]:
    """The pieces that are explained: the last so many by a number, else those that a word stands in, the last
    time that the reply has it."""
    told = [piece for piece in pieces if piece.tokens and piece.text.strip()]
    if not wanted or wanted.isdecimal():
        count = WORDS if not wanted else int(wanted) if len(wanted) <= DIGITS else len(told)
        return told[-count:] if count else []
    text = "".join(piece.text for piece in pieces).casefold()
    found = text.rfind(wanted.casefold())
    return [] if found < 0 else list(_within(pieces, found, found + len(wanted)))


def _within(pieces: Sequence[Piece], first: int, end: int) -> Iterator[Piece]:
    """The pieces that have tokens and some of these characters of the text."""
    start = 0
    for piece in pieces:
        if start < end and start + len(piece.text.casefold()) > first and piece.tokens:
            yield piece
        start += len(piece.text.casefold())


def heading(pieces: Sequence[Piece]) -> str:
    """What the columns of the tables are."""
    candidates = [one for piece in pieces for token in piece.tokens for one in token.get("candidates", ())]
    pairs = max((len(one["local_probs"] or ()) for one in candidates), default=0)
    return COLUMNS + (PAIRS if pairs > 1 else "")


def explained(piece: Piece, width: int) -> Iterator[list[Segment]]:
    """Lines about a piece: the text, and for each of its tokens a table of candidates."""
    yield [(quoted(piece.text), style(piece) or "bold"), (f"  {_told(piece)}", "dim")]
    if piece.filled:
        return
    for token in piece.tokens:
        yield from _table(token, width)


def _told(piece: Piece) -> str:
    if piece.filled:
        return "written in on this device, in the place of " + quoted("".join(_names(piece)))
    notes = []
    if piece.changed:
        drafted = " ".join(quoted(token["drafted"]) for token in piece.tokens)
        notes.append(f"the remote wrote {drafted}")
    if piece.held_back:
        notes.append("something guarded was held back here")
    if not notes:
        notes.append("the remote's own word")
    return "; ".join(notes)


def _names(piece: Piece) -> list[str]:
    return [token["chosen"] for token in piece.tokens]


def _table(token: Mapping[str, Any], width: int) -> Iterator[list[Segment]]:
    candidates = token.get("candidates", ())
    if not candidates:
        return
    contrasts = max((len(one["local_probs"] or ()) for one in candidates), default=0)
    names = [quoted(one["token"]) + (" (held)" if one["held"] else "") for one in candidates]
    numbers = NUMBER * (2 + 2 * contrasts)
    size = max(min(max(map(cell_len, names)), width - numbers - MARGIN - 1), NAME)
    heads = ["remote", *(ABOUT * contrasts), "final"]
    yield [(" " * (MARGIN + size) + "".join(f"{head:>{NUMBER}}" for head in heads), "dim")]
    for name, one in zip(names, candidates, strict=True):
        is_chosen = one["id"] == token["chosen_id"]
        local = one["local_probs"] or [dict.fromkeys(ABOUT)] * contrasts
        shares = [one["remote_prob"], *(pair[key] for pair in local for key in ABOUT), one["steered_prob"]]
        line = f"{'  > ' if is_chosen else '    '}{_fitted(name, size)}{''.join(map(percent, shares))}"
        yield [(line, "bold" if is_chosen else "")]


def _fitted(name: str, size: int) -> str:
    """A name in so many columns."""
    return set_cell_size(name, size) if cell_len(name) <= size else f"{set_cell_size(name, size - 1)}…"


def percent(share: float | None) -> str:
    """A probability in a column's width; a dash where there is none."""
    if share is None:
        return f"{'-':>{NUMBER}}"
    if 0 < share < 0.001:
        return f"{'<0.1 %':>{NUMBER}}"
    return f"{share:>{NUMBER}.1%}".replace("%", " %")[-NUMBER:]


def quoted(text: str) -> str:
    """A token so that its spaces and line feeds are seen."""
    return f'"{text}"'.replace("\n", "\\n").replace("\t", "\\t")
