"""Whether the remote's special tokens are those of a tokenizer here: vocabularies of one family share their
words and differ in these, which no ordinary text shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence

from app.errors import InvalidRequest, RemoteRejected
from app.prompts.message import Message
from app.remote.interface import RemoteModel
from app.remote.prompt import CALLED, PROBE, RESULT
from app.tokenization.tokenizer import Tokenizer

# Tokens that one release of a family has and another lacks. Whichever side has one writes it as one token.
MARKERS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|begin_of_text|>", "<|end|>"),
    *("<|eot_id|>", "<|eom_id|>", "<|start_header_id|>", "<|python_tag|>", "<start_of_turn>"),
    *("<end_of_turn>", "<|turn>", "<turn|>", "<bos>", "<eos>", "<s>", "</s>", "[INST]", "[TOOL_CALLS]"),
    *("<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>", "<|tool_call_start|>", "<|tool_list_start|>"),
    *("<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    *("<|object_ref_start|>", "<|vision_start|>", "<|fim_prefix|>", "<|repo_name|>", "<|file_sep|>"),
)
# Places that are kept free, hundreds of them, and written by nobody.
_FREE = re.compile(r".*(unused|reserved|pad_?\d|extra_id|placeholder).*", re.IGNORECASE)
_MARKUP = re.compile(r"\s*[<\[].+[>\]]\s*")
MOST = 400  # tokens whose names are compared
ASKED, ANSWERED = Message("user", "One?"), Message("assistant", "Two.")
# Between names, so that none takes in white space beside it.
LETTER = "a"


async def same_special_tokens(remote: RemoteModel, tokenizer: Tokenizer, *others: Tokenizer) -> bool:
    """Whether both sides have the same special tokens under the same ids: those with well-known names, those
    that the tokenizer and `others` have, and those that the remote's chat template writes. Raises what the
    remote raises."""
    marked = marked_text(tokenizer, *others)
    rendered = await _together(
        _tried(remote, (ASKED, ANSWERED, ASKED)), _tried(remote, (ASKED, CALLED, RESULT), calls=True)
    )
    spelled = [_spelled(ids, tokenizer) for ids in rendered]
    texts = [marked, *(text for text in spelled if text is not None)]
    if None in spelled or not await _cut_alike(remote, tokenizer, texts):
        return False
    return not any(
        _unreachable(ids, text or "", tokenizer) for ids, text in zip(rendered, spelled, strict=True)
    )


def marked_text(*tokenizers: Tokenizer) -> str:
    """A text of the names of special tokens: well-known ones, and those that these tokenizers have."""
    added = (name for one in tokenizers for name in one.added if not _FREE.fullmatch(name))
    names = [*MARKERS, *added]
    return LETTER.join(["", *dict.fromkeys(names[: len(MARKERS) + MOST]), ""])


def closing_here(tokenizer: Tokenizer) -> frozenset[int]:
    """As `closing`, by the chat template of the tokenizer itself."""
    try:
        open_ = tokenizer.chat((ASKED, ANSWERED), continue_final=True)
        return _closing(open_, tokenizer.chat((ASKED, ANSWERED), opens=False), tokenizer)
    except InvalidRequest:
        return frozenset()


async def closing(remote: RemoteModel, tokenizer: Tokenizer) -> frozenset[int]:
    """The special token with which the remote's chat template closes a reply, if it does; the remote has the
    special tokens of the tokenizer. Raises what the remote raises."""
    open_, closed = await _together(
        _tried(remote, (ASKED, ANSWERED), open_=True), _tried(remote, (ASKED, ANSWERED), opens=False)
    )
    return _closing(open_, closed, tokenizer)


def _closing(open_: Sequence[int], closed: Sequence[int], tokenizer: Tokenizer) -> frozenset[int]:
    """The first special token that stands behind an answer once that is closed."""
    if not open_:
        return frozenset()
    same = next((n for n, (a, b) in enumerate(zip(open_, closed, strict=False)) if a != b), len(open_))
    ends = [token_id for token_id in closed[same:] if tokenizer.special_name(token_id) is not None]
    return frozenset(ends[:1])


async def _cut_alike(remote: RemoteModel, tokenizer: Tokenizer, texts: Iterable[str]) -> bool:
    theirs = await _together(*(remote.tokenize_text(text) for text in texts))
    return theirs == [tokenizer.encode(text) for text in texts]


def _spelled(ids: Sequence[int], tokenizer: Tokenizer) -> str | None:
    """What the remote's ids would say here; None where one of them is no token here."""
    parts = []
    for token_id in ids:
        name, data = tokenizer.special_name(token_id), tokenizer.token_bytes(token_id)
        if name is None and data is None:
            return None
        parts.append(name.encode() if name is not None else data or b"")
    return b"".join(parts).decode(errors="replace")


def _unreachable(ids: Sequence[int], text: str, tokenizer: Tokenizer) -> bool:
    """Whether the remote wrote markup that is only a name here, such as a padded vocabulary's [PAD151667]."""
    reached = set(tokenizer.encode(text))
    missing = (tokenizer.token_bytes(token_id) for token_id in set(ids) - reached)
    return any(data is not None and _MARKUP.fullmatch(data.decode(errors="replace")) for data in missing)


async def _tried(
    remote: RemoteModel,
    conversation: Sequence[Message],
    *,
    calls: bool = False,
    open_: bool = False,
    opens: bool = True,
) -> list[int]:
    """Prompt ids; empty for a conversation that the template refuses."""
    try:
        return await remote.tokenize(
            conversation, continue_final=open_, tools=(PROBE,) if calls else (), opens=opens
        )
    except (InvalidRequest, RemoteRejected):
        return []


async def _together(*asked: Awaitable[list[int]]) -> list[list[int]]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(one)) for one in asked]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(one: Awaitable[list[int]]) -> list[int]:
    return await one
