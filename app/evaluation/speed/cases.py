"""The benchmark's cases: prompts, profiles, and which prompt goes with which profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from app.errors import InvalidRequest
from app.profiles.disclosure import Disclosure
from app.profiles.plain_text import NotUtf8, decoded, numbered_lines
from app.profiles.profile import HistoryItem, Hit, Profile, ProfileDocument, StoredItem
from app.profiles.profile_file import read_profile_file
from app.profiles.shipped import sample_profiles
from app.profiles.terms import passages
from app.prompts.message import Message
from app.prompts.retrieval import read_first
from app.steering.strength import Strength

PROMPTS = (
    "Write a short invitation to dinner on Saturday.",
    "Tell me about your week.",
    "Describe the view from your window.",
    "Explain how a bridge carries weight.",
    "Write a note to a neighbour about the noise last night.",
    "What should one look for in a first house?",
    "Recommend a book, and say why.",
    "Write an apology for a late reply.",
    "How do you plan a day with too much in it?",
    "Describe a meal that you remember.",
)


@dataclass(frozen=True, repr=False)
class Case:
    """One prompt, the profile that steers its replies, the passages of its history to read, and what replies
    may tell."""

    prompt: str
    profile: Profile
    history: tuple[Hit, ...]
    strength: Strength
    disclosure: Disclosure = field(default_factory=Disclosure)

    @property
    def messages(self) -> tuple[Message, ...]:
        return (Message("user", self.prompt),)


def read_prompts(path: Path | None) -> tuple[str, ...]:
    """The prompts in a file, one per line, or `prompt` of each line's object if its name ends in .jsonl.

    Without a file, ten built-in ones. Raises InvalidRequest, which names the line and never quotes it.
    """
    if path is None:
        return PROMPTS
    lines = read_lines(path)
    if not lines:
        raise InvalidRequest(f"{path}: holds no prompt. Write one on each line.")
    if path.suffix.lower() == ".jsonl":
        return tuple(_prompt(line, f"{path}, line {number}") for number, line in lines)
    return tuple(line for _, line in lines)


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers, without white space around them.

    Raises InvalidRequest when the file cannot be read, or is not UTF-8 text.
    """
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{path}: cannot be read: {error.strerror}") from error
    except NotUtf8 as error:
        raise InvalidRequest(f"{path}: {error.found}; save the file with the encoding UTF-8") from None
    return [(number, line.strip()) for number, line in numbered_lines(text)]


def read_profiles(path: Path | None) -> tuple[ProfileDocument, ...]:
    """The profile in a file; without one the samples. Raises ProfileFileError."""
    if path is not None:
        return (read_profile_file(path),)
    return tuple(read_profile_file(sample) for sample in sample_profiles())


def pair(
    prompts: Sequence[str],
    documents: Sequence[ProfileDocument],
    top_k: int,
    strength: Callable[[Profile], Strength],
) -> list[Case]:
    """Pairs each prompt with one of the profiles, round-robin; reads at most `top_k` items of a history."""
    turns = [(prompt, documents[number % len(documents)]) for number, prompt in enumerate(prompts)]
    return [
        Case(prompt, one.profile, newest(one.history, top_k), strength(one.profile)) for prompt, one in turns
    ]


def newest(history: Sequence[HistoryItem], top_k: int) -> tuple[Hit, ...]:
    """The newest items, as retrieval gives them when nothing matches; `history` is oldest first."""
    newest_first = [*enumerate(history, 1)][::-1]
    return tuple(
        read_first(
            (Hit(StoredItem(number, one), passages(one.text)[0], 0, 0.0) for number, one in newest_first),
            top_k,
        )
    )


def _prompt(line: str, origin: str) -> str:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    prompt = found.get("prompt") if isinstance(found, dict) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest(f'{origin}: expected an object like {{"prompt": "Write a toast."}}')
    return prompt
