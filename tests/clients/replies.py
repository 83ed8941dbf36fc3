"""A steered greedy reply as its client sees it, and what of it is lost or doubled."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import httpx
from servers import PROFILE, Server


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
