"""The tokenizer on the device: chat template, token ids, and the bytes of each token."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jinja2

from app.errors import InvalidRequest, WeightsError
from app.tokenization.fast import FastTokenizer, fast_eos_ids
from app.tokenization.vocabulary import THINK, inside_thought, spell

# Lead-in texts: after one of them a tokenizer adds no space of its own before a word.
LEADS = ("", "\n", ".")
SPELLED = "unspellably good"


class TemplateMessage(Protocol):
    """A message, public or private, for a chat template to render."""

    def fields(self) -> dict[str, Any]:
        """role, content and perhaps name, tool_calls and tool_call_id."""
        ...


class Tokenizer:
    """A tokenizer with its chat template: transformers' own, or read from its files alone (see fast.py).
    Safe to call from any thread.

    `eos_ids` end a reply. `think_ids` open and close a model's reasoning; None where those markers
    are not single tokens. `has_template`: it has a chat template; `dated`: that template writes the date.
    `added`: the tokens that are found in a text as a whole, special ones and others.
    """

    eos_ids: frozenset[int]
    added: tuple[str, ...] = ()
    has_template: bool
    dated: bool
    think_ids: tuple[int, int] | None = None

    def __init__(self, path: str, eos_ids: frozenset[int] = frozenset(), *, fast: bool = False) -> None:
        """Load from what transformers takes: a folder or a hub id. `fast`: without transformers, which takes
        seconds and imports torch where there is one. Raises OSError and ValueError."""
        self._path = path
        self._lead: str | None = None
        self._tokenizer: Any = FastTokenizer.load(path) if fast else _of_transformers(path)
        self.has_template = self._tokenizer.chat_template is not None
        # Each call borrows the Rust tokenizer's settings mutably for a moment, as only one thread may.
        self._lock = threading.Lock()
        own = self._tokenizer.eos_token_id
        self.eos_ids = eos_ids | ({own} if own is not None else set())
        added = self._tokenizer.added_tokens_decoder
        self.added = tuple(token.content for token in added.values())
        self._special = frozenset(token_id for token_id, token in added.items() if token.special)
        self._size = 1 + max(self._tokenizer.get_vocab().values())
        self.dated = "strftime_now" in str(self._tokenizer.chat_template)
        opens, closes = (next((i for i, t in added.items() if t.content == name), None) for name in THINK)
        if opens is not None and closes is not None:
            self.think_ids = (opens, closes)
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        self._byte_level = "ByteLevel" in repr(getattr(backend, "decoder", None))

    def __len__(self) -> int:
        """One more than the highest id."""
        return self._size

    def encode(self, text: str) -> list[int]:
        """Token ids of `text` alone, with no special tokens added."""
        with self._lock:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def encode_after(self, text: str) -> list[int]:
        """Token ids of `text` as the continuation of another: without the space that some tokenizers prepend.

        Raises WeightsError as `check_spelling` does.
        """
        lead = self.check_spelling()
        return self.encode(lead + text)[len(self.encode(lead)) :] if lead else self.encode(text)

    def render(
        self,
        messages: Sequence[TemplateMessage],
        *,
        continue_final: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
        opens: bool = True,
        thinks: bool = True,
    ) -> str:
        """The conversation in the model's chat template, open for the assistant's reply, which may call
        `tools`.

        With `continue_final` it ends with the unfinished final message, which the reply continues; without
        `opens` nothing is open; without `thinks` the template is told to open no reasoning, by the variable
        that those of Qwen, SmolLM and others have for it. Raises InvalidRequest where the template refuses
        the conversation or cannot leave that message open.
        """
        conversation = [m.fields() for m in messages]
        try:
            with self._lock:
                return str(
                    self._tokenizer.apply_chat_template(
                        conversation,
                        tools=[dict(tool) for tool in tools] or None,
                        tokenize=False,
                        add_generation_prompt=opens and not continue_final,
                        continue_final_message=continue_final,
                        **({} if thinks else {"enable_thinking": False}),
                    )
                )
        except (jinja2.TemplateError, TypeError) as error:  # a template may add what is no text to a text
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
        self,
        messages: Sequence[TemplateMessage],
        *,
        continue_final: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
        opens: bool = True,
    ) -> list[int]:
        """Token ids of the rendered conversation."""
        return self.encode(self.render(messages, continue_final=continue_final, tools=tools, opens=opens))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids`, special tokens left out; incomplete UTF-8 shows as U+FFFD."""
        with self._lock:
            return str(
                self._tokenizer.decode(
                    list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            )

    def token_bytes(self, token_id: int) -> bytes | None:
        """The bytes of the token, perhaps part of a character; None for a special token, which has no text,
        and for an id that the vocabulary does not have."""
        token = None if token_id in self._special else self._name(token_id)
        return None if token is None else spell(token, byte_level=self._byte_level)

    def token_text(self, token_id: int) -> str:
        """The token for display: its text, U+FFFD for part of a character, a special token's name."""
        data = self.token_bytes(token_id)
        return data.decode(errors="replace") if data is not None else self._name(token_id) or ""

    def thinking(self, prompt: Sequence[int], continued: str | None = None) -> bool:
        """Whether the reply to `prompt` begins inside reasoning: opened by the template, or by the final
        message, which the reply continues. Markers that users write open none."""
        return self.think_ids is not None and inside_thought(
            prompt, self.think_ids, self.token_bytes, continued
        )

    def end_at(self, token_ids: frozenset[int]) -> None:
        """Has these tokens end a reply too."""
        self.eos_ids |= token_ids

    def special_name(self, token_id: int) -> str | None:
        """A special token's own text, such as "<|im_end|>"; None for every other token."""
        return self._name(token_id) if token_id in self._special else None

    def check_spelling(self) -> str:
        """The lead-in text after which tokens spell exactly what follows, as `encode_after` needs it.

        Raises WeightsError for a tokenizer whose tokens do not spell their text, such as WordPiece.
        """
        if self._lead is not None:
            return self._lead
        for lead in LEADS:
            ids = self.encode(lead + SPELLED)[len(self.encode(lead)) :]
            if b"".join(self.token_bytes(token_id) or b"" for token_id in ids) == SPELLED.encode():
                self._lead = lead
                return lead
        raise WeightsError(
            f"The tokens of {self._path} do not spell the text that they stand for, so they cannot be "
            "aligned with those of another tokenizer. Choose another model, or one of the same family."
        )

    def _name(self, token_id: int) -> str | None:
        with self._lock:
            name = self._tokenizer.convert_ids_to_tokens(token_id)
        return name if isinstance(name, str) else None


def _of_transformers(path: str) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415  # seconds

    return AutoTokenizer.from_pretrained(path)


def load_tokenizer(path: str, setting: str, *, fast: bool = False) -> Tokenizer:
    """The tokenizer of a folder or hub id that `setting` names. Raises WeightsError with what to change."""
    try:
        return Tokenizer(path, fast_eos_ids(path) if fast else frozenset(), fast=fast)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The tokenizer of {path} cannot be loaded: {str(error).strip().splitlines()[0]} Set {setting} "
            "to a bundle of `costeer models list`, a hub id, or a folder with transformers' files."
        ) from error
