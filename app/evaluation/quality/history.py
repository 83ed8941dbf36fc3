"""Which passages of a history a case is given: those that the product would find, or the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from app.evaluation.speed.cases import newest
from app.profiles.profile import HistoryItem, Hit, Profile, ProfileDocument
from app.profiles.store import Store
from app.prompts.message import Message
from app.prompts.retrieval import Retriever

# Chooses at most so many items of a history, which is oldest first, for a conversation.
Choose = Callable[[Sequence[HistoryItem], Sequence[Message], int], tuple[Hit, ...]]


def newest_items(history: Sequence[HistoryItem], messages: Sequence[Message], top_k: int) -> tuple[Hit, ...]:
    """The newest items, whatever is asked."""
    return newest(history, top_k)


@contextmanager
def retrieval() -> Iterator[Choose]:
    """What the product's search finds, in a database of its own, which is erased at the end. Raises
    StoreError."""
    numbers = count()
    with TemporaryDirectory(prefix="costeer-") as folder, Store.open(Path(folder)) as store:

        def choose(
            history: Sequence[HistoryItem], messages: Sequence[Message], top_k: int
        ) -> tuple[Hit, ...]:
            # A profile of its own for each, since words are weighed by how rare they are in one history.
            person = Profile(f"person-{next(numbers)}", "?")
            store.profiles.create(ProfileDocument(person, tuple(history)))
            return tuple(Retriever(store.history, top_k).choose(person.id, messages, remember=False))

        yield choose
