"""The local model's prompts for one conversation, exactly as it reads them: text and token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import Protocol

from app.profiles.profile import HistoryItem, Hit, Profile, StoredItem
from app.prompts.fitting import fit
from app.prompts.message import Message
from app.prompts.private import (
    About,
    Contrast,
    Letter,
    PrivateContext,
    PrivatePrompt,
    Reading,
    about_person,
    about_replies,
    readings,
)
from app.prompts.template import has_calls, holds_calls, rendered, without_calls
from app.tokenization.tokenizer import Tokenizer
from app.tokenization.vocabulary import THINK

# Closes reasoning of no words, as chat templates write it.
UNTHOUGHT = f"\n{THINK[1]}\n\n"
# What the private context is counted with, so that as much of it fits whatever the conversation is: templates
# take more or less for a system message where the conversation has none.
COUNTED = ((Message("user", "?"),), (Message("system", "?"), Message("user", "?")))


class Form(Protocol):
    """How the prompts are written: see `readings`. Others are in the evaluation, to compare with."""

    def __call__(
        self, messages: Sequence[Message], private: PrivateContext, *, once: bool = False
    ) -> Sequence[Reading]: ...


@dataclass(frozen=True, repr=False)
class ReadPrompt:
    """A prompt as the chat template renders it, and its token ids."""

    text: str
    prompt: PrivatePrompt


@dataclass(frozen=True, repr=False)
class ReadPair:
    """A context-aware and a context-agnostic prompt; `weight` multiplies the strength."""

    about: About
    aware: ReadPrompt
    agnostic: ReadPrompt
    weight: float

    def contrast(self) -> Contrast:
        """Its token ids alone."""
        return Contrast(self.aware.prompt, self.agnostic.prompt, self.weight)


@dataclass(frozen=True, repr=False)
class LocalPrompts:
    """The pairs of prompts that steer one reply, and what of the private context is in them.

    There is no pair about what is not there, or of what nothing fits; with none the reply is not steered.
    `private_tokens` is the most that one of them has beyond the conversation, its last question alone being
    followed by how replies should be.
    """

    private: PrivateContext
    private_tokens: int
    pairs: tuple[ReadPair, ...]

    def contrasts(self) -> tuple[Contrast, ...]:
        """What the local model is given."""
        return tuple(pair.contrast() for pair in self.pairs)


def local_prompts(
    private: PrivateContext,
    messages: Sequence[Message],
    tokenizer: Tokenizer,
    max_context_tokens: int,
    *,
    continue_final: bool = False,
    form: Form = readings,
) -> LocalPrompts:
    """The prompts, each with as much of the private context as fits `max_context_tokens`.

    How replies should be stands behind each question, unless a long conversation has no room for that within
    the limit: then behind the last. They end where the assistant's reply begins or, with `continue_final`,
    where the final message goes on. Calls of tools and their results are in all prompts, or in none if the
    chat template leaves something of them out in one, so that no pair differs in them. Raises InvalidRequest
    where the chat template refuses the conversation.
    """

    # Cached, since contrasts share letters: the conversation as it is, before all.
    @cache
    def read(letter: Letter) -> ReadPrompt:
        return _read(letter, tokenizer, continue_final=continue_final)

    @cache
    def tokens(letter: Letter) -> int:
        return len(_read(letter, tokenizer).prompt.ids)

    def count(private: PrivateContext) -> int:
        added = [
            tokens(letter) - tokens(about_replies(messages, ()))
            for messages in COUNTED
            for one in form(messages, private)
            for letter in (one.aware, one.agnostic)
        ]
        return max(added, default=0)

    def holds(letter: Letter) -> bool:
        return holds_calls(read(letter).text, letter)

    def pairs(*, once: bool) -> tuple[ReadPair, ...]:
        return tuple(
            ReadPair(one.about, read(one.aware), read(one.agnostic), one.weight)
            for one in form(messages, kept, once=once)
        )

    kept = fit(private, max_context_tokens, count)
    if has_calls(messages):
        letters = [letter for one in form(messages, kept) for letter in (one.aware, one.agnostic)]
        if not all(map(holds, letters)):
            messages = without_calls(messages)
    limit = len(read(about_replies(messages, ())).prompt.ids) + max_context_tokens
    found = pairs(once=False)
    if any(len(prompt.prompt.ids) > limit for one in found for prompt in (one.aware, one.agnostic)):
        found = pairs(once=True)
    return LocalPrompts(kept, count(kept), found)


def common_beginning(profile: Profile, tokenizer: Tokenizer, max_context_tokens: int) -> PrivatePrompt | None:
    """The common prefix of all prompts about a person, for any conversation and history.

    None when nothing of the profile fits.
    """
    text = Hit(StoredItem(0, HistoryItem("?", "!")), "!", 0, 0.0)
    question = Message("user", "Hello")
    found = local_prompts(PrivateContext(profile), (question,), tokenizer, max_context_tokens)
    if not found.pairs:
        return None
    # Conversations that diverge as early as any do: at once, with an earlier text, with a system message.
    letters = (
        about_person((Message("user", "#"),), found.private),
        about_person((question,), replace(found.private, history=(text,))),
        about_person((Message("system", "#"), question), found.private),
    )
    ids = [found.pairs[0].aware.prompt.ids, *(_read(one, tokenizer).prompt.ids for one in letters)]
    shared = takewhile(lambda ids: len(set(ids)) == 1, zip(*ids, strict=False))
    return PrivatePrompt(tuple(each[0] for each in shared))


def _read(letter: Letter, tokenizer: Tokenizer, *, continue_final: bool = False) -> ReadPrompt:
    """The letter, open for the reply's text. The remote's reasoning is not steered, so a model that reasons
    has nothing of its own to say before the text: its reasoning is empty."""
    text = rendered(tokenizer, letter, continue_final=continue_final, thinks=False)
    ids = tokenizer.encode(text)
    if not continue_final and tokenizer.thinking(ids):  # a template that knows nothing else
        text += UNTHOUGHT
        ids = tokenizer.encode(text)
    return ReadPrompt(text, PrivatePrompt(tuple(ids)))
