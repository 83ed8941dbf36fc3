"""The recording of a remote: all that it answered during benchmarks, as a file that can be played back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from app.errors import InvalidRequest
from app.prompts.message import Message, Tool
from app.remote.interface import DraftToken, ModelCard, RemoteVocabulary
from app.tokenization.vocabulary import SpelledVocabulary, Vocabulary

VERSION = 1
LARGEST = 256 << 20  # bytes of a file: about half a million positions
DIGITS = 6  # of a log-probability, after the point
AGAIN = "Name another file, or delete this one if it is a recording."
Question = dict[str, Any]


class Position:
    """A place in a text: what the remote drafts there, None if not recorded, and the places a token later."""

    __slots__ = ("_later", "drafted")

    def __init__(self) -> None:
        self.drafted: DraftToken | None = None
        self._later: dict[int, Position] = {}

    def after(self, *token_ids: int) -> Position:
        """The place these tokens later."""
        place = self
        for token_id in token_ids:
            place = place._later.setdefault(token_id, Position())
        return place


class Recording:
    """A remote's model card and vocabulary, the token ids of texts and conversations, and its greedy drafts.

    The file has a JSON object on each line: first what was recorded (`model`, `top_logprobs`, `sampling`),
    then the answers. A draft is `after` (all token ids before it), `drafted` (token, candidates and logprobs
    of each position) and `ends`. In memory the drafts are one tree of positions, by token id.
    `missed` counts how often an answer was not there and the remote itself had to be asked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.card: ModelCard | None = None
        self.vocabulary: RemoteVocabulary | None = None
        self.missed = 0
        self._top_logprobs = 0
        self._lines: list[bytes] = []
        self._size = self._saved = 0
        self._tokens: dict[bytes, list[int]] = {}
        self._start = Position()

    @classmethod
    def read(cls, path: Path) -> Recording:
        """The recording in a file; an empty one where there is no file yet.

        Raises InvalidRequest, which quotes nothing of the file.
        """
        recording = cls(path)
        try:
            if not path.exists() and path.parent.is_dir():
                return recording
            if path.stat().st_size > LARGEST:
                raise InvalidRequest(f"{path}: is larger than {LARGEST >> 20} MiB. {AGAIN}")
            data = path.read_bytes()
        except OSError as error:
            raise InvalidRequest(f"{path}: cannot be read: {error.strerror}. Name another file.") from error
        for number, line in enumerate(data.splitlines(), 1):
            try:
                recording._take(orjson.loads(line), first=number == 1)
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise InvalidRequest(
                    f"{path}, line {number}: is not of a recording by this version of costeer bench. {AGAIN}"
                ) from error
            recording._keep(line)
        recording._saved = len(recording._lines)
        return recording

    def check(self, *, model: str, top_logprobs: int) -> None:
        """Raise InvalidRequest where the file is another model's, or has another number of candidates.

        An empty `model` is whichever the file has; an empty recording fits all.
        """
        if self.card is None:
            return
        if model not in {"", self.card.id}:
            raise InvalidRequest(
                f"{self.path} was recorded of the model {self.card.id!r}, and the remote's is {model!r}. "
                "Name that model with --model, or another file with --replay."
            )
        if top_logprobs != self._top_logprobs:
            raise InvalidRequest(
                f"{self.path} was recorded with COSTEER_TOP_LOGPROBS={self._top_logprobs}, which is "
                f"{top_logprobs} now. Set it to that, or name another file with --replay."
            )

    def begin(self, card: ModelCard, top_logprobs: int) -> None:
        """Record which remote it is, before anything else."""
        self._add(
            {
                "costeer_bench_recording": VERSION,
                "model": {
                    "id": card.id,
                    "max_model_len": card.max_model_len,
                    "created": card.created,
                    "owned_by": card.owned_by,
                },
                "top_logprobs": top_logprobs,
                "sampling": {"temperature": 0},
            }
        )

    def tokens(self, question: Question) -> list[int] | None:
        """The token ids of a text or conversation; None if they are not recorded."""
        found = self._tokens.get(_key(question))
        return None if found is None else list(found)

    def add_tokens(self, question: Question, token_ids: Sequence[int]) -> None:
        """Record the token ids of a text or conversation."""
        self._add({"tokenize": question, "ids": list(token_ids)})

    def add_vocabulary(self, known: RemoteVocabulary) -> None:
        """Record the vocabulary, by its tokens' bytes."""
        vocabulary = known.vocabulary
        ids = range(len(vocabulary))
        names = {i: name for i in ids if (name := vocabulary.special_name(i)) is not None}
        self._add(
            {
                # Latin-1 writes each byte as the character of that number.
                "spelling": [data and data.decode("latin-1") for data in map(vocabulary.token_bytes, ids)],
                "names": list(names.items()),
                "eos_ids": sorted(vocabulary.eos_ids),
                "think_ids": vocabulary.think_ids,
                "strips_space": _strips_space(vocabulary),
                "source": known.source,
            }
        )

    def position(self, token_ids: Sequence[int]) -> Position:
        """The place after all these token ids, prompt included."""
        return self._start.after(*token_ids)

    def add_draft(self, after: Sequence[int], drafted: Sequence[DraftToken]) -> None:
        """Record consecutive draft tokens; positions that are recorded already stay as they are."""
        if drafted:
            self._add(
                {
                    "after": list(after),
                    "drafted": [
                        [one.token_id, one.candidates.tolist(), np.round(one.logprobs, DIGITS).tolist()]
                        for one in drafted
                    ],
                    "ends": drafted[-1].ends,
                }
            )

    def save(self, write: Callable[[Path, bytes], object]) -> None:
        """Have the whole file written, if anything is new; `write` replaces a file atomically."""
        if self._saved < len(self._lines):
            write(self.path, b"".join(line + b"\n" for line in self._lines))
            self._saved = len(self._lines)

    def _add(self, record: dict[str, Any]) -> None:
        line = orjson.dumps(record)
        if self._size + len(line) > LARGEST:
            raise InvalidRequest(
                f"{self.path}: has reached {LARGEST >> 20} MiB. Record fewer prompts or tokens in one file."
            )
        # From the line itself, so that what is played back now is what will be played back later.
        self._take(orjson.loads(line), first=not self._lines)
        self._keep(line)

    def _keep(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line) + 1

    def _take(self, record: dict[str, Any], *, first: bool) -> None:
        if first:
            if record["costeer_bench_recording"] != VERSION or record["sampling"] != {"temperature": 0}:
                raise ValueError("another version")
            self.card, self._top_logprobs = ModelCard(**record["model"]), int(record["top_logprobs"])
        elif "tokenize" in record:
            self._tokens[_key(record["tokenize"])] = _ids(record["ids"])
        elif "spelling" in record:
            self.vocabulary = _vocabulary(record)
        else:
            self._take_draft(_ids(record["after"]), record["drafted"], ends=bool(record["ends"]))

    def _take_draft(self, after: Sequence[int], drafted: Sequence[Any], *, ends: bool) -> None:
        place = self._start.after(*after)
        for number, (token_id, candidates, logprobs) in enumerate(drafted, 1):
            ids, values = np.array(_ids(candidates)), np.array([float(value) for value in logprobs])
            if token_id not in candidates or len(ids) != len(values):
                raise ValueError("no draft token")
            if place.drafted is None:
                place.drafted = DraftToken(token_id, ids, values, ends=ends and number == len(drafted))
            place = place.after(token_id)


