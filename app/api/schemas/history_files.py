"""Schemas of the route that takes files as people have them: its fields, its progress and its answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.profiles.fields import FILLED, NOT_BLANK
from app.profiles.levels import LEVEL, LevelIn

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
