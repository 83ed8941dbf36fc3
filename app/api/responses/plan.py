"""What becomes of a request for a response: it is passed on to the remote, or a reply is written here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.api.auth import Caller, choose_profile, find_model
from app.api.body import validated
from app.api.dependencies import Parts
from app.api.reading import context_of
from app.api.response_format import left_by_its_format
from app.api.responses import kept
from app.api.responses.items import distinct, is_ours, messages_of, new_id, normal, read
from app.api.responses.response import Keep, ResponseOptions
from app.api.responses.steerable import TEXT_FORMAT, honoured, unsteerable
from app.api.responses.stored import Stored
from app.api.schemas.response_items import Item, ReferenceItem, kind_of
from app.api.schemas.responses import ResponseRequest
from app.api.schemas.steerable import WRITTEN_HERE
from app.api.store_writes import write
from app.api.tool_use import left_to_the_remote, seeded
from app.decoding.generator import GenerationRequest
from app.errors import InvalidRequest, StoreError
from app.profiles.profile import Profile
from app.remote.sent import Sent, note

log = logging.getLogger(__name__)

PREVIOUS = "previous_response_id"
# What OpenAI has and nobody here does, with what to send in its place.
REFUSED = {
    "background": "responses are written while the client waits. Leave it out, and send stream: true",
    "conversation": f"send {PREVIOUS}, or the conversation itself as input",
    "prompt": "send its text as instructions and input",
}
INPUT = "input"


@dataclass(frozen=True, repr=False)
class Passthrough:
    """`reason` says why the request cannot be steered; `asked` is the request, with what lies here put in."""

    reason: str
    asked: dict[str, Any]


@dataclass(frozen=True, repr=False)
class Generation:
    """A response to write: the validated request, what to generate, the whole conversation that it answers
    as it is kept, the model's name in the answer, and earlier replies as the remote has them, by their texts.
    `sent` notes what is sent for it, if the client asks for that."""

    body: ResponseRequest
    request: GenerationRequest
    conversation: list[dict[str, Any]]
    model: str
    told: dict[str, str] = field(default_factory=dict)
    sent: Sent | None = None

    def options(self, started: float, *, cached: bool) -> ResponseOptions:
        """What the client wants told; see ResponseOptions."""
        body = self.body
        return ResponseOptions(
            head=_head(body, self.model),
            started=started,
            top_logprobs=body.logprobs,
            detail=body.own().detail,
            candidates=body.own().candidates,
            cached=cached,
            sent=self.sent,
        )

    def keeper(self, parts: Parts) -> Keep:
        """A function that keeps the response, unless the client wants it forgotten."""
        profile = self.request.profile
        owner = (profile.id, profile.uid) if profile is not None else ("", "")

        def keep(response: dict[str, Any]) -> None:
            told = self.told | _told(parts, profile, response)
            parts.responses.keep(Stored(response, self.conversation, *owner, told))

        async def keep_if_wanted(response: dict[str, Any]) -> bool:
            if self.body.store is not False:
                try:
                    await write(keep, response)
                except StoreError as error:  # it is finished, and must not fail because of it
                    log.warning("a response is not kept: %s", error.reason)
                    return False
            return True

        return keep_if_wanted


async def plan_response(
    asked: Any, parts: Parts, caller: Caller, profile_header: str | None
) -> Passthrough | Generation:
    """`asked` is the parsed body.

    Raises InvalidRequest, ModelNotFound, ProfileNotFound, ResponseNotFound, Forbidden, StoreError, and what
    the remote raises.
    """
    if not isinstance(asked, dict):
        raise InvalidRequest("The body must be a JSON object.")
    for name, instead in REFUSED.items():
        if asked.get(name):
            raise InvalidRequest(f"{name} is not supported here: {instead}.", param=name)
    reason = unsteerable(asked)
    # An embedded remote takes no request as it is, but writes its own text and calls as well.
    if reason is not None and (reason not in WRITTEN_HERE or parts.remote.passes_on):
        return await _passed_on(asked, reason, parts, caller, profile_header)
    body = validated(ResponseRequest, honoured(asked))
    sent = note(wanted=body.own().sent)
    model, alias = await find_model(parts, body.model)
    if model != (await parts.remote.card()).id:
        return await _passed_on(asked, "another model", parts, caller, profile_header)
    profile = await choose_profile(parts.store, caller, profile_header, body.profile, alias)
    found = _Found(parts, caller, profile)
    before = await found.before(body.previous_response_id)
    items = await found.resolved(body.items())
    if before is None or items is None:  # they lie with the remote, or nowhere
        reason = PREVIOUS if before is None else f"{INPUT} of type item_reference"
        return await _passed_on(asked, reason, parts, caller, profile_header)
    conversation = distinct([*before, *normal(items)])
    messages = messages_of([*map(read, before), *items], body.instructions)
    if not messages:
        raise InvalidRequest("input has nothing to answer: add a message.", param=INPUT)
    context = await context_of(parts, body, profile, messages)
    held_to = body.held_to()
    if held_to is not None:
        left = await left_by_its_format(parts, context, held_to, TEXT_FORMAT)
        if left is not None:
            return await _passed_on(asked, left, parts, caller, profile_header)
    tools, sampling = body.tool_use(), body.sampling()
    if tools is not None:
        if (left := await left_to_the_remote(parts, context, tools)) is not None:
            return await _passed_on(asked, left, parts, caller, profile_header)
        sampling = seeded(sampling)
    request = GenerationRequest(
        model=model,
        messages=messages,
        sampling=sampling,
        max_tokens=body.max_output_tokens,
        profile=profile,
        history=context.history,
        strength=context.strength,
        preferences=context.preferences,
        disclosure=context.disclosure,
        tools=tools,
        response_format=held_to,
    )
    named = f"{model}@{alias}" if alias else model
    return Generation(body, request, conversation, named, found.told, sent)


@dataclass(frozen=True, repr=False)
class _Found:
    """What lies here of a conversation, for a caller and a profile."""

    parts: Parts
    caller: Caller
    profile: Profile | None
    outputs: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # by response and item
    referred: set[str] = field(default_factory=set)  # ids of items
    told: dict[str, str] = field(default_factory=dict)  # replies as the remote has them, by their texts

    async def before(self, response_id: str | None) -> list[dict[str, Any]] | None:
        """The conversation up to a response, and its output; None where a remote may know the response."""
        if not response_id:
            return []
        stored = await kept.find(self.parts, self.caller, response_id, PREVIOUS)
        if stored is None:
            self._must_be_the_remote_s(response_id, PREVIOUS)
            return None
        kept.may_go_on(stored, self.profile, PREVIOUS)
        await asyncio.to_thread(self._recall, stored)
        return [*stored.conversation, *stored.response["output"]]

    async def resolved(self, items: list[Item]) -> list[Item] | None:
        """The items, with those that are referred to in their place; None where a remote may know one."""
        found: list[Item] = []
        for number, item in enumerate(items):
            if isinstance(item, ReferenceItem):
                referred = await self.output(item.id, f"{INPUT}[{number}]")
                if referred is None:
                    return None
                found.append(read(referred))
            else:
                found.append(item)
        return found

    async def output(self, item_id: str, param: str) -> dict[str, Any] | None:
        """The item of a response's output; None where a remote may know it. Raises InvalidRequest for one
        that is asked for again: a short list of references would come to a conversation of any length."""
        if item_id in self.referred:
            raise InvalidRequest(f"{param} refers to an item that is there already; remove it.", param=param)
        self.referred.add(item_id)
        response_id = await asyncio.to_thread(self.parts.responses.id_of, item_id)
        if response_id is None:
            if is_ours(item_id):
                raise kept.gone(item_id, param)
            self._must_be_the_remote_s(item_id, param)
            return None
        if response_id not in self.outputs:  # there may be thousands of references to one response
            stored = await kept.find(self.parts, self.caller, response_id, param)
            if stored is None:
                raise kept.gone(item_id, param)
            kept.may_go_on(stored, self.profile, param)
            await asyncio.to_thread(self._recall, stored)
            self.outputs[response_id] = {one["id"]: one for one in stored.response["output"]}
        return self.outputs[response_id][item_id]

    def _recall(self, stored: Stored) -> None:
        """Have replies turned back as they were told, though the profile has changed since, or they are
        forgotten elsewhere."""
        self.told.update(stored.told)
        if self.profile is not None:
            for text, told in stored.told.items():
                self.parts.generator.remember(self.profile, text, told)

    def _must_be_the_remote_s(self, given: str, param: str) -> None:
        if not self.parts.remote.passes_on:
            raise kept.gone(given, param)


async def _passed_on(
    asked: dict[str, Any], reason: str, parts: Parts, caller: Caller, profile_header: str | None
) -> Passthrough:
    """The request with what lies here put in: the remote knows neither the response nor the items."""
    previous, given = asked.get(PREVIOUS), asked.get(INPUT)
    items = given if isinstance(given, list) else []
    references = {
        number
        for number, one in enumerate(items)
        if kind_of(one) == "item_reference" and isinstance(one.get("id"), str)
    }
    if not (isinstance(previous, str) and previous) and not references:
        return Passthrough(reason, asked)
    model, profile = asked.get("model"), asked.get("profile")
    alias = (await find_model(parts, model))[1] if isinstance(model, str) else None
    named = profile if isinstance(profile, str) else None
    found = _Found(parts, caller, await choose_profile(parts.store, caller, profile_header, named, alias))
    before = await found.before(previous if isinstance(previous, str) else None)
    if not before and not references:
        return Passthrough(reason, asked)
    whole: list[Any] = [*(before or ())]
    if isinstance(given, str):
        whole.append({"type": "message", "role": "user", "content": given})
    for number, one in enumerate(items):
        referred = await found.output(one["id"], f"{INPUT}[{number}]") if number in references else None
        whole.append(referred if referred is not None else one)
    own = {name: value for name, value in asked.items() if name != PREVIOUS or before is None}
    return Passthrough(reason, {**own, INPUT: whole})


def _told(parts: Parts, profile: Profile | None, response: dict[str, Any]) -> dict[str, str]:
    """What a response says as the remote has it, by the text."""
    texts = [
        "".join(part["text"] for part in item["content"])
        for item in response["output"]
        if item["type"] == "message"
    ]
    known = {text: parts.generator.as_told(profile, text) for text in texts if profile is not None}
    return {text: told for text, told in known.items() if told is not None and told != text}


def _head(body: ResponseRequest, model: str) -> Mapping[str, Any]:
    """The fields that say what was asked for, as OpenAI says it: with its defaults."""

    def given(value: Any, default: Any) -> Any:
        return default if value is None else value

    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "background": False,
        "frequency_penalty": body.frequency_penalty or 0.0,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": body.max_tool_calls,
        "metadata": body.metadata or {},
        "model": model,
        "parallel_tool_calls": given(body.parallel_tool_calls, True),
        "presence_penalty": body.presence_penalty or 0.0,
        "previous_response_id": body.previous_response_id,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": body.safety_identifier,
        "service_tier": "default",
        "store": body.store is not False,
        "temperature": given(body.temperature, 1.0),
        "text": {"format": _format(body), "verbosity": "medium"},
        "tool_choice": given(body.tool_choice, "auto"),
        "tools": [_echoed(tool) for tool in body.tools or ()],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": given(body.top_p, 1.0),
        "truncation": "disabled",
        "user": body.user,
    }


def _format(body: ResponseRequest) -> dict[str, Any]:
    """The format of the text, with the keys that clients expect to be there."""
    wanted = body.text.format if body.text is not None else None
    if wanted is None:
        return {"type": "text"}
    return wanted.model_dump(by_alias=True)


def _echoed(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function with the keys that clients expect to be there."""
    return {"description": None, "parameters": None, "strict": None, **tool}
