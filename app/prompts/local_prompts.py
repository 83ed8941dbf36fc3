"""The local model's two prompts for one conversation, exactly as it reads them: text and token ids."""

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
    """The context-aware and the context-agnostic prompt, and the private text, which is all they differ in.

    `private_tokens` counts the private text alone. When there is no private text, or none fits, the aware
    prompt is None: then the reply cannot be steered.
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
    """Both prompts, with as much of `history`, most relevant first, as fits `max_context_tokens`.

    They end where the assistant's reply begins or, with `continue_final`, where the final message goes on.
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
    """The common prefix of all context-aware prompts of a profile, for any conversation and history.

    None when nothing of the profile fits.
    """
    private = fit(profile, (), max_context_tokens, lambda text: len(tokenizer.encode(text))).text
    if not private:
        return None
    # Two prompts that diverge as early as any do: with history and without.
    ids = [
        tokenizer.encode(tokenizer.render(context_aware((Message("user", text),), private + more)))
        for text, more in (("Hello", ""), ("?", "\n\nTexts the user wrote before:"))
    ]
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(*ids, strict=False))
    return PrivatePrompt(tuple(left for left, _ in shared))
