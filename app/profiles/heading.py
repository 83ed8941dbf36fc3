"""Finds the title of a Markdown text: the title in its front matter, else its first heading.

It works line by line, so it takes linear time for any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.profiles.strict_json import JsonMistake, loads

HEADING = re.compile(r" {0,3}#{1,6}(?![^ \t])(.*)", re.DOTALL)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Delimiters of front matter, as YAML (Jekyll, Obsidian and others) or TOML (Hugo): opening, then closing.
FRONT = {"---": ("---", "..."), "+++": ("+++",)}
# The first line of front matter that is not a comment. Without a key there, --- is a horizontal rule.
KEY = re.compile(r"[\"']?\w[\w.:/ -]{0,99}[\"']?[ \t]{0,9}[:=](?![^\s\"'\[{])")
COMMENT = re.compile(r"\s*(?:#|$)")
TITLE = re.compile(r"[\"']?title[\"']?[ \t]{0,9}[:=](?=\s|[\"'])(.*)", re.IGNORECASE | re.DOTALL)
QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^']|'')*+)'")
REMARK = re.compile(r"(?:^|[ \t])#")


def title_of(text: str) -> str:
    """The title, or "" if there is none. Line ends must be line feeds."""
    lines = text.split("\n")
    end = end_of_front_matter(lines)
    return _front_title(lines[1:end]) or _first_heading(lines[end:])


def end_of_front_matter(lines: Sequence[str]) -> int:
    """The number of lines that the front matter takes, of a text's lines; 0 if there is none."""
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
                # A block scalar (> or |) has its text on the lines below; a comment ends an unquoted value.
                return "" if value.startswith((">", "|")) else REMARK.split(value, maxsplit=1)[0].strip()
            if quoted[2] is not None:
                return quoted[2].replace("''", "'").strip()
            try:
                return str(loads(quoted[0])).strip()
            except JsonMistake:  # an escape sequence that only YAML or TOML has
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
    """The heading without its closing #s: `## A ##` is A, but `## C#` is C#."""
    bare = heading.rstrip("#")
    return bare.rstrip(" \t") if not bare or bare[-1] in " \t" else heading
