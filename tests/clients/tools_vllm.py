"""Tools before a real vLLM: its calls are those that it makes alone, and its texts are steered.

tools_vllm.py MODEL_FOLDER [--every N]: MODEL_FOLDER is what `costeer models pull qwen2.5-coder-0.5b-instruct`
names. That model was hardly taught the token <tool_call>; in a copy whose tokenizer has no such token it
spells the word, and calls well.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from servers import ROOT, TOOLS_BUNDLE, Server, costeer

MODEL = "smol"
PROFILES = ("isabel", "ingrid", "walter")
TOKENS = 120  # of a call
TEXT_TOKENS = 24
TIMED = 12  # requests of each kind
MARKERS = ("<tool_call>", "</tool_call>")


def function(name: str, description: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


TOOLS = [
    function("get_weather", "Get the current weather in a city.", city="string"),
    function("set_timer", "Set a timer that rings after some minutes.", minutes="number", label="string"),
    function("send_email", "Send an e-mail.", to="string", subject="string", body="string"),
    function("search_recipes", "Search a collection of recipes.", query="string"),
]
CALLS = (
    "What is the weather in Paris right now?",
    "Is it raining in Lisbon?",
    "How warm is it in Cairo today?",
    "What is the weather in Bergen?",
    "Tell me the weather in New York.",
    "Set a timer for 12 minutes for the eggs.",
    "Set a timer of 45 minutes for the bread.",
    "Remind me of the tea in 4 minutes.",
    "Start a timer for 20 minutes for my nap.",
    "Send an e-mail to bo@example.com with the subject Dinner and the text See you at eight.",
    "Mail ann@example.com, subject Thanks, text: Thank you for the flowers.",
    "Write an e-mail to tim@example.com with the subject Late and the text I come at nine.",
    "Search the recipes for an apple cake.",
    "Find a recipe with lentils.",
    "Look for a recipe of potato soup.",
)
SEVERAL = (
    "What is the weather in Paris and in Rome?",
    "Set a timer of 5 minutes for tea and one of 10 minutes for eggs.",
    "What is the weather in Oslo and in Madrid?",
)
AFTER_TEXT = ("What is the weather in Madrid?", "Set a timer for 7 minutes for the pasta.")
TEXTS = (
    "Why is bread baked in a hot oven?",
    "Write two sentences to a friend who is ill.",
    "What do you think of early mornings?",
    "Why is the sky blue?",
    "How do I begin to learn the piano?",
    "Explain what a rainbow is.",
    "Write a short poem about autumn.",
    "What makes a good neighbour?",
    "Give me a tip for a long train journey.",
    "Why do leaves fall in autumn?",
    "Why do cats purr?",
    "What makes a good friend?",
    "What is the best time of the year, and why?",
    "What do bees do in winter?",
    "How does a clock work?",
    "Why is the sea salty?",
    "What is a proverb about patience?",
    "Why do people travel?",
    "How are mountains made?",
    "What would you cook for a guest?",
)


def call(number: int, name: str, arguments: Mapping[str, Any], content: str | None = None) -> list[Any]:
    made = {"name": name, "arguments": json.dumps(arguments)}
    return [
        {
            "role": "assistant",
            "content": content,
            "tool_calls": [{"id": f"call_{number}", "type": "function", "function": made}],
        },
        {
            "role": "tool",
            "tool_call_id": f"call_{number}",
            "content": "Rain, 9 degrees" if number == 1 else "ok",
        },
    ]


# So that it says something before it calls.
SAYS_FIRST = [
    {"role": "user", "content": "What is the weather in Oslo?"},
    *call(1, "get_weather", {"city": "Oslo"}, "Gladly. I look that up for you now."),
    {"role": "assistant", "content": "It rains in Oslo, at 9 degrees."},
    {"role": "user", "content": "Remind me of the rice in 8 minutes."},
    *call(2, "set_timer", {"minutes": 8, "label": "rice"}, "Gladly. I do that for you now."),
    {"role": "assistant", "content": "The timer is set."},
]
REQUESTS: list[tuple[str, list[Any]]] = [
    *(("a call", [{"role": "user", "content": text}]) for text in CALLS),
    *(("two calls", [{"role": "user", "content": text}]) for text in SEVERAL),
    *(("text before a call", [*SAYS_FIRST, {"role": "user", "content": text}]) for text in AFTER_TEXT),
    *(("text", [{"role": "user", "content": text}]) for text in TEXTS),
]


@dataclass(frozen=True)
class Said:
    """A reply: its text, the names and arguments of its calls, how it ended, and whether it was steered."""

    text: str
    calls: tuple[tuple[str, str], ...]
    finish: str | None
    steered: str
    first: float | None  # seconds to the first piece of text or of a call


@dataclass
class Row:
    kind: str
    requests: int = 0
    called: int = 0
    same: int = 0
    steered: int = 0
    different: int = 0
    notes: list[str] = field(default_factory=list)


def ask(
    server: Server, messages: list[Any], *, tools: bool = True, stream: bool = True, **fields: Any
) -> Said:
    body = {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": TOKENS, "stream": stream}
    body.update({"tools": TOOLS} if tools else {}, **fields)
    start = time.monotonic()
    if not stream:
        answer = httpx.post(f"{server.base_url}/chat/completions", json=body, timeout=600).raise_for_status()
        (choice,) = answer.json()["choices"]
        calls = choice["message"].get("tool_calls") or []
        return Said(
            choice["message"]["content"] or "",
            tuple((one["function"]["name"], one["function"]["arguments"]) for one in calls),
            choice["finish_reason"],
            answer.headers.get("X-CoSteer-Steered", ""),
            time.monotonic() - start,
        )
    with httpx.stream("POST", f"{server.base_url}/chat/completions", json=body, timeout=600) as answer:
        if answer.is_error:
            raise AssertionError(answer.read().decode()[:300])
        return put_together(answer, start)


def put_together(answer: httpx.Response, start: float) -> Said:
    """Pieces of text, and pieces of calls by their index: the first of a call has its id and name."""
    text, calls, finish, first = "", {}, None, None
    for line in answer.iter_lines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        if "error" in event:
            raise AssertionError(event["error"])
        for choice in event["choices"]:
            delta = choice["delta"]
            if first is None and (delta.get("content") or delta.get("tool_calls")):
                first = time.monotonic() - start
            text += delta.get("content") or ""
            for piece in delta.get("tool_calls") or []:
                if piece["index"] not in calls:
                    calls[piece["index"]] = [piece["function"]["name"], ""]
                    assert piece["id"] and piece["index"] == len(calls) - 1, piece
                calls[piece["index"]][1] += piece["function"].get("arguments") or ""
            finish = choice["finish_reason"] or finish
    steered = answer.headers.get("X-CoSteer-Steered", "")
    return Said(text, tuple((n, a) for n, a in calls.values()), finish, steered, first)


def text(proxy: Server, messages: list[Any], row: Row) -> None:
    """Counts it as steered if it is for each profile, and as different if it is another for each."""
    said = [
        ask(proxy, messages, profile=profile, max_tokens=TEXT_TOKENS, strength=1.0) for profile in PROFILES
    ]
    row.requests += 1
    row.called += any(one.calls for one in said)
    row.steered += all(one.steered == "true" and bool(one.text) for one in said)
    row.different += len({one.text for one in said}) == len(PROFILES)


def calls(vllm: Server, proxy: Server, messages: list[Any], row: Row) -> None:
    """Every other one whole, in turn for each profile."""
    profile, stream = PROFILES[row.requests % len(PROFILES)], bool(row.requests % 2)
    alone = ask(vllm, messages, stream=stream)
    got = ask(proxy, messages, profile=profile, stream=stream)
    expected = alone
    if got.text != alone.text:
        # Its text was steered, so what follows is what the remote alone has behind that text.
        begun = [*messages, {"role": "assistant", "content": got.text}]
        open_end = {"continue_final_message": True, "add_generation_prompt": False}
        expected = ask(vllm, begun, stream=stream, **open_end)
        row.different += 1
    row.requests += 1
    row.called += bool(got.calls)
    row.steered += got.steered == "true"
    row.same += (got.calls, got.finish) == (expected.calls, expected.finish)
    if got.calls != alone.calls:
        row.notes.append(f"{messages[-1]['content']!r}: alone {alone}, behind {expected}, here {got}")


def first_tokens(vllm: Server, proxy: Server) -> Iterator[str]:
    """Medians in milliseconds, each question asked in every way, in turn."""
    ways: dict[str, tuple[Server, dict[str, Any]]] = {
        "vLLM alone, with tools": (vllm, {}),
        "passed on, with tools": (proxy, {"steering": "off"}),
        "steered, without tools": (proxy, {"tools": False, "profile": "isabel"}),
        "steered, with tools": (proxy, {"profile": "isabel"}),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number, question in enumerate(TEXTS[: TIMED + 1]):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            server, fields = ways[name]
            said = ask(server, [{"role": "user", "content": question}], max_tokens=8, **fields)
            if number and said.first is not None:  # the first loads what is loaded lazily
                taken[name].append(1000 * said.first)
    for name, times in taken.items():
        middle, least, most = statistics.median(times), min(times), max(times)
        yield f"| {name} | {len(times)} | {middle:.0f} | {least:.0f} to {most:.0f} |"


def table(rows: Mapping[str, Row]) -> Iterator[str]:
    yield "| asked for | requests | answered by calls | calls as vLLM alone | steered | changed by steering |"
    yield "|---|---|---|---|---|---|"
    for row in rows.values():
        same = "" if row.kind == "text" else row.same
        yield f"| {row.kind} | {row.requests} | {row.called} | {same} | {row.steered} | {row.different} |"


@contextmanager
def spelling(folder: Path) -> Iterator[str]:
    """A copy of the model whose tokenizer has no tokens of its own for a call's marks."""
    with TemporaryDirectory() as copy:
        for path in folder.iterdir():
            if path.name == "tokenizer.json":
                tokenizer = json.loads(path.read_text())
                tokenizer["added_tokens"] = [
                    one for one in tokenizer["added_tokens"] if one["content"] not in MARKERS
                ]
                for mark in MARKERS:
                    tokenizer["model"]["vocab"].pop(mark, None)
                Path(copy, path.name).write_text(json.dumps(tokenizer))
            else:
                Path(copy, path.name).symlink_to(path.resolve())
        yield copy


