"""The tokenizer on the device: chat template, token ids, and what each token stands for."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

import jinja2
from transformers import AutoTokenizer

from app.errors import InvalidRequest, WeightsError
from app.prompts import Message, PrivateMessage

THINK = ("<think>", "</think>")
# A byte that no other token of a SentencePiece vocabulary spells.
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # in the same vocabularies
# Tokens that a chat template may put after the final message's own: white space, for one.
TRAILING = 2


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others for what follows U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}


BYTE_ALPHABET = _byte_alphabet()


class Tokenizer:
    """A transformers tokenizer with its chat template. Safe to call from any thread.

    `eos_ids` end a reply. `think_ids` open and close a reasoning model's thoughts; None where those markers
    are no tokens of their own. `dated` says that the chat template writes the date.
    """

    eos_ids: frozenset[int]
    dated: bool
    think_ids: tuple[int, int] | None = None

    def __init__(self, path: str, eos_ids: frozenset[int] = frozenset()) -> None:
        """Load from what transformers takes. Raises WeightsError when there is no chat template."""
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        if self._tokenizer.chat_template is None:
            raise WeightsError(f"The model {path} has no chat template. Choose an instruction-tuned model.")
        # The Rust tokenizer borrows its own settings mutably for a moment in each call.
        self._lock = threading.Lock()
        own = self._tokenizer.eos_token_id
        self.eos_ids = eos_ids | ({own} if own is not None else set())
        added = self._tokenizer.added_tokens_decoder
        self._special = frozenset(token_id for token_id, token in added.items() if token.special)
        self.dated = "strftime_now" in str(self._tokenizer.chat_template)
        opens, closes = (next((i for i, t in added.items() if t.content == name), None) for name in THINK)
        if opens is not None and closes is not None:
            self.think_ids = (opens, closes)
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        self._byte_level = "ByteLevel" in repr(getattr(backend, "decoder", None))

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` alone, with no special tokens added."""
        with self._lock:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def render(self, messages: Sequence[Message | PrivateMessage], *, continue_final: bool = False) -> str:
        """The conversation in the model's chat template, open for the assistant's reply.

        With `continue_final` it ends with the final message as far as that goes, for the reply to go on from.
        """
        conversation = [m.fields() for m in messages]
        try:
            with self._lock:
                return str(
                    self._tokenizer.apply_chat_template(
                        conversation,
                        tokenize=False,
                        add_generation_prompt=not continue_final,
                        continue_final_message=continue_final,
                    )
                )
        except jinja2.TemplateError as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}", param="messages"
            ) from error
        except ValueError:
            if not continue_final:
                raise
        # Raised outside the handler: a traceback must not chain to an error that quotes the conversation.
        raise InvalidRequest(
            "The model's chat template does not keep the final message as it is, so it cannot be continued. "
            "Leave out continue_final_message, or change the message.",
            param="messages",
        )

    def chat(
        self, messages: Sequence[Message | PrivateMessage], *, continue_final: bool = False
    ) -> list[int]:
        """Token ids of the rendered conversation."""
        return self.encode(self.render(messages, continue_final=continue_final))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        with self._lock:
            return str(
                self._tokenizer.decode(
                    list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            )

    def token_bytes(self, token_id: int) -> bytes | None:
        """What the token adds to a text, which may be a part of a character; None for a special token, which
        has no text, and for an id that the vocabulary does not have."""
        token = None if token_id in self._special else self._name(token_id)
        if token is None:
            return None
        if self._byte_level:
            try:
                return bytes(BYTE_ALPHABET[letter] for letter in token)
            except KeyError:  # an added token, written as it is
                return token.encode()
        byte = BYTE.fullmatch(token)
        return bytes([int(byte[1], 16)]) if byte else token.replace(SPACE, " ").encode()

    def token_text(self, token_id: int) -> str:
        """The token for people: its text, U+FFFD for a part of a character, a special token's name."""
        data = self.token_bytes(token_id)
        return data.decode(errors="replace") if data is not None else self._name(token_id) or ""

    def thinking(self, prompt: Sequence[int], continued: str | None = None) -> bool:
        """Whether the reply to `prompt` begins inside a thought: the template has opened one, or the final
        message, which the reply continues, has. What users write of such markers opens none."""
        if self.think_ids is None:
            return False
        at = next((i for i in reversed(range(len(prompt))) if prompt[i] in self.think_ids), None)
        if at is None or prompt[at] == self.think_ids[1]:
            return False
        behind = prompt[at + 1 :]
        if continued is not None and len(behind) <= len(self.encode(continued)) + TRAILING:
            return True
        spelled = (self.token_bytes(token_id) for token_id in behind)
        return all(data is not None and not data.strip() for data in spelled)

    def _name(self, token_id: int) -> str | None:
        with self._lock:
            name = self._tokenizer.convert_ids_to_tokens(token_id)
        return name if isinstance(name, str) else None
