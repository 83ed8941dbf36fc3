"""Learns a vLLM's vocabulary from how its endpoints tokenize fixed texts and detokenize token ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.errors import ContextLengthExceeded, InvalidRequest, RemoteError, RemoteRejected, TokenizerMismatch
from app.prompts.message import Message
from app.tokenization.probes import PROBES
from app.tokenization.vocabulary import SPACE, THINK, SpelledVocabulary, spell

ADVICE = "Set COSTEER_REMOTE_TOKENIZER to the hub id or folder of a model that has the remote's tokenizer."
UNTOLD = f"The remote does not write its tokens one by one. {ADVICE}"
LOST = "\N{REPLACEMENT CHARACTER}"  # how /detokenize writes part of a character
BATCH = 32768  # tokens per request: some 200 KB each way
REQUESTS = 500  # at most
LARGEST = 1 << 20  # ids; the largest vocabularies have a quarter of that
USUAL = 160_000  # ids, for the progress bar
# Characters that few tokens contain, the rarest first. One separates the tokens whose texts are requested.
SEPARATORS = "\x01\x02\x03\x05\x0e\x0f\x10\x11\x12\x15¶‡¦¤¬þð我†§◊~^|"
# Characters of two, three and four bytes that are mostly rare enough to be tokenized byte by byte, and
# U+FFFD, with which /detokenize replaces parts of characters.
RARE = "\n".join(
    chr(code)
    for codes in (range(0x80, 0x800), range(0x800, 0xD800, 61), range(0xE000, 0x110000, 1021))
    for code in codes
    if not chr(code).isspace()
) + "".join(f"\n{LOST * size}\n {LOST * size}" for size in (1, 2, 3))
# Bytes that complete a token which holds part of a character. Not every second byte is valid UTF-8: after E0
# and F0 no low one, after ED and F4 no high one.
ANY, LOW, HIGH = range(0x80, 0xC0), range(0x80, 0x90), range(0xA0, 0xC0)
FIRST = ((), (range(0xC2, 0xE0),), ((*range(0xE1, 0xED), 0xEE, 0xEF),), ((0xF3, 0xF1, 0xF2, 0xF0),))
LAST = ((), (ANY,), (LOW, ANY), (HIGH, ANY), (LOW, ANY, ANY), (HIGH, ANY, ANY))
# transformers' clean_up_tokenization, where it is on, removes the spaces of these.
CLEANED = "a . b ? c ! d , e ' f n't g 'm h 's i 've j 're"
UNCLEAN = re.compile(r"[.?!,]|'|n't")
# Pre-tokenizers split letters from punctuation: a token like this was added to the vocabulary as a whole.
MARKUP = re.compile(r"[<\[](?=.*\w).*[>\]]")
# Only special tokens have such names, whether or not the chat template writes them.
CONTROL = re.compile(r"<[|\uff5c].+[|\uff5c]>")
CONVERSATION = (Message("user", "One?"), Message("assistant", "Two."), Message("user", "Three?"))
SYSTEM = (Message("system", "Be brief."), Message("user", "One?"))
# Where learned bytes are wrong, they do not spell one of these texts.
CHECKED = (
    *PROBES,
    CLEANED,
    "<p>It's 10 % of\t[x]</p>\n\n\n    y = 'é'",
    "日本語を話す。中文繁體 हिन्दी ไทย 🇨🇭🤷🏽 \U0001d4d0",
)


class TokenEndpoints(Protocol):
    """A vLLM's endpoints for texts and tokens; see VLLMRemote."""

    async def tokenize(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]: ...

    async def tokenize_text(self, text: str) -> list[int]: ...

    async def token_strings(self, text: str) -> list[tuple[int, str]]: ...

    async def detokenize(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Learned:
    """A vocabulary, and the number of its ids whose bytes could not be learned."""

    vocabulary: SpelledVocabulary
    unknown: int


async def learn_vocabulary(
    remote: TokenEndpoints, progress: Callable[[float], None] | None = None
) -> Learned:
    """Learn the bytes of each of the remote's token ids. `progress` is called with the share that is done.

    Known bytes are exact: they are checked on texts of many kinds. Tokens that are part of no character stay
    unknown. Raises TokenizerMismatch where a token has no bytes of its own, and what the remote raises.
    """
    lesson = _Lesson(remote, progress or (lambda share: None))
    await lesson.begin()
    await lesson.read()
    await lesson.complete()
    names, eos_ids, think_ids = await lesson.special()
    spelling = [lesson.known.get(token_id) for token_id in range(len(lesson.texts))]
    vocabulary = SpelledVocabulary(spelling, names, eos_ids, think_ids, strips_space=lesson.strips_space)
    await lesson.check(vocabulary)
    unknown = sum(
        1
        for token_id, (data, text) in enumerate(zip(spelling, lesson.texts, strict=True))
        if data is None and text and token_id not in names
    )
    return Learned(vocabulary, unknown)


class _Lesson:
    """What is learned so far: the `texts` of ids, as the remote detokenizes them, and `known` bytes."""

    def __init__(self, remote: TokenEndpoints, progress: Callable[[float], None]) -> None:
        self._remote = remote
        self._progress = progress
        self._byte_level = self._piecewise = False  # byte-level BPE, SentencePiece, or neither
        self._separators: list[tuple[int, str]] = []
        self._requests = 0
        self.texts: list[str] = []
        self.known: dict[int, bytes] = {}
        self.strips_space = False

    async def begin(self) -> None:
        """Find the kind of vocabulary, the separators, and the tokens of rare characters."""
        pairs = await self._remote.token_strings("Hello hello hello\n")
        self._byte_level = any("Ġ" in token for _, token in pairs)
        self._piecewise = any(SPACE in token for _, token in pairs)
        in_front = next((i for i, token in pairs[1:] if token.count(SPACE) == 1 and token[0] == SPACE), None)
        if in_front is not None:
            self.strips_space = not (await self._remote.detokenize([in_front])).startswith(" ")
        separators = await self._spelled("a".join(SEPARATORS))
        signs = {sign.encode(): sign for sign in SEPARATORS}
        # SentencePiece has a second token for each ASCII character, as a byte.
        usable = {data for data in signs if data[0] >= 0x80 or not self._piecewise}
        self._separators = [(i, signs[data]) for i, data in separators.items() if data in usable]
        text = await self._detokenized([token_id for token_id, _ in self._separators])
        if not text or text != "".join(sign for _, sign in self._separators):
            raise TokenizerMismatch(UNTOLD)
        rare = await self._remote.token_strings(RARE)
        self.known = {**_single(rare), **separators, **self._spellings(rare)}

    async def read(self) -> None:
        """Request the text of every id."""
        signs = dict(self._separators)  # not requested: they would split the text that they are in
        while len(self.texts) < LARGEST:
            start = len(self.texts)
            asked = [token_id for token_id in range(start, start + BATCH) if token_id not in signs]
            read = dict(zip(asked, await self._pieces([(token_id,) for token_id in asked]), strict=False))
            whole = read | signs
            self.texts += [whole[i] for i in range(start, start + BATCH) if i in whole]
            self._progress(0.9 * len(self.texts) / max(USUAL, len(self.texts) + BATCH))
            if len(read) < len(asked):
                break
            # Past the last token the remote writes nothing, or the same for every id.
            if len(set(read.values())) == 1:
                absent = self.texts[-1]
                while self.texts and self.texts[-1] == absent:
                    self.texts.pop()
                break

    async def complete(self) -> None:
        """From texts to bytes: directly where a text is whole characters, else by bytes that complete it."""
        asked = await self._remote.token_strings(CLEANED)
        if (await self._remote.detokenize([i for i, _ in asked])).strip() != CLEANED:
            unclean = [text for text in self.texts if UNCLEAN.search(text) and LOST not in text]
            sign = self._separators[0][1]
            seen = sign.join([CLEANED, *(f"{text}{sign} {text}{sign}a{text}" for text in unclean)])
            self.known |= await self._spelled(seen)
            doubtful = set(unclean)
        else:
            doubtful = set()
        parts = []
        for token_id, text in enumerate(self.texts):
            if token_id in self.known or not text or text in doubtful:
                continue
            if LOST in text:
                parts.append(token_id)
            else:
                self.known[token_id] = text.encode()
        self.known |= await self._parts(parts)
        # A token that is written as U+FFFD may be that character itself.
        rest = {self.texts[token_id] for token_id in parts if token_id not in self.known}
        self.known |= await self._spelled("\x01".join(f"{text}\x01a{text}" for text in sorted(rest)))
        self._progress(1.0)

    async def special(self) -> tuple[dict[int, str], frozenset[int], tuple[int, int] | None]:
        """The special tokens and their names, those that end a reply, and the markers of reasoning."""
        opened = await self._rendered(CONVERSATION[:2], continue_final=True)
        closed = await self._rendered(CONVERSATION)
        written = {*opened, *closed, *await self._rendered(SYSTEM)}
        names = {
            token_id: text.strip()
            for token_id, text in enumerate(self.texts)
            if CONTROL.fullmatch(text.strip()) or (token_id in written and MARKUP.fullmatch(text.strip()))
        }
        same = next((n for n, (a, b) in enumerate(zip(opened, closed, strict=False)) if a != b), len(opened))
        ends = [token_id for token_id in closed[same:] if token_id in names] if opened else []
        markers = [await self._remote.token_strings(marker) for marker in THINK]
        ids = [pairs[-1][0] for pairs in markers if "".join(t for _, t in pairs[:-1]) in {"", SPACE}]
        # A marker that was added as a whole is written as it is; "▁<think>" would be none.
        think = (ids[0], ids[1]) if [self._text(i) for i in ids] == list(THINK) else None
        names |= dict(zip(think or (), THINK, strict=False))
        return names, frozenset(ends[:1]), think

    async def check(self, vocabulary: SpelledVocabulary) -> None:
        """Raise TokenizerMismatch unless the tokens of each text in CHECKED spell that text."""
        for text in CHECKED:
            ids = await self._remote.tokenize_text(text)
            spelled = b"".join(vocabulary.token_bytes(token_id) or b"" for token_id in ids)
            composed = unicodedata.normalize("NFC", text)
            if spelled.removeprefix(b" ") not in {text.encode(), composed.encode()}:
                raise TokenizerMismatch(
                    "What the remote says of its tokens does not spell the texts that they are cut from, so "
                    f"their bytes cannot be learned from it. {ADVICE}"
                )

    async def _spelled(self, text: str) -> dict[int, bytes]:
        """The bytes of a text's tokens, from their strings in the vocabulary."""
        return self._spellings(await self._remote.token_strings(text))

    def _spellings(self, pairs: Sequence[tuple[int, str]]) -> dict[int, bytes]:
        if self._byte_level or self._piecewise:
            return {token_id: spell(token, byte_level=self._byte_level) for token_id, token in pairs}
        # Here the strings are decoded text, as with vLLM's Mistral tokenizer, and may have lost bytes.
        return {token_id: token.encode() for token_id, token in pairs if LOST not in token}

    async def _parts(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The bytes of tokens that hold parts of characters: bytes are put around each, and where the remote
        writes whole characters, the token's own bytes are what lies between those."""
        single = {data[0]: token_id for token_id, data in self.known.items() if len(data) == 1}
        firsts = [_chosen(classes, single) for classes in FIRST]
        lasts = [_chosen(classes, single) for classes in LAST]
        around = [
            (token_id, first, last)
            for token_id in ids
            for first in (firsts if self.texts[token_id].startswith(LOST) else firsts[:1])
            for last in (lasts if self.texts[token_id].endswith(LOST) else lasts[:1])
            if first is not None and last is not None
        ]
        found = {}
        for start in range(0, len(around), BATCH // 4):
            some = around[start : start + BATCH // 4]
            items = [
                [*(single[b] for b in first), token_id, *(single[b] for b in last)]
                for token_id, first, last in some
            ]
            for (token_id, first, last), text in zip(some, await self._pieces(items), strict=False):
                data = text.encode()
                if LOST not in text and data.startswith(first) and data.endswith(last):
                    found[token_id] = data[len(first) : len(data) - len(last)]
        return found

    async def _pieces(self, items: Sequence[Sequence[int]]) -> list[str]:
        """The text of each item, a sequence of ids; of fewer items where the vocabulary ends before."""
        refused, text, sign = False, "", ""
        for separator, sign in self._separators[:3]:
            ids = [separator]
            for item in items:
                ids += [*item, separator]
            try:
                text = await self._detokenized(ids)
            except ContextLengthExceeded:
                if len(items) == 1:
                    raise
                break
            except RemoteError as error:
                if type(error) not in {RemoteError, RemoteRejected}:  # something other than an unknown id
                    raise
                refused = error.status != 413  # not for the size of the request
                break
            pieces = text.split(sign)
            if len(pieces) == len(items) + 2:
                return pieces[1:-1]
        if len(items) == 1:
            return [] if refused else [text.removeprefix(sign).removesuffix(sign)]
        half = len(items) // 2
        left = await self._pieces(items[:half])
        return left if len(left) < half else left + await self._pieces(items[half:])

    async def _detokenized(self, ids: Sequence[int]) -> str:
        self._requests += 1
        if self._requests > REQUESTS:
            raise TokenizerMismatch(UNTOLD)
        return await self._remote.detokenize(ids)

    async def _rendered(self, messages: Sequence[Message], *, continue_final: bool = False) -> list[int]:
        """Prompt ids; empty for a conversation that the template refuses."""
        try:
            return await self._remote.tokenize(messages, continue_final=continue_final)
        except (InvalidRequest, RemoteRejected):
            return []

    def _text(self, token_id: int) -> str:
        return self.texts[token_id] if 0 <= token_id < len(self.texts) else ""


def _chosen(classes: Sequence[Sequence[int]], single: dict[int, int]) -> bytes | None:
    """A byte of each class for which there is a single-byte token; None if a class has none."""
    chosen = [next((byte for byte in one if byte in single), None) for one in classes]
    return bytes(byte for byte in chosen if byte is not None) if None not in chosen else None


def _single(rare: Sequence[tuple[int, str]]) -> dict[int, bytes]:
    """Single-byte tokens, from the lines of RARE that tokenize into as many tokens as they have bytes."""
    lines: list[list[int]] = [[]]
    for token_id, token in rare:
        if token != "\n":  # noqa: S105  # no password
            lines[-1].append(token_id)
            if "\n" in token:  # merged with the line's end, which cannot be told from it
                lines[-1].clear()
        if "\n" in token:
            lines.append([])
    texts, found = RARE.split("\n"), dict[int, set[int]]()
    for line, text in zip(lines, texts, strict=False):
        data = text.encode()
        if len(lines) == len(texts) and len(line) == len(data) and unicodedata.is_normalized("NFKC", text):
            for token_id, byte in zip(line, data, strict=True):
                found.setdefault(token_id, set()).add(byte)
    return {token_id: bytes(several) for token_id, several in found.items() if len(several) == 1}
