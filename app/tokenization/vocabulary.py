"""The remote's vocabulary as replies need it, and one known by its tokens' bytes, without a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

# The markers around a model's reasoning.
THINK = ("<think>", "</think>")


# SentencePiece's byte fallback: a byte that no other token spells.
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # a space, as SentencePiece writes it


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: a printable byte is its own letter, the others have those from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}


BYTE_ALPHABET = _byte_alphabet()


def spell(token: str, *, byte_level: bool) -> bytes:
    """The bytes of a token, from its string in the vocabulary: in GPT-2's letters, as byte-level BPE writes
    it ("Ġhello"), or as SentencePiece does ("▁hello", "<0x0A>")."""
    if byte_level:
        try:
            return bytes(BYTE_ALPHABET[letter] for letter in token)
        except KeyError:  # an added token, written as it is
            return token.encode()
    byte = BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()


def inside_thought(
    prompt: Sequence[int],
    think_ids: tuple[int, int],
    token_bytes: Callable[[int], bytes | None],
    continued: str | None,
) -> bool:
    """Whether the reply to `prompt` begins inside reasoning: opened by the template, or by the final message
    `continued`, which the reply continues. Markers that users write open none."""
    at = next((i for i in reversed(range(len(prompt))) if prompt[i] in think_ids), None)
    if at is None or prompt[at] == think_ids[1]:
        return False
    spelled = [token_bytes(token_id) for token_id in prompt[at + 1 :]]
    if all(data is not None and not data.strip() for data in spelled):
        return True
    if continued is None or None in spelled:  # a special token separates the marker from the final message
        return False
    # If more than the message follows the marker, it was opened before the message; a template may put white
    # space at the message's end.
    behind = b"".join(data or b"" for data in spelled)
    return len(behind.strip()) <= len(continued.strip().encode())


class SpelledVocabulary:
    """A Vocabulary made of its tokens' bytes alone. Safe to call from any thread.

    `eos_ids` end a reply. `think_ids` open and close a model's reasoning; None where those markers
    are not single tokens.
    """

    def __init__(
        self,
        spelling: Sequence[bytes | None],
        names: Mapping[int, str],
        eos_ids: frozenset[int],
        think_ids: tuple[int, int] | None,
        *,
        strips_space: bool = False,
    ) -> None:
        """`spelling`: the bytes of each token id; None for a special token and for an unknown id. `names`:
        the special tokens' own texts. `strips_space`: the space at the very beginning of a text is left out,
        as SentencePiece's decoders do."""
        self._spelling = [None if token_id in names else data for token_id, data in enumerate(spelling)]
        self._names = dict(names)
        self._strips_space = strips_space
        self.eos_ids = eos_ids
        self.think_ids = think_ids

    def __len__(self) -> int:
        """The number of ids, those without bytes included."""
        return len(self._spelling)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        text = b"".join(self.token_bytes(token_id) or b"" for token_id in ids).decode(errors="replace")
        return text.removeprefix(" ") if self._strips_space else text

    def token_bytes(self, token_id: int) -> bytes | None:
        """The bytes of the token, perhaps part of a character; None for a special token, which has no text,
        and for an unknown id."""
        return self._spelling[token_id] if 0 <= token_id < len(self._spelling) else None

    def token_text(self, token_id: int) -> str:
        """The token for display: its text, U+FFFD for part of a character, a special token's name."""
        data = self.token_bytes(token_id)
        return data.decode(errors="replace") if data is not None else self._names.get(token_id, "")

    def special_name(self, token_id: int) -> str | None:
        """A special token's own text, such as "<|im_end|>"; None for every other token."""
        return self._names.get(token_id)

    def thinking(self, prompt: Sequence[int], continued: str | None = None) -> bool:
        """Whether the reply to `prompt` begins inside reasoning: opened by the template, or by the final
        message, which the reply continues. Markers that users write open none."""
        return self.think_ids is not None and inside_thought(
            prompt, self.think_ids, self.token_bytes, continued
        )


class Vocabulary(Protocol):
    """The remote's vocabulary, as far as replies need it. Safe to call from any thread."""

    @property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end a reply."""
        ...

    @property
    def think_ids(self) -> tuple[int, int] | None:
        """Ids that open and close a model's reasoning; None where they are not single tokens."""
        ...

    def __len__(self) -> int:
        """One more than the highest id."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        ...

    def token_bytes(self, token_id: int) -> bytes | None:
        """The bytes of the token; None for one that has no text, and for an unknown id."""
        ...

    def token_text(self, token_id: int) -> str:
        """The token for display."""
        ...

    def special_name(self, token_id: int) -> str | None:
        """A special token's own text; None for every other token."""
        ...

    def thinking(self, prompt: Sequence[int], continued: str | None = None) -> bool:
        """Whether the reply to `prompt` begins inside reasoning; `continued` is the text it continues."""
        ...
