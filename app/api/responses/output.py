"""The output of a response as it is written: its items, and the events about them in OpenAI's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.api.chat.detail import text_detail, token_detail
from app.api.chat.logprobs import logprobs
from app.api.responses.items import PREFIXES, new_id
from app.api.responses.thought import Thought
from app.decoding.choices import Choices
from app.decoding.reply import Piece, TokenText
from app.decoding.request import Token
from app.errors import RemoteError
from app.remote.interface import CallPiece

# An event without its sequence_number.
Event = dict[str, Any]
# Why a reply ended before it was finished, by its finish_reason.
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass
class _Said:
    """A message, or what was thought: one part of text. `detail` is None where none is asked for."""

    type: str
    id: str
    text: str = ""
    status: str = "in_progress"
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    detail: list[dict[str, Any]] | None = None

    def part(self, *, detail: bool = True) -> dict[str, Any]:
        if self.type == "reasoning":
            return {"type": "reasoning_text", "text": self.text}
        told = {"costeer": {"tokens": self.detail}} if detail and self.detail is not None else {}
        return {
            "type": "output_text",
            "text": self.text,
            "annotations": [],
            "logprobs": self.logprobs,
            **told,
        }

    def item(self, *, detail: bool = True) -> dict[str, Any]:
        content = [self.part(detail=detail)] if self.status != "in_progress" else []
        own: dict[str, Any] = {"summary": []} if self.type == "reasoning" else {"role": "assistant"}
        return {"id": self.id, "type": self.type, "status": self.status, **own, "content": content}


@dataclass
class _Call:
    """A call of a function. `index` is its place among the calls."""

    index: int
    name: str
    call_id: str
    id: str
    arguments: str = ""
    status: str = "in_progress"

    def item(self, *, detail: bool = True) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }


class Output:
    """The items so far. At most the last one is open.

    `top_logprobs` is None if no logprobs are requested. With `detail` parts have `costeer`, of each token,
    with so many of its `candidates`.
    """

    def __init__(
        self, choices: Choices, top_logprobs: int | None, *, detail: bool, candidates: int = 0
    ) -> None:
        self._vocabulary = choices.vocabulary
        self._top_logprobs, self._detail, self._candidates = top_logprobs, detail, candidates
        think_ids = self._vocabulary.think_ids
        self._think_end = think_ids[1] if think_ids is not None else None
        self._thought = Thought(marked=think_ids is not None, inside=choices.replies[0].request.thinking)
        self._items: list[_Said | _Call] = []
        self._waiting: list[TokenText] = []  # tokens whose text is held back
        self.reasoning_tokens = 0
        self.finish_reason: str | None = None

    @property
    def text(self) -> str:
        """What the reply says."""
        return "".join(one.text for one in self._items if isinstance(one, _Said) and one.type == "message")

    def items(self, *, detail: bool = True) -> list[dict[str, Any]]:
        return [one.item(detail=detail) for one in self._items]

    def add(self, piece: Piece) -> Iterator[Event]:
        """The events of a piece; the last one closes everything."""
        self._waiting += piece.token_texts
        segments = self._thought.push(piece.text)
        if piece.finish_reason is not None:
            segments += self._thought.flush()
        by_itself = piece.logprobs.get("content") if piece.logprobs is not None else None
        for number, (thought, text) in enumerate(segments):
            last = number == len(segments) - 1
            yield from self._say("reasoning" if thought else "message", text, by_itself if last else None)
        if not segments and self._tells(by_itself):
            yield from self._say("reasoning" if self._thought.inside else "message", "", by_itself)
        for call in piece.calls:
            yield from self._call(call)
        if piece.finish_reason is not None:
            yield from self._finish(piece.finish_reason, piece.end)

    def fail(self) -> None:
        """The reply ends in the middle."""
        for one in self._items:
            if one.status == "in_progress":
                one.status = "incomplete"

    def _tells(self, by_itself: list[dict[str, Any]] | None) -> bool:
        """Whether there is something to tell of tokens without text."""
        asked = self._top_logprobs is not None or self._detail
        return asked and bool(self._waiting or by_itself) and not self._thought.undecided

    def _say(self, kind: str, text: str, by_itself: list[dict[str, Any]] | None) -> Iterator[Event]:
        item = self._items[-1] if self._items else None
        if not isinstance(item, _Said) or item.type != kind:
            if isinstance(item, _Call) and not text.strip():
                return  # blanks around calls
            yield from self._close("completed")
            item = _Said(kind, new_id(PREFIXES[kind]), detail=[] if self._detail else None)
            yield from self._open_part(item)
        told: dict[str, Any] = {}
        tokens = self._tokens(kind)
        if kind == "message":
            told["logprobs"] = self._logprobs(tokens, by_itself)
            item.logprobs += told["logprobs"]
            if item.detail is not None:
                known = self._vocabulary, self._candidates
                detail = [one for each in tokens for one in text_detail(each, *known)]
                item.detail += detail
                told["costeer"] = {"tokens": detail}
        item.text += text
        event = "response.output_text.delta" if kind == "message" else "response.reasoning_text.delta"
        yield {**self._at(event, content=0), "delta": text, **told}

    def _tokens(self, kind: str) -> list[TokenText]:
        """The tokens that belong to an item of this kind, of those that have come."""
        waiting = enumerate(self._waiting, 1)
        ends = (at for at, one in waiting if any(token.token_id == self._think_end for token in one.tokens))
        end = next(ends, None)
        thought = end if end is not None else len(self._waiting) if kind == "reasoning" else 0
        self.reasoning_tokens += sum(len(one.tokens) for one in self._waiting[:thought])
        said, self._waiting = self._waiting[thought:], []
        if end is not None:
            self._think_end = None  # once more it would be a token like any other
        if kind == "message":
            return said
        self._waiting = said
        return []

    def _logprobs(
        self, tokens: list[TokenText], by_itself: list[dict[str, Any]] | None
    ) -> list[dict[str, Any]]:
        if self._top_logprobs is None:
            return []
        told = logprobs(tokens, self._top_logprobs, self._vocabulary)["content"]
        return [_entry(one) for one in [*told, *(by_itself or ())]]

    def _call(self, piece: CallPiece) -> Iterator[Event]:
        call = self._items[-1] if self._items else None
        if not isinstance(call, _Call) or call.index != piece.index:
            if any(isinstance(one, _Call) and one.index == piece.index for one in self._items):
                raise RemoteError("The remote's pieces of tool calls came out of order.")
            yield from self._close("completed")
            call_id = piece.id or new_id("call")
            call = _Call(piece.index, piece.name or "", call_id, new_id(PREFIXES["function_call"]))
            self._items.append(call)
            yield {**self._at("response.output_item.added", item=False), "item": call.item()}
        call.arguments += piece.arguments
        if piece.arguments:
            yield {**self._at("response.function_call_arguments.delta"), "delta": piece.arguments}

    def _finish(self, finish_reason: str, end: Token | None) -> Iterator[Event]:
        self.finish_reason = finish_reason
        if not any(isinstance(one, _Call) or one.type == "message" for one in self._items) and not (
            self._thought.inside and finish_reason in INCOMPLETE
        ):
            yield from self._say("message", "", None)
        last = self._items[-1] if self._items else None
        if end is not None and isinstance(last, _Said) and last.detail is not None:
            last.detail.append(token_detail(end, self._vocabulary, self._candidates))
        yield from self._close("incomplete" if finish_reason in INCOMPLETE else "completed")

    def _open_part(self, item: _Said) -> Iterator[Event]:
        self._items.append(item)
        yield {**self._at("response.output_item.added", item=False), "item": item.item()}
        yield {**self._at("response.content_part.added", content=0), "part": item.part(detail=False)}

    def _close(self, status: str) -> Iterator[Event]:
        """Closes the open item, if there is one."""
        item = self._items[-1] if self._items else None
        if item is None or item.status != "in_progress":
            return
        item.status = status
        if isinstance(item, _Call):
            done = self._at("response.function_call_arguments.done")
            yield {**done, "name": item.name, "arguments": item.arguments}
        elif item.type == "message":
            told = {"text": item.text, "logprobs": item.logprobs}
            yield {**self._at("response.output_text.done", content=0), **told}
            yield {**self._at("response.content_part.done", content=0), "part": item.part()}
        else:
            yield {**self._at("response.reasoning_text.done", content=0), "text": item.text}
            yield {**self._at("response.content_part.done", content=0), "part": item.part()}
        yield {**self._at("response.output_item.done", item=False), "item": item.item()}

    def _at(self, kind: str, *, item: bool = True, content: int | None = None) -> Event:
        """The beginning of an event about the last item."""
        event: Event = {"type": kind, "output_index": len(self._items) - 1}
        if item:
            event["item_id"] = self._items[-1].id
        if content is not None:
            event["content_index"] = content
        return event


def told_again(response: dict[str, Any]) -> Iterator[Event]:
    """The events about the items of a finished response, each text and all arguments in one piece."""
    for index, item in enumerate(response["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        nothing: dict[str, Any] = {"content": []} if "content" in item else {"arguments": ""}
        begun = {**item, "status": "in_progress", **nothing}
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        if item["type"] == "function_call":
            kind, told = "response.function_call_arguments", {"arguments": item["arguments"]}
            yield {"type": f"{kind}.delta", **at, "delta": item["arguments"]}
            yield {"type": f"{kind}.done", **at, "name": item["name"], **told}
        for number, part in enumerate(item.get("content", ())):
            place = {**at, "content_index": number}
            logprobs = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
            empty = {**part, "text": ""} | ({"logprobs": []} if logprobs else {})
            yield {"type": "response.content_part.added", **place, "part": empty}
            yield {"type": f"response.{part['type']}.delta", **place, "delta": part["text"], **logprobs}
            yield {"type": f"response.{part['type']}.done", **place, "text": part["text"], **logprobs}
            yield {"type": "response.content_part.done", **place, "part": part}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of chat completions' logprobs as the Responses API has it: with bytes, be they none."""
    told = {name: entry.get(name) for name in ("token", "logprob")}
    top = [_entry(one) for one in entry.get("top_logprobs") or ()]
    more = {"top_logprobs": top} if "top_logprobs" in entry else {}
    return {**told, "bytes": entry.get("bytes") or [], **more}
