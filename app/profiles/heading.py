"""What a Markdown text calls itself: the title in its front matter, else its first heading.

It is read line by line, so that the time is in proportion to the length of any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.profiles.strict_json import JsonMistake, loads

HEADING = re.compile(r" {0,3}#{1,6}(?![^ \t])(.*)", re.DOTALL)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Front matter of Jekyll, Obsidian and others (YAML), and of Hugo (TOML): how it begins, and how it may end.
FRONT = {"---": ("---", "..."), "+++": ("+++",)}
# Its first line that is no comment. Without a key, lines of --- are rules in a text.
KEY = re.compile(r"[\"']?\w[\w.:/ -]{0,99}[\"']?[ \t]{0,9}[:=](?![^\s\"'\[{])")
COMMENT = re.compile(r"\s*(?:#|$)")
TITLE = re.compile(r"[\"']?title[\"']?[ \t]{0,9}[:=](?=\s|[\"'])(.*)", re.IGNORECASE | re.DOTALL)
QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^']|'')*+)'")
REMARK = re.compile(r"(?:^|[ \t])#")


def title_of(text: str) -> str:
    """The title, or "" when the text names none. Line ends are line feeds."""
    lines = text.split("\n")
    end = _end_of_front_matter(lines)
    return _front_title(lines[1:end]) or _first_heading(lines[end:])


def _end_of_front_matter(lines: Sequence[str]) -> int:
    """The number of lines that are front matter."""
    ends = FRONT.get(lines[0].rstrip(), ())
    keys = False
    for number, line in enumerate(lines[1:] if ends else (), 1):
        if keys and line.rstrip() in ends:
            return number + 1
        if not keys and COMMENT.match(line) is None:
            if KEY.match(line) is None:
                break
            keys = True
    return 0


def _front_title(lines: Sequence[str]) -> str:
    for line in lines:
        if found := TITLE.match(line):
            value = found[1].strip()
            quoted = QUOTED.match(value)
            if quoted is None:
                # A block (> or |) stands on the lines below; a comment ends what is not quoted.
                return "" if value.startswith((">", "|")) else REMARK.split(value, maxsplit=1)[0].strip()
            if quoted[2] is not None:
                return quoted[2].replace("''", "'").strip()
            try:
                return str(loads(quoted[0])).strip()
            except JsonMistake:  # an escape that only YAML or TOML has
                return quoted[1].strip()
    return ""


def _first_heading(lines: Sequence[str]) -> str:
    fence = ""
    for line in lines:
        mark = FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        elif (found := HEADING.match(line)) and (heading := _without_closing(found[1].strip(" \t"))):
            return heading
    return ""


def _without_closing(heading: str) -> str:
    """## A ## is A, and ## C# is C#."""
    bare = heading.rstrip("#")
    return bare.rstrip(" \t") if not bare or bare[-1] in " \t" else heading
