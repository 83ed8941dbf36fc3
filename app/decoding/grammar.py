"""Grammars: which of the remote's tokens a reply may go on with, so that it is a text of a JSON Schema."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from app.errors import InvalidRequest
from app.steering.formula import IntArray
from app.steering.guard import BoolArray
from app.tokenization.vocabulary import Vocabulary

# White space between the parts of JSON. It is bounded, since a model may get stuck in it.
BLANKS = r"[ \n\t\r]{1,100}"
# The characters that are escaped within a string; every other is written as it is, so that the guard sees it.
ESCAPES = '"\\bfnrt'
# llguidance takes an escape for whatever a pattern has at its place, so with patterns there are none: no
# string of such a schema has quotation marks, backslashes or line breaks.
PATTERNS = frozenset({"pattern", "patternProperties"})
NEEDS_ESCAPES = re.compile(r"""["\x00-\x1f]|\\[\\nrtfvxu]""")
ESCAPED = re.compile(r"[\"\\\x00-\x1f\x7f]")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Errors quote no text of a reply.
LIMITS = LLParserLimits(verbose_errors=False)
LONGEST = 200  # characters of a reason
# A schema's size, and how many objects it is made of. llguidance reads schemas that refer to schemas by
# recursion, and has been seen to overflow a thread's stack from about 3,000 on, which no handler catches.
LARGEST, OBJECTS = 2**16, 1000
EXACT = 2**53  # the largest integer up to which doubles have each


@dataclass(frozen=True)
class ResponseFormat:
    """A text of JSON, of this JSON Schema; of `{"type": "object"}` any object."""

    schema: Mapping[str, Any]

    @property
    def grammar(self) -> str:
        """In llguidance's words. Without `no_forcing` it would choose how texts are cut into tokens."""
        escapes = "" if any(key in PATTERNS for key, _ in _strings(self.schema)) else ESCAPES
        written = {"whitespace_pattern": BLANKS, "json_allowed_escapes": escapes}
        schema = orjson.dumps({**self.schema, "x-guidance": written}).decode()
        return f'%llguidance {{"no_forcing": true}}\nstart: %json {schema}\n'

    def refused(self) -> str | None:
        """Why no reply can be held to the schema, in a line of ASCII; None if one can. Blocks: for a worker
        thread."""
        try:
            grammar = self.grammar
        except orjson.JSONEncodeError:  # a lone surrogate, an integer beyond 64 bits, or too deep
            return "has text that is no Unicode, a number of more than 64 bits, or is too deep"
        if len(grammar.encode()) > LARGEST or _objects(self.schema) > OBJECTS:
            return f"is larger than {LARGEST // 1024} KiB or has more than {OBJECTS:,} objects"
        strings = [*_strings(self.schema)]
        # What cannot be written in a string of this schema.
        barred = ESCAPED if any(key in PATTERNS for key, _ in strings) else CONTROL
        for key, text in strings:
            if key in PATTERNS and NEEDS_ESCAPES.search(text):
                return "has a pattern about characters that JSON escapes"
            if key in ("const", "enum") and barred.search(text):
                return f"has {key} with characters that JSON escapes"
        if _inexact(self.schema):
            return "has a number beyond 53 bits, or a range of fractions with an open end"
        return _reason(LLMatcher.validate_grammar(grammar, limits=LIMITS))