def text_question(text: str) -> Question:
    """The question for the token ids of a text."""
    return {"text": text}


def chat_question(
    messages: Sequence[Message], *, continue_final: bool, tools: Sequence[Tool] = (), opens: bool = True
) -> Question:
    """The question for the token ids of a conversation."""
    question = {"messages": [one.fields() for one in messages], "continue_final": continue_final}
    # Left out where they say nothing, as files have them that were recorded before there were tools.
    return question | ({"tools": list(tools)} if tools else {}) | ({} if opens else {"opens": False})


def _key(question: Question) -> bytes:
    return orjson.dumps(question, option=orjson.OPT_SORT_KEYS)


def _ids(found: Sequence[Any]) -> list[int]:
    if not all(type(one) is int for one in found):
        raise ValueError("no token ids")
    return list(found)


def _vocabulary(record: dict[str, Any]) -> RemoteVocabulary:
    think_ids = record["think_ids"]
    vocabulary = SpelledVocabulary(
        [None if text is None else text.encode("latin-1") for text in record["spelling"]],
        {int(token_id): str(name) for token_id, name in record["names"]},
        frozenset(_ids(record["eos_ids"])),
        None if think_ids is None else (int(think_ids[0]), int(think_ids[1])),
        strips_space=bool(record["strips_space"]),
    )
    return RemoteVocabulary(vocabulary, str(record["source"]))


def _strips_space(vocabulary: Vocabulary) -> bool:
    """Whether the space at the very beginning of a text is left out, as SentencePiece's decoders do."""
    spaced = (i for i in range(len(vocabulary)) if (vocabulary.token_bytes(i) or b"").strip() != b"")
    found = next((i for i in spaced if (vocabulary.token_bytes(i) or b"").startswith(b" ")), None)
    return found is not None and not vocabulary.decode([found]).startswith(" ")
