"""Schemas of the route that takes files as people have them: its fields, its progress and its answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.history import ITEM_PREFIX
from app.profiles.fields import FILLED, NOT_BLANK
from app.profiles.levels import LEVEL, LevelIn
from app.profiles.profile import HistoryItem, StoredItem
from app.sources.found import LeftOut
from app.sources.sent import refusal

# Ids and samples that an answer has of a file, and characters of a sample.
MOST_IDS = 100
SAMPLES = 5
SAMPLE = 200
MOST_NAMES = 50
ME = "How mail and chats call the person, besides the profile's name and the addresses in its fields."


class FilesIn(BaseModel):
    """The fields of the form beside its files; `me` may stand there many times."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    me: Annotated[
        list[Annotated[str, Field(max_length=320), FILLED, NOT_BLANK]], Field(max_length=MOST_NAMES)
    ] = Field([], description=ME)
    disclosure: LevelIn | None = Field(
        None, description=f"Of items that do not say it: what replies may tell the remote of them, {LEVEL}."
    )
    dry_run: bool = Field(False, description="true: say what would be added, and store nothing.")
    stream: bool = Field(False, description="true for server-sent events with the progress.")


class Reason(BaseModel):
    """Why something of a file is left out, and of how many texts."""

    reason: str
    count: int


class Sample(BaseModel):
    """The beginning of a text that would be added."""

    title: str
    text: str


class FilesProgress(BaseModel):
    """How far a file has been read: `file` is its place among them, from 0."""

    object: Literal["history.files.progress"] = "history.files.progress"
    file: int
    name: str
    added: int
    known: int
    left_out: int


class FileRead(BaseModel):
    """What became of a file. `refused` says why nothing of it is taken; `needs_me` if it would be read if
    `me` said who the person is."""

    object: Literal["history.file"] = "history.file"
    name: str
    added: int
    known: int
    refused: str | None
    needs_me: bool
    left_out: list[Reason]
    items: list[str]
    samples: list[Sample]


class FilesRead(BaseModel):
    """What became of all files, in their order."""

    object: Literal["history.files"] = "history.files"
    dry_run: bool
    added: int
    known: int
    data: list[FileRead]

    @classmethod
    def of(cls, files: list[FileRead], *, dry_run: bool) -> Self:
        added, known = sum(one.added for one in files), sum(one.known for one in files)
        return cls(dry_run=dry_run, added=added, known=known, data=files)


class Tally:
    """Counts what becomes of a file while it is read."""

    def __init__(self, number: int, name: str) -> None:
        self._number, self._name = number, name
        self._added = self._known = 0
        self._ids: list[str] = []
        self._samples: list[Sample] = []
        self._left: list[LeftOut] = []
        self._reasons: Counter[str] = Counter()

    def take(
        self, known: int, left: Sequence[LeftOut], stored: Sequence[StoredItem], dry: Sequence[HistoryItem]
    ) -> None:
        """A step: `stored` are the items that are new, or `dry` those that would be."""
        self._added += len(stored) + len(dry)
        self._known += known
        self._ids += [f"{ITEM_PREFIX}{one.id}" for one in stored[: MOST_IDS - len(self._ids)]]
        more = dry[: SAMPLES - len(self._samples)]
        self._samples += [Sample(title=one.title, text=one.text[:SAMPLE]) for one in more]
        for one in left:
            reason = in_words(one.reason)
            if reason not in self._reasons:
                self._left.append(one)
            self._reasons[reason] += one.count

    def progress(self) -> FilesProgress:
        return FilesProgress(
            file=self._number,
            name=self._name,
            added=self._added,
            known=self._known,
            left_out=self._reasons.total(),
        )

    def read(self) -> FileRead:
        refused = refusal(self._added + self._known, self._left)
        reasons = dict(self._reasons)
        if refused is not None:
            reasons.pop(in_words(refused.reason))
        return FileRead(
            name=self._name,
            added=self._added,
            known=self._known,
            refused=None if refused is None else in_words(refused.reason),
            needs_me=any(one.who for one in self._left),
            left_out=[Reason(reason=reason, count=count) for reason, count in reasons.items()],
            items=self._ids,
            samples=self._samples,
        )


def in_words(reason: str) -> str:
    """A reason that names the command line's option, with the field of a request instead."""
    return reason.replace("--me ", "me=")
