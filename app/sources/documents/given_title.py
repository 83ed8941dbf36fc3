"""Tells a title that somebody gave a document from one that a program gave it."""

from __future__ import annotations

import re

# Of the file, of the template, of a document without a name.
BY_PROGRAMS = re.compile(
    r"microsoft word|word document|powerpoint|print(?:ing)? "
    r"|(?:unnamed|untitled|unbenannt|sans titre|sin t[ií]tulo|senza titolo|document[oe]?|dokument)\s*\d*$"
    r"|[^\n]*\.(?:docx?|dotx?|odt|ott|rtf|pdf|tex|dvi|indd|pages|txt|html?)$|\W*$",
    re.IGNORECASE,
)


def given_title(title: str) -> str:
    """The title, or "" if a program gave it."""
    title = title.strip()
    return "" if BY_PROGRAMS.match(title) else title
