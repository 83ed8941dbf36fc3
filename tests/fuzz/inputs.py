"""Files and bodies as users send them, and as nobody should: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

# Of one input, in bytes.
MOST = 100_000

VALID = {
    "toml": 'id = "a"\nname = "A"\nstrength = 1.5\npreferences = ["p", {text = "q", opposite = "r"}]\n'
    '[fields]\n"my key" = "x"\nb = \'y\'\n'
    '[disclosure]\nbudget = 5\n[disclosure.fields]\nb = "off"\n[[history]]\n'
    "text = \"\"\"one\ntwo\"\"\"\ncreated_at = 2026-01-31T09:30:00Z\n[[history]]\ntext = '''z'''\n",
    "json": '{"id": "a", "name": "A", "strength": "auto", "fields": {"b": "y"}, '
    '"preferences": ["p", {"text": "q", "opposite": ""}], "disclosure": {"least": "shape", "identifiers": '
    '{"name": "fill"}, "fields": {"b": "off"}, "budget": 0.5}, "history": '
    '[{"text": "one\\n", "created_at": "2026-01-31T09:30:00Z"}, {"text": "\\u00e9", "kind": "turn"}]}',
    "jsonl": '{"text": "one", "title": "T", "request": "R"}\n\n{"text": "two", "kind": "turn"}\r\n'
    '{"text": "\\ud83c\\udf0a"}\n',
    "cases": '{"id": "1", "query": "Write.", "profile": {"name": "A"}, "history": '
    '[{"title": "T", "text": "x"}]}\n',
    "markdown": "---\ntitle: 'A day'\n# a comment\ntags: [a]\n---\n\n"
    "# Heading #\n\n```\n# code\n```\nText.\n",
    "text": "One sentence. Another!\r\n\r\nA paragraph; 東京都 and ελλάδα, e\u0301.\n",
    "body": '{"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], '
    '"temperature": 0.5, "logit_bias": {"12": -5}, "stop": ["a"], "metadata": {"a": [1, {"b": null}]}}',
}
COMMON = [
    "\n",
    "\r",
    "\r\n",
    " ",
    "\t",
    "\0",
    "\ufeff",
    "\u2028",
    "é",
    "🌊",
    "\u0301",
    "\u0327",
    "a",
    "0",
    "9",
]
JSON = [
    *'[]{}",:\\',
    "null",
    "true",
    "-1",
    "1e999",
    "NaN",
    "\\u0000",
    "\\ud800",
    '"text"',
    '"a":',
    "[]",
    "{}",
]
PIECES = {
    "toml": [
        *"[]{}=.,#'\"\\_-+",
        *('"""', "'''", "[[", "]]", "a.", "a = ", "[history]\n", "[[history]]\n", "[fields]\n", "text = "),
        *(
            "1_",
            "0x",
            "inf",
            "1e9",
            "2026-01-01",
            "10:00:00",
            "true",
            "\\u0041",
            "\\U0001F30A",
            "\\x",
            "{a=",
            "'a'",
        ),
    ],
    "json": [*JSON, '"history":', '"fields":', '"id":', '"name":'],
    "jsonl": [*JSON, '{"text": "a"}', '"title":', '"created_at":'],
    "cases": [*JSON, '"id":', '"query":', '"profile":', '"history":', '"prompt":'],
    "markdown": [
        *(
            "#",
            "# ",
            "######",
            " #",
            "`",
            "```",
            "~~~",
            "---",
            "+++",
            "...",
            "---\n",
            "title:",
            "title = ",
            ": ",
        ),
        *("- ", "> ", "'", '"', "\\", "[", "](", "*", "_", "<!--", "|", "a: b\n"),
    ],
    "text": [
        ".",
        "!",
        "。",
        "\n\n",
        "word ",
        "東",
        "\uff9e",
        "\u0345",
        "\ufdfa",
        "\u1100\u1161",
        "-",
        "*",
        '"',
    ],
    "body": [*JSON, '"messages":', '"role":', '"content":', '"logit_bias":', '"metadata":', '"n":'],
}


def inputs(kind: str, count: int, seed: int) -> list[bytes]:
    """`count` inputs of a kind: valid ones that were damaged, pieces in any order, one piece many times."""
    chance = random.Random(f"{kind} {seed}")
    ways: Sequence[Callable[[str, random.Random], str]] = (_damaged, _damaged, _mixed, _mixed, _repeated)
    return [_bytes(chance.choice(ways)(kind, chance), chance) for _ in range(count)]


def repeated(kind: str, size: int) -> list[bytes]:
    """Every piece of the kind, and each with the next one, until `size` bytes are full."""
    pieces = [*PIECES[kind], *COMMON]
    following = pieces[1:] + pieces[:1]
    units = [*pieces, *(f"{one}{other}" for one, other in zip(pieces, following, strict=True))]
    return [(unit * (size // len(unit.encode()))).encode() for unit in units]


def _damaged(kind: str, chance: random.Random) -> str:
    text = VALID[kind]
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 1, 5, 30]))
        match chance.randrange(4):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:start] + _piece(kind, chance) + text[end:]
            case 2:
                text = text[:end] + text[start:end] * chance.randint(1, 40) + text[end:]
            case _:
                text = text[:start] or text
    return text


def _mixed(kind: str, chance: random.Random) -> str:
    return "".join(_piece(kind, chance) for _ in range(chance.randint(0, 60)))


def _repeated(kind: str, chance: random.Random) -> str:
    unit = "".join(_piece(kind, chance) for _ in range(chance.randint(1, 4)))
    # Most are short: a long one takes as much time as a thousand of them.
    times = int(2 ** chance.uniform(0, 8 if chance.random() < 0.95 else 15))
    return chance.choice(["", VALID[kind]]) + unit * times + chance.choice(["", _piece(kind, chance)])


def _piece(kind: str, chance: random.Random) -> str:
    pieces: list[str] = COMMON if chance.random() < 0.25 else PIECES[kind]
    return chance.choice(pieces)


def _bytes(text: str, chance: random.Random) -> bytes:
    """Mostly UTF-8; a few in another encoding, or with a byte that belongs to none."""
    encoding = (
        "utf-8" if chance.random() < 0.97 else chance.choice(["utf-16", "utf-16-le", "utf-32", "latin-1"])
    )
    data = text.encode(encoding, errors="replace")[:MOST]
    if chance.random() < 0.03:
        place = chance.randrange(len(data) + 1)
        data = data[:place] + bytes([chance.randrange(256)]) + data[place:]
    return data
