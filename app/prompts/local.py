"""What the small model reads for one conversation, exactly: both prompts, as text and as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from app.profiles.profile import Hit, Profile
from app.prompts.message import Message
from app.prompts.private import PrivateMessage, PrivatePrompt, PrivateText, context_aware, fit
from app.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True, repr=False)
class LocalPrompts:
    """The context-aware and the context-agnostic prompt, and the private text that is all they differ in.

    `private_tokens` counts the private text alone. When nothing private fits, or there is nothing, the aware
    prompt is None: then there is nothing to steer by.
    """

    private: PrivateText
    private_tokens: int
    aware_text: str | None
    aware: PrivatePrompt | None
    agnostic_text: str
    agnostic: tuple[int, ...]


def local_prompts(
    profile: Profile,
    history: Sequence[Hit],
    messages: Sequence[Message],
    tokenizer: Tokenizer,
    max_context_tokens: int,
    *,
    continue_final: bool = False,
) -> LocalPrompts:
    """Both prompts; of `history`, most relevant first, as much as fits `max_context_tokens`.

    They are open for the assistant's reply or, with `continue_final`, for more of the final message.
    """

    def count(text: str) -> int:
        return len(tokenizer.encode(text))

    def render(messages: Sequence[Message | PrivateMessage]) -> str:
        return tokenizer.render(messages, continue_final=continue_final)

    private = fit(profile, history, max_context_tokens, count)
    agnostic_text = render(messages)
    aware_text = render(context_aware(messages, private.text)) if private.text else None
    return LocalPrompts(
        private,
        count(private.text),
        aware_text,
        PrivatePrompt(tuple(tokenizer.encode(aware_text))) if aware_text is not None else None,
        agnostic_text,
        tuple(tokenizer.encode(agnostic_text)),
    )


def common_beginning(profile: Profile, tokenizer: Tokenizer, max_context_tokens: int) -> PrivatePrompt | None:
    """What all context-aware prompts of a profile begin with, whatever the conversation and the history.

    None when nothing of the profile fits.
    """
    private = fit(profile, (), max_context_tokens, lambda text: len(tokenizer.encode(text))).text
    if not private:
        return None
    # Two that go on as differently as any: with history and without.
    ids = [
        tokenizer.encode(tokenizer.render(context_aware((Message("user", text),), private + more)))
        for text, more in (("Hello", ""), ("?", "\n\nTexts the user wrote before:"))
    ]
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(*ids, strict=False))
    return PrivatePrompt(tuple(left for left, _ in shared))
