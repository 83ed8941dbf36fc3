"""The option `--preference`: a text and perhaps, behind a bar between blanks, its opposite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from app.profiles.profile import Preference

BAR = " | "
EXPECTED = f"text of at most 1,000 characters and perhaps, behind {BAR!r}, its opposite, none of them blank"

Given = Annotated[
    list[str] | None,
    typer.Option(
        "--preference",
        metavar="WISH",
        help=f"How replies should be, and perhaps behind {BAR!r} the opposite; may be given many times.",
    ),
]


def preference_tables(given: Sequence[str]) -> list[dict[str, str]]:
    """The preferences as tables that are not validated yet. Raises BadParameter for more than one bar."""
    tables = []
    for one in given:
        # Padded, so that a bar at either end has a blank text beside it, which is refused.
        text, *opposites = (part.strip() for part in f" {one} ".split(BAR))
        if len(opposites) > 1 or "" in opposites:
            raise typer.BadParameter(
                "--preference takes TEXT or 'TEXT | OPPOSITE', like --preference 'Be brief. | Be thorough.'"
            )
        tables.append({"text": text, "opposite": "".join(opposites)})
    return tables


def preference_text(preference: Preference) -> str:
    """The preference as the option takes it."""
    return BAR.join(filter(None, (preference.text, preference.opposite)))
