"""Counts what becomes of a file that was sent, while it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from app.api.schemas.history import ITEM_PREFIX
from app.api.schemas.history_files import FileRead, FilesProgress, Reason, Sample
from app.profiles.profile import HistoryItem, StoredItem
from app.sources.found import LeftOut
from app.sources.sent import refusal

# Ids and samples that an answer has of a file, and characters of a sample.
MOST_IDS = 100
SAMPLES = 5
SAMPLE = 200


class Tally:
    """What has become of one file so far; `number` is its place among those that were sent, from 0."""

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
