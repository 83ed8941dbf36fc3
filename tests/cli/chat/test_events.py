"""The data of server-sent events, in whatever chunks they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.cli.chat.events import data_of

STREAM = 'data: {"a": "\u2028\x85é"}\n\n: ping\n\ndata: [DONE]\n\n'.encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
async def test_chunks_do_not_matter_and_lines_end_with_line_feeds_alone(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]

    async def chunks() -> AsyncIterator[bytes]:
        for first, last in pairwise(places):
            yield STREAM[first:last]

    assert [data async for data in data_of(chunks())] == ['{"a": "\u2028\x85é"}'.encode(), b"[DONE]"]


async def test_a_remote_s_own_stream_may_have_other_line_ends_and_no_blank() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: one\r\n\r\ndata:two\r"
        yield b"\n\r\ndata:  [DONE]\n"

    assert [data async for data in data_of(chunks())] == [b"one", b"two", b" [DONE]"]
