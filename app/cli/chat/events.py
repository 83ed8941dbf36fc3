"""Reads server-sent events: the data of each `data:` line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

PREFIX = b"data:"


async def data_of(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of a stream's events, a line each, whatever the chunks that they come in; without comments.

    Lines end with a line feed, with or without a carriage return, as in a remote's own stream that is passed
    on: the characters that Python's splitlines knows besides stand in texts.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(PREFIX):
                yield line.removeprefix(PREFIX).removeprefix(b" ").removesuffix(b"\r")
