"""The tokenizer on the device: chat template, token ids, and text from ids as they come."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import jinja2
from transformers import AutoTokenizer

from app.errors import InvalidRequest, WeightsError
from app.prompts import Message, PrivateMessage


class Tokenizer:
    """A transformers tokenizer with its chat template. Safe to call from any thread."""

    def __init__(self, path: str, eos_ids: frozenset[int] = frozenset()) -> None:
        """Load from what transformers takes. Raises WeightsError when there is no chat template."""
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        if self._tokenizer.chat_template is None:
            raise WeightsError(f"The model {path} has no chat template. Choose an instruction-tuned model.")
        # The Rust tokenizer borrows its own settings mutably for a moment in each call.
        self._lock = threading.Lock()
        own = self._tokenizer.eos_token_id
        self.eos_ids = eos_ids | ({own} if own is not None else set())

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` alone, with no special tokens added."""
        with self._lock:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def render(self, messages: Sequence[Message | PrivateMessage]) -> str:
        """The conversation in the model's chat template, open for the assistant's reply."""
        conversation = [{"role": m.role, "content": m.content} for m in messages]
        try:
            with self._lock:
                return str(
                    self._tokenizer.apply_chat_template(
                        conversation, tokenize=False, add_generation_prompt=True
                    )
                )
        except jinja2.TemplateError as error:
            raise InvalidRequest(
                f"The model's chat template refuses this conversation: {error}", param="messages"
            ) from error

    def chat(self, messages: Sequence[Message | PrivateMessage]) -> list[int]:
        """Token ids of the rendered conversation."""
        return self.encode(self.render(messages))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        with self._lock:
            return str(
                self._tokenizer.decode(
                    list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            )


class Detokenizer:
    """Text from token ids as they come; a character is released once all its bytes are there.

    Decodes a short window only: the tokens since the last release and as many before it, since some
    tokenizers render a token by its left neighbour (a leading space, for one).
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0  # of the window
        self._released = 0  # tokens whose text is out

    def push(self, token_id: int) -> str:
        """The text that this token completes; empty while a character is incomplete."""
        self._ids.append(token_id)
        return self._release(final=False)

    def flush(self) -> str:
        """What is left at the end; bytes that never became a character show as U+FFFD."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        before = self._tokenizer.decode(self._ids[self._start : self._released])
        now = self._tokenizer.decode(self._ids[self._start :])
        if not final and (now.endswith("\N{REPLACEMENT CHARACTER}") or len(now) <= len(before)):
            return ""
        self._start, self._released = self._released, len(self._ids)
        return now[len(before) :]
