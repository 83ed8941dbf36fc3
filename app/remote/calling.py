"""A reply with tool calls that a model in this process writes: how it begins, and what its tokens say."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from app.errors import InvalidRequest
from app.remote.hermes import CLOSE, OPEN, Call, CallScanner, first_value
from app.remote.interface import CallPiece, DraftToken, Handover, Said
from app.remote.prompt import ASKED, CALL, CALLED, PROBE
from app.steering.sampling import SamplingParams
from app.tokenization.detokenizer import Detokenizer
from app.tokenization.stop_strings import StopScanner
from app.tokenization.tokenizer import Tokenizer

SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
)


def writes_calls(tokenizer: Tokenizer) -> bool:
    """Whether the chat template writes a call as the JSON of its name and arguments, between markers."""
    try:
        text = tokenizer.render((ASKED, CALLED), tools=[PROBE], opens=False)
        bodies = re.findall(f"{OPEN}(.*?){CLOSE}", text, re.DOTALL)
        return bool(json.loads(bodies[-1]) == {"name": CALL.name, "arguments": json.loads(CALL.arguments)})
    except (InvalidRequest, IndexError, ValueError):
        return False


def sampling_of(asked: Mapping[str, Any]) -> SamplingParams:
    """The client's fields as they are sampled by; OpenAI's defaults where they are left out."""
    given = {name: asked[name] for name in SAMPLING if asked.get(name) is not None}
    given["top_k"] = max(0, given.get("top_k", 0))  # vLLM writes -1 for all
    bias = asked.get("logit_bias") or {}
    return SamplingParams(**given, logit_bias={int(token): value for token, value in bias.items()})


def only_function(handover: Handover) -> str | None:
    """The one function that has to be called; None where the model may choose."""
    if not isinstance(handover.choice, str):
        return str(handover.choice["function"]["name"])
    if handover.choice == "required" and len(handover.tools) == 1:
        return str(handover.tools[0]["function"]["name"])
    return None


def beginning(handover: Handover) -> str:
    """What the model has to begin with, so that it calls; empty where it may choose."""
    apart = "\n" if handover.begun and not handover.begun.endswith("\n") else ""
    if (name := only_function(handover)) is not None:
        return f'{apart}{OPEN}\n{{"name": {json.dumps(name)}, "arguments":'
    return f'{apart}{OPEN}\n{{"name": "' if handover.choice == "required" else ""


class Writer:
    """Takes the tokens of one reply, and says what they say."""

    def __init__(self, handover: Handover, tokenizer: Tokenizer) -> None:
        self.tokens = 0
        self.done: str | None = None  # the finish_reason, once the reply is over before its last token
        self._asked = handover.asked
        self._once = handover.parallel is False
        self._named = not isinstance(handover.choice, str)
        self._only = only_function(handover)
        self._tokenizer = tokenizer
        self._text = Detokenizer(tokenizer)
        stop = handover.asked.get("stop") or ()
        self._stops = StopScanner((stop,) if isinstance(stop, str) else stop)
        names = () if handover.begun else [tool["function"]["name"] for tool in handover.tools]
        self._scanner = CallScanner(names)
        if self._only is None:
            self._scanner.push(beginning(handover).lstrip())
        self._arguments = ""
        self._calls = 0

    def take(self, drafted: DraftToken) -> Iterator[Said]:
        """What is known with one more token."""
        self.tokens += 1
        if self._asked.get("logprobs") and not drafted.ends:
            yield Said(logprobs={"content": [self._logprobs(drafted)]})
        if drafted.ends:
            self.done = "stop"
            return
        name = self._tokenizer.special_name(drafted.token_id)
        # Some vocabularies have the markers as special tokens, which decode to nothing.
        text = self._text.flush() + name if name in (OPEN, CLOSE) else self._text.push(drafted.token_id)
        yield from self._heard(self._stops.push(text))
        if self._stops.stopped:
            self.done = "stop"

    def end(self) -> Iterator[Said]:
        """The rest, and the finish_reason; it is the limit that ended a reply which is not `done`."""
        reason = self.done or "length"
        if not (self._over() or self._stops.stopped):
            yield from self._heard(self._stops.push(self._text.flush()) + self._stops.flush())
        if self._only is not None:
            yield from self._unfinished(reason)
        else:
            yield from self._pieces(self._scanner.flush())
        if self._calls and reason == "stop" and not self._named:
            reason = "tool_calls"
        yield Said(finish_reason=reason, tokens=self.tokens)

    def _over(self) -> bool:
        """Whether there is to be no more than what came."""
        return self._calls > 0 and (self._once or self._only is not None)

    def _heard(self, text: str) -> Iterator[Said]:
        if self._only is None:
            yield from self._pieces(self._scanner.push(text))
            return
        self._arguments += text
        if not self._calls and (value := first_value(self._arguments)) is not None:
            yield from self._pieces([Call(self._only, value)])

    def _unfinished(self, reason: str) -> Iterator[Said]:
        """Arguments that are no object yet: a call that the limit cut, or else text."""
        if self._calls or not self._arguments.strip():
            return
        if reason == "length":
            assert self._only is not None  # noqa: S101  # arguments are gathered for one function only
            yield from self._pieces([Call(self._only, self._arguments.lstrip())])
        else:
            yield Said(text=self._arguments)

    def _pieces(self, found: list[str | Call]) -> Iterator[Said]:
        for one in found:
            if self._over():
                return
            if isinstance(one, str):
                yield Said(text=one)
                continue
            piece = CallPiece(self._calls, f"call_{secrets.token_hex(12)}", one.name, one.arguments)
            self._calls += 1
            if self._over():
                self.done = "stop"
            yield Said(calls=(piece,))

    def _logprobs(self, drafted: DraftToken) -> dict[str, Any]:
        """Of one token, as OpenAI has them."""
        pairs = list(zip(drafted.candidates.tolist(), drafted.logprobs.tolist(), strict=True))
        top = sorted(pairs, key=lambda pair: -pair[1])[: self._asked.get("top_logprobs") or 0]
        return {**self._one(*pairs[0]), "top_logprobs": [self._one(*pair) for pair in top]}

    def _one(self, token_id: int, logprob: float) -> dict[str, Any]:
        data = self._tokenizer.token_bytes(token_id)
        spelled = list(data) if data is not None else None
        return {"token": self._tokenizer.token_text(token_id), "logprob": logprob, "bytes": spelled}
