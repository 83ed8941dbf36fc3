"""Takes the prose out of a Markdown note, Obsidian's and its plugins' own marks included.

As https://help.obsidian.md/syntax, https://help.obsidian.md/properties, Dataview's and Templater's pages have
it. All of it takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.profiles.heading import FENCE, HEADING, end_of_front_matter, title_of
from app.sources.documents.written_date import written_date

# Languages of code blocks that a plugin replaces by what it looks up or draws.
QUERIES = re.compile(
    r"\s*(?:dataview(?:js)?|tasks|query|bases?|button|templater|chartsview|tracker|leaflet|mermaid|calendar"
    r"|excalidraw|todoist|toc|table-of-contents|embed|folder-overview)\b",
    re.IGNORECASE,
)
DRAWING = re.compile(r"excalidraw-plugin[ \t]*:", re.IGNORECASE)
CREATED = re.compile(
    r"[\"']?(?:date[ _-]?created|created(?:[ _-]?(?:at|on))?|creation[ _-]?date|date|published)[\"']?"
    r"[ \t]{0,9}[:=][ \t\"'\[]*([\d].*)",
    re.IGNORECASE,
)
EMBED = re.compile(r"!\[\[[^\[\]\n]*\]\]|!\[[^\[\]\n]*\]\([^()\n]*\)")
# In a table the bar of a link is escaped.
LINK = re.compile(r"\[\[([^\[\]|\n]*?)(?:\\?\|([^\[\]\n]*))?\]\]")
BLOCK = re.compile(r"(?:^|[ \t])\^[\w-]+[ \t]*$", re.MULTILINE)
INLINE_QUERY = re.compile(r"`\$?= [^`\n]*`")
# What is left of a note that points at others only: none of this is anybody's words.
POINTERS = re.compile(
    r"\[\[[^\[\]\n]*\]\]|\[[^\[\]\n]*\]\([^()\n]*\)|<?https?://\S+|(?<!\w)#[\w/-]+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, repr=False)
class Note:
    """What a note says. `title` is "" where it names none; a drawing's text is a program's."""

    title: str
    created_at: datetime | None
    text: str
    drawn: bool
    points_only: bool


def note_of(text: str) -> Note:
    """Line ends must be line feeds."""
    lines = text.split("\n")
    end = end_of_front_matter(lines)
    front, body = lines[1:end], "\n".join(lines[end:])
    prose = _prose(body)
    return Note(
        title=title_of(text),
        created_at=_created(front),
        text=prose,
        drawn=any(DRAWING.match(line) for line in front),
        points_only=bool(body.strip()) and not _says_anything(_prose(body, links=True)),
    )


def _created(front: Sequence[str]) -> datetime | None:
    """The first date among the properties that say when a note was written; a link to a daily note is one."""
    dates = (written_date(found[1]) for line in front if (found := CREATED.match(line)))
    return next((date for date in dates if date is not None), None)


def _says_anything(text: str) -> bool:
    lines = (line for line in text.split("\n") if not HEADING.match(line))
    return re.search(r"\w", POINTERS.sub("", "\n".join(lines))) is not None


def _prose(body: str, *, links: bool = False) -> str:
    """The body without marks and queries; with `links` these stay as they are written."""
    return "\n".join(text if code else _unmarked(text, links) for code, text in _blocks(body))


def _unmarked(text: str, links: bool) -> str:
    for opening, closing in (("%%", "%%"), ("<!--", "-->"), ("<%", "%>")):
        text = _without(text, opening, closing)
    text = INLINE_QUERY.sub("", EMBED.sub("", text))
    return BLOCK.sub("", text if links else LINK.sub(_shown, text))


def _shown(link: re.Match[str]) -> str:
    """What Obsidian shows of a link: [[note|words]] as words, [[note#heading]] as the note."""
    name, _, heading = link[1].partition("#")
    return (link[2] or name or heading.lstrip("^#")).strip()


def _without(text: str, opening: str, closing: str) -> str:
    """The text without what stands between the two; an opening that is never closed stays."""
    kept, place = [], 0
    while (start := text.find(opening, place)) >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(text[place:start])
        place = end + len(closing)
    return "".join([*kept, text[place:]])


def _blocks(body: str) -> Iterator[tuple[bool, str]]:
    """Parts of the text, each with whether it is a block of code; queries are left out."""
    lines: list[str] = []
    fence, query = "", False
    for line in body.split("\n"):
        mark = FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                if not query:
                    yield True, "\n".join(lines)
                lines, fence = [], ""
        elif mark:
            if lines:
                yield False, "\n".join(lines)
            lines, fence = [line], mark[1]
            query = QUERIES.match(line[mark.end() :]) is not None
        else:
            lines.append(line)
    if lines and not (fence and query):
        yield bool(fence), "\n".join(lines)
