"""How a piece of a reply is marked: by how much it was steered, and by what else was done to it."""

from __future__ import annotations

from app.cli.chat.reply import Piece

# From so many nats on, a piece has one of three tints: 1.1, 1.6 and 4.5 times as likely as without steering.
STEPS = (0.1, 0.5, 1.5)
# One hue at one lightness, more and more saturated: each has a contrast of 4 or more on black and on white.
TINTS = ("", "color(96)", "color(133)", "color(164)")
CHANGED = "underline"
HELD_BACK = "color(130) italic"
FILLED = "reverse"


def step(piece: Piece) -> int:
    """0 to 3: how much likelier steering has made the piece."""
    return sum(piece.steered_by >= least for least in STEPS)


def style(piece: Piece) -> str:
    """The piece's style, in rich's words; empty if nothing was done to it."""
    if piece.filled:
        return FILLED
    tint = HELD_BACK if piece.held_back else TINTS[step(piece)]
    return " ".join(one for one in (tint, CHANGED if piece.changed else "") if one)
