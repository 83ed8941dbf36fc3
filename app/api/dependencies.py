"""The FastAPI dependency with the parts that assembly.py has made: generator, store, remote and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from app.api.responses.stored import StoredResponses
from app.api.turns import Turns
from app.api.workers import Board
from app.decoding.cache_sweeper import Sweeper
from app.decoding.generator import Generator
from app.decoding.warmup import Warmer
from app.profiles.disclosure import Disclosure
from app.profiles.store import Store
from app.prompts.retrieval import Retriever
from app.remote.interface import RemoteModel
from app.steering.strength import Strength


@dataclass(frozen=True)
class Parts:
    """Everything that lives as long as the server. `strength` and `disclosure`, the least level and a budget,
    are the setting's; `remote` is the generator's, here for requests that are passed on. With `any_model` an
    unknown model name means the steered model; `aliases` has names with the model that each stands for,
    perhaps with @profile. `responses` are those that are kept; `reading` are the turns in which files that
    were sent are read and stored. `board` is where the workers of a server publish, None for the only one."""

    generator: Generator
    store: Store
    retriever: Retriever
    strength: Strength
    remote: RemoteModel
    warmer: Warmer
    sweeper: Sweeper
    any_model: bool = False
    disclosure: Disclosure = field(default_factory=Disclosure)
    aliases: Mapping[str, str] = field(default_factory=dict)
    responses: StoredResponses = field(default_factory=StoredResponses)
    reading: Turns = field(default_factory=Turns)
    board: Board | None = None


async def get_parts(request: Request) -> Parts:  # async, or FastAPI would call it in a thread
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(get_parts)]
