"""What a Markdown text calls itself, and that no text takes forever to say so."""

from __future__ import annotations

import pytest

from app.profiles.heading import title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# A", "A"),
        ("###### A ##", "A"),
        ("# A#", "A#"),
        ("## C# ##", "C#"),
        ("#\n\n# B", "B"),
        ("# ##\n# B", "B"),
        ("####### no\n#no\n    # code\n", ""),
        ("```\n# a\n~~~\n# b\n```\n# c", "c"),
        ("````\n```\n# a\n````\n# b", "b"),
        ("~~~ sh\n# a", ""),
        ("```\n# a\n``` x\n# b\n", ""),
        ("", ""),
    ],
)
def test_the_first_heading_outside_code(text: str, title: str) -> None:
    assert title_of(text) == title


@pytest.mark.parametrize(
    ("front", "title"),
    [
        ("title: A day", "A day"),
        ("# a comment\ntitle: A day # really", "A day"),
        ("tags: [a]\nTitle: 'It''s a day' # x", "It's a day"),
        ('title:   "A \\"day\\", caf\\u00e9: 1"', 'A "day", café: 1'),
        ("title: C# for all", "C# for all"),
        ("# a comment\ntags:\n- a\n- b", "Heading"),
        ("title:\ntags: a", "Heading"),
        ("title: # none", "Heading"),
        ("title: >\n  folded\n  text", "Heading"),
        ("date: 2026-01-31\nsubtitle: no", "Heading"),
        ("meta:\n  title: inner", "Heading"),
    ],
)
@pytest.mark.parametrize("end", ["---", "...", "--- "])
def test_front_matter_gives_the_title_and_no_heading(front: str, title: str, end: str) -> None:
    assert title_of(f"---\n{front}\n{end}\n\n# Heading\n") == title


def test_front_matter_of_hugo() -> None:
    assert title_of('+++\n# c\ntitle = "A = day"\n[x]\n+++\n# Heading') == "A = day"
    assert title_of("+++\ndate = 2026-01-31\n+++\n# Heading") == "Heading"


@pytest.mark.parametrize(
    "text",
    [
        "---\n# Heading\n---\n",  # a comment alone is no front matter
        "---\nDear all,\n# Heading\n---\n",
        "\n---\ntitle: x\n---\n# Heading",
        "---\ntitle: x\n# Heading",  # it never ends
        "----\ntitle: x\n----\n# Heading",
    ],
)
def test_rules_are_no_front_matter(text: str) -> None:
    assert title_of(text) == "Heading"


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * 1_000_000 + "x",
        "# a" + "# " * 500_000 + "x",
        "#" + "\t" * 1_000_000,
        "```\n" * 250_000 + "x",
        "~~~\n```\n" * 125_000,
        "---\n" + "a: b\n" * 200_000,
        '---\ntitle: "' + '\\"' * 500_000,
        "---\ntitle: '" + "''" * 500_000 + "\n---\n",
        "---\n" + "a" * 1_000_000 + "\n---\n",
        "---\ntitle: " + " " * 1_000_000 + "x\n---\n",
    ],
    ids=range(10),
)
def test_a_million_characters_come_to_an_end(text: str) -> None:
    # A pattern that goes back would take minutes or hours.
    assert len(title_of(text)) <= len(text)
