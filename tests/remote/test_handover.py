"""A vLLM that takes a reply over: what it is asked for, and what it says, by recordings of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import httpx
import orjson
import pytest
import respx
from fakes import message_of

from app.errors import CoSteerError, RemoteError, RemoteRejected, RemoteTimeout
from app.prompts.message import Message
from app.prompts.private import PrivateMessage
from app.remote.handover import without_blanks
from app.remote.interface import CallPiece, Handover, Said
from app.remote.vllm import VLLMRemote
from remote.loopback import Connection, loopback
from remote.recordings import BASE, as_sse, events, recording, remote_answering, sent, stream

BODY = recording("calls")["request"]["body"]
BEGUN = "Let me look both up.\n"
CITIES = ['{"city": "Bern"}', '{"city": "Paris"}']


def messages() -> tuple[Message, ...]:
    """The recorded conversation."""
    return tuple(message_of(one) for one in BODY["messages"])


HANDOVER = Handover(messages(), tuple(BODY["tools"]), max_tokens=90, asked={"temperature": 0})


async def all_said(remote: VLLMRemote, handover: Handover = HANDOVER) -> list[Said]:
    async with aclosing(remote.take_over(handover)) as spoken:
        return [piece async for piece in spoken]


def text(spoken: Sequence[Said]) -> str:
    return "".join(piece.text for piece in spoken)


def calls(spoken: Sequence[Said]) -> list[list[str]]:
    """Name and arguments of each call; each has an id of its own."""
    together: dict[int, list[str]] = {}
    ids = set()
    for call in (call for piece in spoken for call in piece.calls):
        if call.id is not None:
            ids.add(call.id)
            together[call.index] = [call.name or "", ""]
        together[call.index][1] += call.arguments
    assert len(ids) == len(together)
    return list(together.values())


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("begun", ["", BEGUN])
async def test_the_calls_are_those_that_the_remote_makes(
    router: respx.Router, remote: VLLMRemote, streamed: bool, begun: str
) -> None:
    name = "calls_begun" if begun else "calls"
    content = {"content": stream(name)} if streamed else {"json": recording(name)["response"]}
    route = router.post(f"{BASE}/chat/completions").respond(200, **content)
    spoken = await all_said(remote, replace(HANDOVER, begun=begun, stream=streamed))
    assert text(spoken) == ("" if begun else BEGUN)
    assert calls(spoken) == [["get_weather", city] for city in CITIES]
    assert (spoken[-1].finish_reason, spoken[-1].tokens) == ("tool_calls", 49 if begun else 55)
    assert all(piece.finish_reason is None for piece in spoken[:-1])
    assert len(spoken) == 1 if not streamed else len(spoken) > 10
    options = {"stream_options": {"include_usage": True}} if streamed else {}
    assert sent(route) == {**recording(name)["request"]["body"], "stream": streamed, **options}


async def test_a_client_s_own_fields_go_as_they_are_and_others_are_left_to_the_remote(
    router: respx.Router, remote: VLLMRemote
) -> None:
    route = router.post(f"{BASE}/chat/completions").respond(200, content=stream("calls"))
    named = {"type": "function", "function": {"name": "get_weather"}}
    asked = {"stop": ["x"], "logprobs": True, "top_logprobs": 3, "seed": None}
    await all_said(remote, replace(HANDOVER, asked=asked, choice=named, parallel=False, max_tokens=None))
    body = sent(route)
    given = {**asked, "tool_choice": named, "parallel_tool_calls": False}
    assert {name: body[name] for name in given} == given
    assert not {"max_tokens", "temperature", "continue_final_message"} & body.keys()


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, **fields}]}


async def test_log_probabilities_come_with_their_text() -> None:
    logprobs = {"content": [{"token": "No", "logprob": -0.5, "bytes": [78, 111], "top_logprobs": []}]}
    said = as_sse([chunk({"content": "No"}, logprobs=logprobs), chunk({}, "stop")])
    async with aclosing(remote_answering(said)) as remote:
        assert await all_said(remote) == [Said("No", logprobs=logprobs), Said(finish_reason="stop")]


async def test_however_the_bytes_arrive_the_pieces_are_the_same() -> None:
    recorded = stream("calls")
    async with aclosing(remote_answering(recorded)) as remote:
        whole = await all_said(remote)
    cut = [recorded[start : start + 7] for start in range(0, len(recorded), 7)]
    async with aclosing(remote_answering(*cut)) as remote:
        assert await all_said(remote) == whole


@pytest.mark.parametrize("cut", range(1, len(events(stream("calls"))) - 2))
async def test_a_stream_that_ends_too_early_is_an_error_after_all_that_came(cut: int) -> None:
    async with aclosing(remote_answering(as_sse(events(stream("calls"))[:cut]))) as remote:
        spoken = []
        with pytest.raises(RemoteError, match="ended before"):
            async with aclosing(remote.take_over(HANDOVER)) as pieces:
                async for piece in pieces:
                    spoken.append(piece)  # noqa: PERF401  # kept when the iteration fails
    assert BEGUN.startswith(text(spoken))


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (as_sse([chunk({"content": "a"}), {"error": {"message": "gone", "code": 500}}]), RemoteError),
        (as_sse([{"error": {"message": "bad", "code": 400}}]), RemoteRejected),
        (as_sse([chunk({"content": "a"}), {"error": {"message": "gone", "code": 400}}]), RemoteError),
        (as_sse([chunk({"content": "a"}), chunk({}, "abort")]), RemoteError),
        (as_sse([chunk({}, "error")]), RemoteError),
        (b"data: {\n\n", RemoteError),
        (b'data: {"choices": [{}]}\n\n', RemoteError),
    ],
)
async def test_an_error_in_the_stream_is_raised(broken: bytes, kind: type[CoSteerError]) -> None:
    async with aclosing(remote_answering(broken)) as remote:
        with pytest.raises(kind) as caught:
            await all_said(remote)
    assert type(caught.value) is kind


async def test_a_whole_answer_that_was_given_up_is_an_error() -> None:
    answer = orjson.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "abort"}]})
    async with aclosing(remote_answering(answer)) as remote:
        with pytest.raises(RemoteError, match="gave the reply up"):
            await all_said(remote, replace(HANDOVER, stream=False))


@pytest.mark.parametrize("usage", [True, False])
async def test_a_reply_that_is_finished_stands_though_its_stream_is_cut_behind_it(usage: bool) -> None:
    recorded = events(stream("calls"))
    whole = [one for one in recorded if one["choices"]]

    async def serve(connection: Connection) -> None:
        connection.start()
        connection.chunk(as_sse(recorded if usage else whole, done=False))
        raise ConnectionError

    async with loopback(serve) as server, aclosing(VLLMRemote(server.base_url)) as remote:
        spoken = await all_said(remote)
    assert calls(spoken) == [["get_weather", city] for city in CITIES]
    assert spoken[-1].finish_reason == "tool_calls"
    assert spoken[-1].tokens == 55 if usage else 0 < spoken[-1].tokens <= 55


async def test_what_the_remote_refuses_is_raised(router: respx.Router, remote: VLLMRemote) -> None:
    refused = {"error": {"message": "no such tool", "type": "BadRequestError", "param": "tools", "code": 400}}
    router.post(f"{BASE}/chat/completions").respond(400, json=refused)
    with pytest.raises(RemoteRejected, match="no such tool") as caught:
        await all_said(remote)
    assert (caught.value.status, caught.value.param) == (400, "tools")


async def test_a_remote_that_falls_silent_is_given_up() -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield as_sse([chunk({"content": "a"})], done=False)
        await anyio.sleep_forever()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json=recording("models")["response"])
        return httpx.Response(200, content=silent())

    remote = VLLMRemote(BASE, transport=httpx.MockTransport(answer), token_timeout=0.05)
    async with aclosing(remote):
        with pytest.raises(RemoteTimeout, match="COSTEER_REMOTE_TOKEN_TIMEOUT"):
            await all_said(remote)


PRIVATE = PrivateMessage("system", "The user is Isabel.")


@pytest.mark.parametrize(
    "private",
    [
        PRIVATE,
        replace(HANDOVER, messages=(PRIVATE,)),  # type: ignore[arg-type]
        replace(HANDOVER, tools=(PRIVATE,)),  # type: ignore[arg-type]
        replace(HANDOVER, tools=({"function": {"name": PRIVATE}},)),
        replace(HANDOVER, asked={"user": PRIVATE}),
    ],
)
async def test_what_is_private_is_refused_before_anything_is_sent(
    router: respx.Router, remote: VLLMRemote, private: Any
) -> None:
    with pytest.raises(TypeError, match="only"):
        await all_said(remote, private)
    assert all(call.request.url.path == "/v1/models" for call in router.calls)


async def test_tools_and_calls_are_tokenized_as_openai_has_them(
    router: respx.Router, remote: VLLMRemote
) -> None:
    recorded = recording("tokenize_tools")
    route = router.post("http://vllm.test:8001/tokenize").respond(200, json=recorded["response"])
    assert await remote.tokenize(messages(), tools=HANDOVER.tools) == recorded["response"]["tokens"]
    assert sent(route) == recorded["request"]["body"]
    await remote.tokenize(messages(), opens=False)
    assert (sent(route)["add_generation_prompt"], "tools" in sent(route)) == (False, False)
    with pytest.raises(TypeError):
        await remote.tokenize(messages(), tools=(PRIVATE,))  # type: ignore[arg-type]


CALL = (CallPiece(0, "a", "f"),)


@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        ([Said("\n"), Said("\n", CALL), Said("b")], [Said("", CALL), Said("b")]),
        ([Said("\n"), Said("a"), Said("\n", CALL)], [Said("\na"), Said("\n", CALL)]),
        ([Said(" "), Said("a", CALL)], [Said(" a", CALL)]),
        ([Said(" "), Said(finish_reason="stop")], [Said(" ", finish_reason="stop")]),
        ([Said("", CALL), Said("\n")], [Said("", CALL), Said("\n")]),
    ],
)
async def test_white_space_alone_in_front_of_the_first_call_is_dropped(
    spoken: list[Said], expected: list[Said]
) -> None:
    async def coming() -> AsyncIterator[Said]:
        for piece in spoken:
            yield piece

    assert [piece async for piece in without_blanks(coming())] == expected
