"""What is passed on to the remote: unchanged but for what stays here, and from known paths only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from conftest import Proxy
from fakes import FakeAnswer
from hypothesis import given
from hypothesis import strategies as st

from api.routes.test_chat import error_of
from app.api.forms import read_form
from app.api.middleware.body_limits import BODY, MIB
from app.api.public_request import dumped
from app.api.routes.passthrough import FAMILIES
from app.api.schemas.chat_fields import KNOWN, OWN
from app.errors import (
    InvalidRequest,
    RateLimited,
    RemoteError,
    RemoteRejected,
    RemoteTimeout,
    RemoteUnavailable,
    Unsupported,
)
from app.remote.embedded import EmbeddedRemote
from app.remote.interface import Forward, ModelCard

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
LABELLING = [
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "session_id",
]
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def sent(proxy: Proxy) -> Any:
    """The JSON that the remote was handed last."""
    return json.loads(proxy.remote.forwarded[-1].body)


# Chat


async def test_a_whole_answer_comes_back_as_the_remote_wrote_it(proxy: Proxy) -> None:
    body = b'{ "id": "x",\n "choices": [] }'
    proxy.remote.answer = FakeAnswer(body[:9], body[9:])
    response = await proxy.chat(reasoning_effort="high")
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(body))
    assert response.headers["x-costeer-steered"] == "false"
    assert response.headers["x-costeer-reason"] == "reasoning_effort"
    assert proxy.remote.answer.closed.is_set()


async def test_an_openai_error_of_the_remote_keeps_its_status_and_bytes(proxy: Proxy) -> None:
    body = b'{"error": {"message": "No.", "type": "t", "param": null, "code": null}}'
    headers = {"content-type": "application/json", "retry-after": "4"}
    proxy.remote.answer = FakeAnswer(body, status=409, headers=headers)
    response = await proxy.chat(tools=TOOLS)
    assert (response.status_code, response.content) == (409, body)
    assert response.headers["retry-after"] == "4"


async def test_nothing_but_what_stays_here_is_changed(proxy: Proxy) -> None:
    asked: dict[str, Any] = {
        "tools": TOOLS,
        "model": "fake-model@loud",
        "messages": [{"role": "user", "content": "Füße \u2028"}, {"role": "tool", "content": '{"user":1}'}],
        "seed": 2**63 + 5,
        "temperature": 0.1,
        "top_p": 1,
        "n": 1.0,
        "logit_bias": {"5": -1e-7},
        "vllm_xargs": {"z": None, "a": [True, {}]},
    }
    kept_here = {"profile": "loud", "strength": 1, "steering": None, "costeer": {}}
    labels = dict.fromkeys(LABELLING, "private label")
    labelled = {**asked, "messages": [{**message, **labels} for message in asked["messages"]]}
    response = await proxy.client.post(CHAT, json={**kept_here, **labelled, **labels})
    assert response.status_code == 200
    assert set(kept_here) == OWN
    assert sent(proxy) == {**asked, "model": "fake-model"}
    assert list(sent(proxy)) == list(asked), "in the same order"
    text = proxy.remote.forwarded[-1].body.decode()
    assert '"n":1.0' in text and '"top_p":1,' in text
    assert "private label" not in proxy.remote.everything() and "loud" not in proxy.remote.everything()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_survives_being_written_again(value: Any) -> None:
    again = json.loads(dumped({"a": value}))
    assert again == {"a": value}
    assert repr(again) == repr({"a": value}), "whole numbers stay whole, keys in order"


async def test_half_a_character_is_passed_on_as_it_was_written(proxy: Proxy) -> None:
    body = rb'{"model":"fake-model","steering":"off","messages":[{"role":"user","content":"\ud83d"}]}'
    assert (await proxy.client.post(CHAT, content=body, headers=JSON)).status_code == 200
    assert rb"\ud83d" in proxy.remote.forwarded[-1].body


async def test_the_keys_of_both_sides_stay_apart(proxy: Proxy) -> None:
    _, secret = proxy.store.keys.create("test", None)
    response = await proxy.chat(
        headers={"Authorization": f"Bearer {secret}", "Cookie": "a=b", "X-Own": "c"}, tools=TOOLS
    )
    assert response.status_code == 200
    assert secret not in proxy.remote.everything()
    assert proxy.remote.forwarded[-1].accept is None
    assert (await proxy.chat(tools=TOOLS)).status_code == 401
    assert (await proxy.client.post("/v1/embeddings", json={})).status_code == 401
    assert len(proxy.remote.forwarded) == 1


@pytest.mark.parametrize("name", ["max_token", "Profile", "x" * 500])
async def test_a_field_that_nobody_knows_is_refused_by_name(proxy: Proxy, name: str) -> None:
    unknown: dict[str, Any] = {name: 1}
    response = await proxy.chat(tools=TOOLS, **unknown)
    assert response.status_code == 400
    error = error_of(response)
    assert error["param"] == name[:200]
    assert error["message"] == f"{name[:200]} is not supported here; remove it."
    assert proxy.remote.forwarded == []


def test_openai_s_own_names_are_all_known() -> None:
    from openai.types.chat.completion_create_params import (
        CompletionCreateParamsNonStreaming,
        CompletionCreateParamsStreaming,
    )

    for params in (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming):
        assert set(params.__annotations__) <= KNOWN


@pytest.mark.parametrize(
    ("model", "status", "message"),
    [
        ("gpt-4", 404, "There is no model 'gpt-4' here. Use 'fake-model', 'other', or 'default'"),
        ("gpt-4@loud", 404, "There is no model 'gpt-4@loud' here. Use 'fake-model', 'other', or 'default'"),
        (None, 400, "model is missing; add it."),
        (7, 400, "model must be a string."),
    ],
)
async def test_a_model_that_is_not_there_is_refused_here(
    proxy: Proxy, model: object, status: int, message: str
) -> None:
    proxy.remote.others = [ModelCard("other", None)]
    response = await proxy.chat(model=model, tools=TOOLS)
    assert response.status_code == status
    assert error_of(response)["message"].startswith(message)
    assert error_of(response)["param"] == "model"
    assert proxy.remote.forwarded == []


async def test_another_model_of_the_remote_is_taken(proxy: Proxy) -> None:
    proxy.remote.others = [ModelCard("other", None), ModelCard("fake-model@v2", None)]
    for model in ("other", "fake-model@v2"):
        await proxy.chat(model=model, tools=TOOLS)
        assert sent(proxy)["model"] == model
    assert proxy.remote.listed == 0, "no list is asked for when the name is known"


# Errors


REFUSALS = [
    (RemoteRejected("No.", status=400), 400, "invalid_request_error", "remote_rejected", None),
    (RemoteTimeout("No.", status=408), 408, "upstream_error", "remote_timeout", None),
    (RemoteRejected("No.", status=409), 409, "invalid_request_error", "remote_rejected", None),
    (RemoteRejected("No.", status=422), 422, "invalid_request_error", "remote_rejected", None),
    (RateLimited("No.", retry_after=6.2), 429, "requests", "rate_limit_exceeded", "7"),
    (RateLimited("No."), 429, "requests", "rate_limit_exceeded", None),
    (RemoteError("No."), 502, "upstream_error", "remote_error", None),
    (RemoteUnavailable("No.", retry_after=0.0), 503, "upstream_error", "remote_unavailable", "0"),
    (RemoteTimeout("No."), 504, "upstream_error", "remote_timeout", None),
]


@pytest.mark.parametrize("fields", [{}, {"tools": TOOLS}], ids=["steered", "passed on"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "status", "kind", "code", "wait"), REFUSALS)
async def test_a_refusal_keeps_its_status_whole_and_streamed(  # noqa: PLR0917
    proxy: Proxy,
    error: RemoteError,
    status: int,
    kind: str,
    code: str,
    wait: str | None,
    stream: bool,
    fields: dict[str, Any],
) -> None:
    proxy.remote.answer = error
    proxy.remote.unreachable = None if fields else error
    response = await proxy.chat(stream=stream, **fields)
    assert response.status_code == status
    assert error_of(response) == {"message": "No.", "type": kind, "param": None, "code": code}
    assert response.headers.get("retry-after") == wait


@pytest.mark.parametrize("asked", [b"{", b"[]", b'"text"', b"\xff"])
async def test_a_body_that_is_none_is_a_bad_request(proxy: Proxy, asked: bytes) -> None:
    assert (await proxy.client.post(CHAT, content=asked, headers=JSON)).status_code == 400


# Other paths


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_family_of_paths_is_passed_on(proxy: Proxy, family: str) -> None:
    for path in {family, f"{family}/one", f"{family}/one/two/three"} - {"chat/completions", "responses"}:
        for method in ("GET", "POST", "DELETE"):
            response = await proxy.client.request(method, f"/v1/{path}")
            assert response.status_code == 200, (method, path)
            assert response.headers["x-costeer-steered"] == "false"
            assert response.headers["x-costeer-reason"] == "this path is passed on"
            asked = proxy.remote.forwarded[-1]
            assert (asked.method, asked.path, asked.query, asked.body) == (method, path, "", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/profile/loud",
        "/v1/profiles/loud/histories",
        "/v1/profiles/loud/embeddings",
        "/v1/Embeddings",
        "/v1/embedding",
        "/v1/embeddings/../profiles",
        "/v1/files/./x",
        "/v1/files/x/..",
        "/v1/files/x//y",
        "/v1/files/%2e%2e/%2e%2e/tokenize",
        "/v1/chat/completion",
        "/v1/chat",
        "/v1/load_lora_adapter",
        "/v2/embeddings",
        "/embeddings",
    ],
)
async def test_no_other_path_reaches_the_remote(proxy: Proxy, base_url: str, path: str) -> None:
    body = b'{"text":"My diary"}'
    server = httpx.URL(base_url)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    )
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405")), answer
    assert proxy.remote.forwarded == [] and "diary" not in proxy.remote.everything()


async def test_a_body_goes_as_its_very_bytes(proxy: Proxy) -> None:
    body = b'{ "input" : "\\u00e9\xc3\xa9", "n": 1.50, "big": 1E3 }'
    headers = {"Content-Type": "application/json; charset=utf-8", "Accept": "text/event-stream"}
    await proxy.client.post("/v1/embeddings?a=%2F%20x&b=c+d", content=body, headers=headers)
    asked = proxy.remote.forwarded[-1]
    assert asked == Forward(
        "POST",
        "embeddings",
        "/v1/embeddings",
        "a=%2F%20x&b=c+d",
        body,
        "application/json",
        "text/event-stream",
    )


async def test_odd_characters_of_a_path_stay_in_it(proxy: Proxy) -> None:
    await proxy.client.get("/v1/files/a%3Fb%23c%25d%C3%A9%20e/content")
    assert proxy.remote.forwarded[-1].path == "files/a%3Fb%23c%25d%C3%A9%20e/content"


async def test_labels_and_aliases_stay_here_on_every_path(proxy: Proxy) -> None:
    asked = {"model": "fake-model@loud", "input": ["x"]}
    labels = dict.fromkeys([*LABELLING, *OWN], "private label")
    await proxy.client.post("/v1/embeddings", json={**labels, **asked})
    assert sent(proxy) == {**asked, "model": "fake-model"}
    assert "private label" not in proxy.remote.everything() and "loud" not in proxy.remote.everything()
    response = await proxy.client.post("/v1/embeddings", json={"model": "gone@loud"})
    assert error_of(response)["code"] == "model_not_found"
    assert len(proxy.remote.forwarded) == 1


PREFERENCES = [{"text": "private label", "opposite": "private label"}, "private label"]


@pytest.mark.parametrize("family", FAMILIES)
async def test_preferences_of_a_request_stay_here_on_every_path(proxy: Proxy, family: str) -> None:
    own = {"costeer": {"preferences": PREFERENCES}, "preferences": PREFERENCES}
    asked = {"model": "fake-model", "input": ["x"]}
    for body in ({**asked, **own}, {"requests": [{"body": {**asked, **own}}]}, {**asked, "extra_body": own}):
        response = await proxy.client.post(f"/v1/{family}/one", json=body)
        assert response.status_code == 200
        assert proxy.remote.forwarded[-1].body
    form = {"costeer[preferences][0][text]": "private label", "preferences": json.dumps(PREFERENCES)}
    parts = {"request": (None, json.dumps({**asked, **own}), "application/json")}
    response = await proxy.client.post(
        f"/v1/{family}/one?costeer[preferences]=private", data=form, files=parts
    )
    assert response.status_code == 200
    assert fields(proxy) == {"request": dumped(asked)}
    assert "private" not in proxy.remote.everything()


@pytest.mark.parametrize(
    ("asked", "public"),
    [
        ({"Model": "fake-model@loud"}, {"Model": "fake-model"}),
        ({"model": {"name": "fake-model@loud"}}, {"model": {"name": "fake-model"}}),
        (
            {"model": "fake-model", "fallbacks": ["fake-model@loud", {"model": "fake-model@loud"}]},
            {"model": "fake-model", "fallbacks": ["fake-model", {"model": "fake-model"}]},
        ),
    ],
)
async def test_a_profile_behind_a_model_stays_here_wherever_it_is_named(
    proxy: Proxy, asked: dict[str, Any], public: dict[str, Any]
) -> None:
    assert (await proxy.client.post("/v1/messages", json=asked)).status_code == 200
    assert sent(proxy) == public
    assert "loud" not in proxy.remote.everything()


async def test_a_form_goes_as_its_very_bytes_unless_it_holds_a_label(proxy: Proxy) -> None:
    files = {"file": ("a.wav", b"\x00\xff\r\n--", "audio/wav")}
    await proxy.client.post("/v1/audio/transcriptions", files=files, data={"model": "whisper"})
    asked = proxy.remote.forwarded[-1]
    assert b"\x00\xff\r\n--" in asked.body
    kind, _, boundary = (asked.content_type or "").partition("; boundary=")
    assert kind == "multipart/form-data" and asked.body.startswith(f"--{boundary}".encode())
    labels = dict.fromkeys([*LABELLING, *OWN, "metadata[topic]", "User"], "private label")
    response = await proxy.client.post("/v1/images/edits", files=files, data={"model": "m", **labels})
    assert response.status_code == 200
    assert "private label" not in proxy.remote.everything()
    assert fields(proxy) == {"model": b"m", "file": b"\x00\xff\r\n--"}


def fields(proxy: Proxy) -> dict[str, bytes]:
    """The form that the remote was handed last."""
    asked = proxy.remote.forwarded[-1]
    return {part.name: part.value for part in read_form(asked.content_type or "", asked.body).parts}


async def test_the_profile_behind_a_model_stays_here_in_a_form(proxy: Proxy) -> None:
    files = {"file": ("a.wav", b"user@loud", "audio/wav")}
    await proxy.client.post("/v1/audio/transcriptions", files=files, data={"model": "fake-model@loud"})
    assert fields(proxy) == {"model": b"fake-model", "file": b"user@loud"}
    refused = await proxy.client.post("/v1/audio/speech", files=files, data={"model": "gone@loud"})
    assert (refused.status_code, error_of(refused)["code"]) == (404, "model_not_found")
    assert len(proxy.remote.forwarded) == 1


@pytest.mark.parametrize("purpose", ["batch", "other"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
async def test_a_file_of_requests_for_a_batch_goes_without_labels_and_profiles(
    proxy: Proxy, purpose: str, line_end: str
) -> None:
    labels = dict.fromkeys([*LABELLING, *OWN], "private label")
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    about = {"custom_id": "1", "method": "POST", "url": CHAT}
    private = {**about, "body": {"model": "fake-model@loud", **body, **labels}, **labels}
    public = json.dumps({**about, "body": {"model": "fake-model", **body}})
    lines = line_end.join([json.dumps(private), "", public, ""])
    files = {"file": ("x.jsonl", lines.encode(), "application/jsonl")}
    response = await proxy.client.post("/v1/files", files=files, data={"purpose": purpose})
    assert response.status_code == 200
    assert "private label" not in proxy.remote.everything() and "loud" not in proxy.remote.everything()
    first, *others = fields(proxy)["file"].decode().split("\n")
    assert json.loads(first) == json.loads(public)
    assert others == lines.split("\n")[1:], "what holds nothing of it goes byte for byte"


@pytest.mark.parametrize("line", ["{", '{"a": 1, "a": 2}', "[NaN]"])
async def test_a_batch_that_cannot_be_read_is_refused_by_its_line(proxy: Proxy, line: str) -> None:
    files = {"file": ("x.jsonl", f"{{}}\n{line}\n".encode())}
    response = await proxy.client.post("/v1/files", files=files, data={"purpose": "batch"})
    assert (response.status_code, error_of(response)["param"]) == (400, "line 2 of the file")
    assert proxy.remote.forwarded == []


async def test_another_file_is_content_and_goes_as_it_is(proxy: Proxy) -> None:
    for content in (b'{"messages": [], "metadata": {"a": 1}}\n', b"\xff\x00{", b'{"user": 1'):
        await proxy.client.post("/v1/files", files={"file": ("x", content)}, data={"purpose": "fine-tune"})
        assert fields(proxy)["file"] == content


async def test_json_in_a_form_is_json(proxy: Proxy) -> None:
    files = {"request": (None, '{"model":"fake-model@loud","user":"private label"}', "application/json")}
    await proxy.client.post("/v1/images/edits", files=files)
    assert fields(proxy) == {"request": b'{"model":"fake-model"}'}


@pytest.mark.parametrize(
    "nest", [lambda one: [one], lambda one: {"requests": [{"params": one}]}, lambda one: {"batches": [[one]]}]
)
async def test_requests_in_lists_go_without_labels_and_profiles(proxy: Proxy, nest: Any) -> None:
    labels = {**dict.fromkeys([*LABELLING, *OWN], "private label"), "metadata": {"user_id": "private label"}}
    asked = {"model": "fake-model", "messages": [{"role": "user", "content": "Hi"}]}
    response = await proxy.client.post(
        "/v1/messages/batches", json=nest({**asked, "model": "fake-model@loud", **labels})
    )
    assert response.status_code == 200
    assert sent(proxy) == nest(asked)
    assert "private label" not in proxy.remote.everything() and "loud" not in proxy.remote.everything()


@pytest.mark.parametrize("name", [*LABELLING, *sorted(OWN), "metadata[topic]", "metadata%5Btopic%5D", "User"])
@pytest.mark.parametrize("path", ["files", "chat/completions"])
async def test_a_label_in_a_query_stays_here_and_the_answer_says_so(
    proxy: Proxy, path: str, name: str
) -> None:
    for query, public in (
        (f"{name}=private", ""),
        (f"limit=2&{name}=private", "limit=2"),
        (f"{name}=private&limit=2;a=1", "limit=2;a=1"),
        (f"a=1;{name}=private", "a=1"),
    ):
        response = await proxy.client.get(f"/v1/{path}?{query}")
        assert response.status_code == 200
        assert proxy.remote.forwarded[-1].query == public
        assert response.headers["X-CoSteer-Reason"] == (
            "this path is passed on, without the labels in its query"
        )


async def test_the_profile_behind_a_model_stays_here_in_a_query(proxy: Proxy) -> None:
    await proxy.client.get("/v1/files?after=a%40b&model=fake-model%40loud&limit=2")
    assert proxy.remote.forwarded[-1].query == "after=a%40b&model=fake-model&limit=2"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_refused(proxy: Proxy, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    response = await proxy.client.post("/v1/embeddings", content=b'{"user":"x"}', headers=headers)
    assert (response.status_code, error_of(response)["param"]) == (415, "Content-Type")
    assert proxy.remote.forwarded == []


async def test_a_body_that_is_too_large_is_refused(proxy: Proxy) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(BODY + 1)}
    response = await proxy.client.post("/v1/files", content=b"x" * MIB, headers=headers)
    assert response.status_code == 413
    assert proxy.remote.forwarded == []


# The embedded model


@pytest.mark.parametrize(
    ("what", "param"),
    [
        ("tools", "tools"),
        ("messages with image_url", "messages"),
        ("steering: off", "steering"),
        ("/v1/embeddings", "/v1/embeddings"),
    ],
)
async def test_the_embedded_model_says_what_it_cannot_do(what: str, param: str) -> None:
    with pytest.raises(Unsupported, match="COSTEER_REMOTE_BASE_URL") as caught:
        await EmbeddedRemote(None).forward(Forward("POST", "x", what))  # type: ignore[arg-type]
    error = caught.value
    assert error.message.startswith(f"{what} is not supported by the embedded model.")
    assert (error.status, error.code, error.param) == (400, "unsupported", param)
    assert isinstance(error, InvalidRequest)