@contextmanager
def real(folder: str) -> Iterator[Server]:
    sys.path.append(str(ROOT / "tests"))
    from e2e.vllm_server import TOOLS as OPTIONS
    from e2e.vllm_server import serve_vllm

    with serve_vllm(folder, *OPTIONS) as server:
        yield Server(server.port, server.pid)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="MODEL_FOLDER", type=Path)
    parser.add_argument("--every", type=int, help="ask one in so many of the requests")
    options = parser.parse_args()
    # So that servers are stopped when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = {kind: Row(kind) for kind, _ in REQUESTS}
    settings = {"COSTEER_LOCAL_MODEL": TOOLS_BUNDLE}
    with spelling(options.folder) as folder, real(folder) as vllm, costeer(vllm, settings) as proxy:
        for profile in PROFILES:
            sample = tomllib.loads((ROOT / f"profiles/{profile}.toml").read_text())
            proxy.post("/v1/profiles/import", sample)
        for kind, messages in REQUESTS[:: options.every]:
            if kind == "text":
                text(proxy, messages, rows[kind])
            else:
                calls(vllm, proxy, messages, rows[kind])
            print(f"{sum(row.requests for row in rows.values())}: {kind}", flush=True)
        print("\n".join(table(rows)))
        print("\n".join(note for row in rows.values() for note in row.notes))
        print("| first token, ms | times | median | from, to |\n|---|---|---|---|")
        print("\n".join(first_tokens(vllm, proxy)))
    texts = rows.pop("text")
    right = all(row.same == row.requests for row in rows.values()) and texts.steered == texts.requests
    return int(not right)


if __name__ == "__main__":
    sys.exit(main())