class Progress:
    """How far one reply has got in its grammar."""

    def __init__(self, matcher: LLMatcher, textless: frozenset[int], eos_ids: frozenset[int]) -> None:
        self._matcher = matcher
        self._textless = textless
        self._eos_ids = eos_ids

    @property
    def complete(self) -> bool:
        """Whether the reply may end here."""
        return bool(self._matcher.is_accepting())

    def allowed(self, ids: IntArray) -> BoolArray:
        """[K]: which of the tokens `ids` [K] may come next; what ends a reply, where it is complete."""
        return np.fromiter(map(self._may_come, ids.tolist()), bool, len(ids))

    def all_allowed(self) -> list[int]:
        """Every token that may come next: at least one. Raises InvalidRequest where there is none."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        found = [one for one in np.flatnonzero(bits).tolist() if one not in self._textless]
        found += sorted(self._eos_ids) if self.complete else []
        if not found:
            raise self._stuck()
        return found

    def push(self, token_id: int) -> None:
        """An emitted token, which was allowed. Raises InvalidRequest where the schema takes too much work."""
        if token_id not in self._eos_ids and not self._matcher.consume_token(token_id):
            raise self._stuck()

    def _stuck(self) -> InvalidRequest:
        return InvalidRequest(
            "The reply cannot be held to the schema any further: it takes too much work, or the model has no "
            "token to go on with. Simplify the schema.",
            param="response_format",
        )

    def _may_come(self, token_id: int) -> bool:
        if token_id in self._eos_ids:
            return self.complete
        return token_id not in self._textless and self._matcher.validate_tokens([token_id]) == 1


@dataclass(frozen=True)
class Grammar:
    """A grammar over a vocabulary; each reply begins it anew."""

    matcher: LLMatcher
    textless: frozenset[int]
    eos_ids: frozenset[int]

    def begin(self) -> Progress:
        return Progress(self.matcher.deep_copy(), self.textless, self.eos_ids)


class Grammars:
    """Makes grammars over one vocabulary, which is read when the first is asked for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._reading: asyncio.Task[tuple[LLTokenizer, frozenset[int]]] | None = None

    async def of(self, wanted: ResponseFormat) -> Grammar:
        """The grammar of a format. Raises InvalidRequest where no reply can be held to it."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(_read, self.vocabulary))
        # Seconds for a large vocabulary: a caller that is cancelled leaves the task running for the next one.
        await asyncio.wait([self._reading])
        tokens, textless = self._reading.result()
        matcher = await asyncio.to_thread(LLMatcher, tokens, wanted.grammar, log_level=0, limits=LIMITS)
        reason = _reason(matcher.get_error())
        if reason is not None:
            raise InvalidRequest(f"No reply can be held to this schema: {reason}", param="response_format")
        return Grammar(matcher, textless, self.vocabulary.eos_ids)


class _Spelling:
    """A vocabulary as llguidance's TokenizerWrapper reads one."""

    def __init__(self, spelled: Sequence[bytes | None]) -> None:
        # One more token stands for the end of text: a remote may have several that end it, or texts for them.
        self.tokens = [data or b"" for data in spelled] + [b""]
        self.eos_token_id = len(spelled)
        self.bos_token_id = None
        self.special_token_ids = [*_textless(spelled), len(spelled)]

    def __call__(self, text: str) -> list[int]:
        """Cuts a text into tokens: it is asked for none."""
        return []


def _read(vocabulary: Vocabulary) -> tuple[LLTokenizer, frozenset[int]]:
    """A vocabulary's tokens for llguidance, and those that have no text."""
    spelled = [vocabulary.token_bytes(token_id) for token_id in range(len(vocabulary))]
    tokens = LLTokenizer(TokenizerWrapper(_Spelling(spelled)), n_vocab=len(spelled) + 1)
    return tokens, frozenset([*_textless(spelled), len(spelled), *vocabulary.eos_ids])


def _textless(spelled: Sequence[bytes | None]) -> list[int]:
    return [token_id for token_id, data in enumerate(spelled) if not data]


def _strings(schema: Any) -> Iterator[tuple[str, str]]:
    """The strings of a schema, each with the keyword that it belongs to; of patternProperties its keys."""
    waiting = [("", schema)]
    while waiting:
        keyword, one = waiting.pop()
        if isinstance(one, str):
            yield keyword, one
        elif isinstance(one, Mapping):
            if keyword == "patternProperties":
                yield from ((keyword, key) for key in one)
            inside = keyword if keyword in ("const", "enum") else None
            waiting += [(inside or key, value) for key, value in one.items()]
        elif isinstance(one, list):
            waiting += [(keyword, value) for value in one]


def _inexact(schema: Any) -> bool:
    """Whether numbers would not be held to: llguidance counts in doubles, and lets an open end of a range of
    fractions in."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, int) and not isinstance(one, bool) and abs(one) > EXACT:
            return True
        if isinstance(one, Mapping):
            ends = [one.get(key) for key in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")]
            opened = ends[1] is not None or ends[3] is not None
            if opened and any(isinstance(end, float) and not end.is_integer() for end in ends):
                return True
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return False


def _objects(value: Any) -> int:
    """How many JSON objects there are in a value, itself included."""
    found, waiting = 0, [value]
    while waiting:  # no recursion: the value may be as deep as the parser allows
        one = waiting.pop()
        found += isinstance(one, Mapping)
        waiting += one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
    return found


def _reason(said: str) -> str | None:
    """What llguidance says, in a line of ASCII; None if it says nothing."""
    if not said:
        return None
    line = said.strip().splitlines()[0].rpartition("schema: ")[2]
    return line.encode("ascii", "replace").decode()[:LONGEST]
