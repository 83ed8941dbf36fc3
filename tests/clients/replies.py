"""A steered greedy reply as its client sees it, and what of it is lost or doubled."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
from servers import PROFILE, Server

ENDS = ("response.completed", "response.incomplete", "response.failed")


@dataclass(frozen=True)
class Reply:
    """What a client saw: token ids and their probabilities, how it ended, and after how long."""

    ids: tuple[int, ...]
    odds: tuple[float, ...]
    said: str
    seconds: float
    resumed: int = 0

    @property
    def finished(self) -> bool:
        return self.said.startswith("finished")


async def ask(server: Server, prompt: str, max_tokens: int) -> Reply:
    body = {
        "model": "smol",
        "messages": [{"role": "user", "content": prompt}],
        "stream": True,
        "temperature": 0,
        "max_tokens": max_tokens,
        "profile": PROFILE["id"],
        "strength": 0.5,
        "costeer": {"detail": True},
    }
    ids, odds, said, resumed = [], [], "ended without a word", 0
    start = time.monotonic()
    async with (
        httpx.AsyncClient(timeout=600) as client,
        client.stream("POST", f"{server.base_url}/chat/completions", json=body) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            error = json.loads(await answer.aread())["error"]
            return Reply((), (), f"HTTP {answer.status_code} {told(error)}", time.monotonic() - start)
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                said = f"error event {told(event['error'])}"
                break
            (choice,) = event["choices"]
            for token in choice.get("costeer", {}).get("tokens", []):
                ids.append(token["chosen_id"])
                odds.append(token["steered_prob"])
            resumed = event.get("costeer", {}).get("resumed", resumed)
            if choice["finish_reason"]:
                said = f"finished ({choice['finish_reason']})"
    return Reply(tuple(ids), tuple(odds), said, time.monotonic() - start, resumed)


async def ask_responses(server: Server, prompt: str, max_tokens: int) -> Reply:
    """The same of /v1/responses. Events that do not fit together are what it then `said`."""
    body = {
        "model": "smol",
        "input": prompt,
        "stream": True,
        "temperature": 0,
        "max_output_tokens": max_tokens,
        "profile": PROFILE["id"],
        "strength": 0.5,
        "costeer": {"detail": True},
    }
    start = time.monotonic()
    async with (
        httpx.AsyncClient(timeout=600) as client,
        client.stream("POST", f"{server.base_url}/responses", json=body) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            error = json.loads(await answer.aread())["error"]
            return Reply((), (), f"HTTP {answer.status_code} {told(error)}", time.monotonic() - start)
        lines = [line async for line in answer.aiter_lines()]
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    tokens = [token for event in events for token in event.get("costeer", {}).get("tokens", [])]
    end: dict[str, Any] = {"status": "unended"}
    if events and "response" in events[-1]:
        end = events[-1]["response"]
    said = broken(events) or f"finished ({end['status']})"
    if end["status"] == "failed":
        said = broken(events) or f"error event {told(end['error'])}"
    # The end-of-sequence token has no text, so no event but the last has it.
    whole = [token for item in end.get("output", ()) for part in item["content"] for token in parted(part)]
    tokens += whole[len(tokens) :]
    return Reply(
        tuple(token["chosen_id"] for token in tokens),
        tuple(token["steered_prob"] for token in tokens),
        said,
        time.monotonic() - start,
        end.get("costeer", {}).get("resumed", 0),
    )


def parted(part: dict[str, Any]) -> list[dict[str, Any]]:
    tokens: list[dict[str, Any]] = part.get("costeer", {}).get("tokens", [])
    return tokens


def broken(events: list[dict[str, Any]]) -> str:
    """What is wrong with a stream's events, if anything is: all of them have to be there, in order, once."""
    kinds = [event["type"] for event in events]
    if [event["sequence_number"] for event in events] != list(range(len(events))):
        return "events out of order"
    if kinds[:2] != ["response.created", "response.in_progress"] or len(set(kinds[:2]) & set(kinds[2:])):
        return f"it begins with {kinds[:2]}"
    if sum(kind in ENDS for kind in kinds) != 1 or kinds[-1] not in ENDS:
        return f"it ends with {kinds[-2:]}"
    failed = kinds[-1] == "response.failed"
    if failed and kinds[-2] != "error":
        return "a failure without an error event"
    pieces = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    items = events[-1]["response"]["output"]
    text = "".join(part["text"] for item in items for part in item["content"])
    if pieces != text:
        return f"the pieces are {pieces!r}, at the end it is {text!r}"
    done = [event["text"] for event in events if event["type"] == "response.output_text.done"]
    if not failed and done != [text]:
        return f"done with {done!r}, at the end it is {text!r}"
    return ""


def told(error: dict[str, str]) -> str:
    return f"{error['code']}: {error['message'][:90]}"


def compared(got: Reply, undisturbed: list[Reply]) -> tuple[int, int, str]:
    """Tokens lost, tokens doubled, and where it differs otherwise. What an error cuts off does not count."""
    whole = undisturbed[0]
    if any(got.ids == (one.ids if got.finished else one.ids[: len(got.ids)]) for one in undisturbed):
        return 0, 0, ""
    same = next((i for i, (a, b) in enumerate(zip(got.ids, whole.ids, strict=False)) if a != b), len(got.ids))
    rest = got.ids[same:]
    for count in range(1, len(whole.ids)):
        lost, doubled = whole.ids[same + count :], whole.ids[max(same - count, 0) :]
        if matches(rest, lost):
            return count, 0, ""
        if count <= same and matches(rest, doubled):
            return 0, count, ""
    if same == len(got.ids):
        return len(whole.ids) - same, 0, ""
    return 0, 0, f"differs from token {same} (p {whole.odds[same]:.4f} undisturbed, {got.odds[same]:.4f} now)"


def matches(some: tuple[int, ...], others: tuple[int, ...]) -> bool:
    length = min(len(some), len(others))
    return length >= 3 and some[:length] == others[:length]
