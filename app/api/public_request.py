"""Strips a passed-on request of what stays here: labels, this proxy's fields, and profile names."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, unquote_plus

from app.api.body import JSON, SMALL, decoded, parse, parsed
from app.api.forms import Form, Part, read_form
from app.api.schemas.public import Public, is_kept_here, names_model, names_profile, public
from app.errors import InvalidRequest

T = TypeVar("T")
# Characters that a query may hold unquoted. % is among them, so that what is quoted already stays as it is.
QUERY = "/?:@!$&'()*+,;=~%"


async def _nothing(_value: Any) -> bool:
    return False


@dataclass(frozen=True)
class Here:
    """What a request may say that only this device knows.

    `named` turns `name@profile` and a name of `aliases` into the name of the remote's model; it raises
    ModelNotFound. `turn_back` puts placeholders in the place of values in a parsed body, in place, and says
    whether there were any.
    """

    named: Callable[[str], Awaitable[str]]
    aliases: Collection[str] = ()
    turn_back: Callable[[Any], Awaitable[bool]] = _nothing

    def names(self, model: str) -> bool:
        """Whether a model's name may be this proxy's own."""
        return names_profile(model) or model in self.aliases


async def public_json(data: bytes, here: Here) -> bytes:
    """Strips a JSON body; unchanged byte for byte if there was nothing to remove. Raises InvalidRequest."""
    value = await parse(data)
    turned = await here.turn_back(value)
    found = await _beside(len(data), lambda: public(value, here.names))
    return dumped(found.value) if await _resolve(found, here) or turned else data


async def public_value(value: Any, here: Here) -> Any:
    """Strips a parsed JSON value, in place."""
    found = public(value, here.names)
    await _resolve(found, here)
    return found.value


async def public_form(content_type: str, data: bytes, here: Here) -> tuple[bytes, str]:
    """Strips a form; returns it with its Content-Type. JSON parts and files of batch requests are stripped
    as JSON bodies are. Raises InvalidRequest."""
    form = await _beside(len(data), lambda: read_form(content_type, data))
    batch = any(part.name == "purpose" and part.value.strip() == b"batch" for part in form.parts)
    kept, changed = [], not form.bare
    for part in form.parts:
        if is_kept_here(part.name):
            changed = True
            continue
        kept.append(await _public_part(part, here, batch=batch))
        changed |= kept[-1] is not part
    whole = Form(form.boundary, kept)
    return (whole.dumped() if changed else data), whole.content_type


async def public_query(raw: bytes, here: Here) -> tuple[str, bool]:
    """A query string without labels and profile names, and whether there were labels.

    A label may be a filter, and whoever sent it should hear that it was not applied.
    """
    kept, stripped = "", False
    for separator, pair in re.findall("(^|[&;])([^&;]*)", quote(raw, safe=QUERY)):
        name, _, value = pair.partition("=")
        plain = unquote_plus(name)
        if is_kept_here(plain):
            stripped = True
            continue
        if names_model(plain) and here.names(model := unquote_plus(value)):
            resolved = await here.named(model)
            shown = pair if resolved == model else f"{name}={quote(resolved, safe='')}"
        else:
            shown = pair
        kept += (separator if kept else "") + shown
    return kept, stripped


def dumped(body: Any) -> bytes:
    """Serializes JSON, with integers of any size and escaped lone surrogates."""
    try:
        return json.dumps(body, separators=(",", ":")).encode()
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None


async def _public_part(part: Part, here: Here, *, batch: bool) -> Part:
    """Strips a part; returns the same object if nothing changed."""
    is_file = part.name == "file" or "filename" in part.headers["content-disposition"].lower()
    if is_file and (batch or _is_batch(part.value)):
        lines = await _public_lines(part.value, here)
        return part if lines == part.value else part.written(lines)
    if part.media_type == JSON and not is_file:
        value = await public_json(part.value, here)
        return part if value == part.value else part.written(value)
    if names_model(part.name) and here.names(part.value.decode(errors="replace")):
        model = decoded(part.value)
        resolved = await here.named(model)
        return part if resolved == model else part.written(resolved.encode())
    return part


def _is_batch(data: bytes) -> bool:
    """Whether a file has OpenAI's batch format, one request per line; decided by its first line."""
    first = data.lstrip().partition(b"\n")[0]
    if not first.startswith((b"{", b"\xef\xbb\xbf{")):
        return False
    try:
        value = parsed(decoded(first))
    except InvalidRequest:
        return False
    return isinstance(value, dict) and isinstance(value.get("body"), dict) and "url" in value


async def _public_lines(data: bytes, here: Here) -> bytes:
    def read() -> list[tuple[str, Any]]:
        # Not splitlines, since JSON strings may contain other line separators (U+2028) unescaped.
        lines = enumerate(decoded(data).split("\n"), 1)
        return [
            (line, parsed(line, f"line {number} of the file") if line.strip() else None)
            for number, line in lines
        ]

    lines = await _beside(len(data), read)
    turned = await here.turn_back([value for _, value in lines])
    found = await _beside(len(data), lambda: [public(value, here.names) for _, value in lines])
    written = []
    for (line, _), value in zip(lines, found, strict=True):
        changed = await _resolve(value, here) or turned
        written.append(dumped(value.value) if changed and line.strip() else line.encode())
    return b"\n".join(written)


async def _resolve(found: Public, here: Here) -> bool:
    """Puts the remote's names of models in place of this proxy's; returns whether the value differs from what
    was sent."""
    for container, key in found.aliases:
        resolved = await here.named(container[key])
        found.changed |= resolved != container[key]
        container[key] = resolved
    return found.changed


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Runs `work`, in a thread if its input is large."""
    return work() if size <= SMALL else await asyncio.to_thread(work)
