"""The tokens that begin a tool call are learnt from what the remote's template makes of one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fakes import FakeRemote, FakeTokenizer

from app.errors import InvalidRequest, RemoteRejected
from app.prompts.message import Message, Tool
from app.remote.opening import Opening, learned
from app.remote.prompt import PROBE, PublicPrompt
from app.tokenization.vocabulary import SpelledVocabulary

TURN, END, MARK, CALLS = 1, 2, 3, 4


class Words:
    """Token ids of texts that are cut into words by a bar."""

    def __init__(self) -> None:
        self.words = ["", "<|turn|>", "<|end|>", "<tool_call>", "[TOOL_CALLS]"]

    def ids(self, text: str) -> list[int]:
        for word in text.split("·"):
            if word not in self.words:
                self.words.append(word)
        return [self.words.index(word) for word in text.split("·")]

    def vocabulary(self, special: Sequence[int]) -> SpelledVocabulary:
        names = {token_id: self.words[token_id] for token_id in special}
        return SpelledVocabulary([word.encode() for word in self.words], names, frozenset({END}), None)


def found(prompt: str, text: str, call: str, special: Sequence[int] = (TURN, END)) -> list[object] | None:
    """The opening's words, whether it counts anywhere, and the words behind the marker."""
    words = Words()
    cut = [words.ids(one) for one in (text, call, prompt)]
    opening = learned(cut[0], cut[1], "probe", cut[2], words.vocabulary(special))
    if opening is None:
        return None
    ids = [[words.words[token_id] for token_id in ids] for ids in (opening.ids, opening.bare)]
    return ["·".join(ids[0]), opening.anywhere, "·".join(ids[1])]


@pytest.mark.parametrize("special", [(TURN, END), (TURN, END, MARK)])
def test_a_marker_counts_anywhere_and_what_is_behind_it_at_the_beginning(special: Sequence[int]) -> None:
    assert found(
        "<|turn|>·\n",
        "<|turn|>·\n·Found·.·<|end|>",
        '<|turn|>·\n·<tool_call>·\n·{"·name·":· "·probe·",·<|end|>',
        special,
    ) == ["<tool_call>", True, '{"·name·":· "']


def test_a_marker_in_ordinary_tokens_leaves_out_the_one_with_white_space() -> None:
    assert found(
        "<|turn|>·\n",
        "<|turn|>·\n·Found·.·<|end|>",
        '<|turn|>·\n·<·tool·_call·>\n·{"·name·":· "·pro·be·",·<|end|>',
    ) == ["<·tool·_call", True, '{"·name·":· "']


def test_what_both_turns_have_is_no_part_of_it() -> None:
    thought = "<|turn|>·\n·<think>·\n\n·</think>·\n\n"
    assert found(
        "<|turn|>·\n", f"{thought}·Found·.·<|end|>", f'{thought}·<tool_call>·\n·{{"·name·":· "·probe·"'
    ) == ["<tool_call>", True, '{"·name·":· "']


def test_a_special_token_that_begins_like_json_is_a_marker() -> None:
    assert found(
        "<|turn|>",
        "<|turn|>·Found·.·<|end|>",
        '<|turn|>·[TOOL_CALLS]·[{"·name·":· "·probe',
        (TURN, END, CALLS),
    ) == ["[TOOL_CALLS]", True, '[{"·name·":· "']


@pytest.mark.parametrize("call", ['{"·name·":· "', "["])
def test_json_and_code_without_a_marker_count_where_the_reply_begins(call: str) -> None:
    assert found(
        "<|turn|>·\n\n", "<|turn|>·\n\n·Found·.·<|end|>", f"<|turn|>·\n\n·{call}·probe·(·<|end|>"
    ) == [call, False, ""]


def test_a_name_that_begins_within_a_token_begins_there() -> None:
    assert found("<|turn|>", "<|turn|>·Found", '<|turn|>·{"name": "·x·"·pro·be') == [
        '{"name": "·x·"',
        False,
        "",
    ]
    assert found("<|turn|>", "<|turn|>·Found", "<|turn|>·<function=·.pro·be") == ["<function=", True, ""]


def test_a_template_that_leaves_calls_out_has_none() -> None:
    assert found("<|turn|>", "<|turn|>·Found·<|end|>", "<|turn|>·<|end|>") is None
    # It writes another turn in front of the call, so that no reply can begin like this.
    assert found("<|turn|>·a", "<|turn|>·b·Found", '<|turn|>·b·{"·probe') is None


MARKED = Opening((7, 8), anywhere=True, bare=(5, 6))
BEGINS = Opening((5, 6), anywhere=False)


@pytest.mark.parametrize(
    ("opening", "ids", "position", "expected"),
    [
        (MARKED, [7, 8, 1], 3, True),
        (MARKED, [7], 3, None),
        (MARKED, [], 3, None),
        (MARKED, [7, 1], 3, False),
        (MARKED, [5, 6], 0, True),
        (MARKED, [5], 0, None),
        (MARKED, [5, 6], 1, False),
        (MARKED, [1], 0, False),
        (BEGINS, [5, 6], 0, True),
        (BEGINS, [5], 0, None),
        (BEGINS, [5, 6], 2, False),
        (BEGINS, [], 2, False),
    ],
)
def test_drafted_tokens_begin_a_call_or_not_or_are_too_few(
    opening: Opening, ids: list[int], position: int, expected: bool | None
) -> None:
    assert opening.begins(ids, position) is expected


async def test_it_is_learnt_once_from_the_remotes_template() -> None:
    remote = FakeRemote()
    public = PublicPrompt(remote, FakeTokenizer())
    opening = await public.opening((PROBE,))
    assert opening is not None
    assert (bytes(opening.ids), opening.anywhere, bytes(opening.bare)) == (
        b"<tool_call>",
        True,
        b'{"name": "',
    )
    remote.handed.clear()
    assert await public.opening(({"type": "function"},)) == opening
    assert not remote.handed
    assert await PublicPrompt(remote, None).opening((PROBE,)) is None, "it is not known what tokens say"
    assert await public.opening(()) is None


@pytest.mark.parametrize("error", [InvalidRequest("no tools"), RemoteRejected("no tools", status=400)])
async def test_a_template_that_refuses_calls_has_none(error: Exception) -> None:
    class Refusing(FakeRemote):
        async def tokenize(
            self,
            messages: Sequence[Message],
            *,
            continue_final: bool = False,
            tools: Sequence[Tool] = (),
            opens: bool = True,
        ) -> list[int]:
            if any(message.calls for message in messages):
                raise error
            return await super().tokenize(messages, tools=tools, opens=opens)

    assert await PublicPrompt(Refusing(), FakeTokenizer()).opening((PROBE,)) is None
