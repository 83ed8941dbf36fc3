"""Responses that are kept: conversations go on from them, and nobody else sees them."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Proxy
from fakes import LOUD, FakeAnswer, FakeTokenizer
from openai._models import validate_type
from openai.types.responses import Response, ResponseItemList

from api.responses.conftest import PATH, Ask
from api.responses.followed import events_of, follow
from api.routes.test_chat import error_of
from app.api.responses.stored import Stored, StoredResponses
from app.profiles.profile import Profile, ProfileDocument
from app.profiles.shelf import RESPONSES, Bounds, MemoryShelf
from app.prompts.message import Message


def stored(name: str, *, size: int = 10, uid: str = "") -> Stored:
    output = [{"id": f"msg_{name}", "text": "x" * size}]
    return Stored({"id": name, "output": output}, [], profile_id=uid and "id", uid=uid)


def key_of(proxy: Proxy, profile_id: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {proxy.store.keys.create('app', profile_id)[1]}"}


async def test_three_turns_go_on_from_each_other(proxy: Proxy, ask: Ask) -> None:
    last: str | None = None
    for number, question in enumerate(("One?", "Two?", "Three?")):
        proxy.remote.handed.clear()
        instructions = f"Rule {number}."
        body = (
            await ask(
                input=question,
                previous_response_id=last,
                profile="loud",
                instructions=instructions,
                stream=False,
            )
        ).json()
        assert body["previous_response_id"] == last
        last = body["id"]
    handed = [one for one in proxy.remote.handed if isinstance(one, Message)]
    reply = Message("assistant", "HELLO WORLD")
    asked = [Message("user", one) for one in ("One?", "Two?", "Three?")]
    assert handed == [Message("system", "Rule 2."), asked[0], reply, asked[1], reply, asked[2]]


async def test_an_item_is_referred_to_by_its_id(proxy: Proxy, ask: Ask) -> None:
    item = (await ask(input="One?")).json()["output"][0]
    proxy.remote.handed.clear()
    again = await ask(
        input=[
            {"role": "user", "content": "One?"},
            {"type": "item_reference", "id": item["id"]},
            {"role": "user", "content": "Two?"},
        ]
    )
    assert again.status_code == 200
    handed = [one.content for one in proxy.remote.handed if isinstance(one, Message)]
    assert handed == ["One?", "hello world", "Two?"]


async def test_a_kept_one_is_read_listed_and_erased(proxy: Proxy, ask: Ask) -> None:
    first = (await ask(input="One?")).json()
    second = (await ask(input=[{"role": "user", "content": "Two?"}], previous_response_id=first["id"])).json()
    path = f"{PATH}/{second['id']}"
    read = (await proxy.client.get(path)).json()
    assert read == second
    validate_type(type_=Response, value=read)
    items = (await proxy.client.get(f"{path}/input_items?order=asc")).json()
    validate_type(type_=ResponseItemList, value=items)
    assert [one["content"][0]["text"] for one in items["data"]] == ["One?", "hello world", "Two?"]
    newest = (await proxy.client.get(f"{path}/input_items?limit=2")).json()
    assert newest["data"] == items["data"][:0:-1]
    assert (newest["has_more"], newest["last_id"]) == (True, items["data"][1]["id"])
    last = (await proxy.client.get(f"{path}/input_items?limit=2&after={newest['last_id']}")).json()
    assert (last["data"], last["has_more"]) == (items["data"][:1], False)
    assert error_of(await proxy.client.post(f"{path}/cancel"))["param"] == "response_id"
    told = events_of(await proxy.client.get(f"{path}?stream=true"))
    assert follow(told) == second
    assert events_of(await proxy.client.get(f"{path}?stream=true&starting_after=3")) == told[4:]
    deleted = {"id": second["id"], "object": "response", "deleted": True}
    assert (await proxy.client.delete(path)).json() == deleted
    for method, one in (
        ("GET", path),
        ("DELETE", path),
        ("GET", f"{path}/input_items"),
        ("POST", f"{path}/cancel"),
    ):
        answer = await proxy.client.request(method, one)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "response_not_found")
    assert (await proxy.client.get(f"{PATH}/{first['id']}")).json() == first


async def test_what_is_not_to_be_stored_is_not(proxy: Proxy, ask: Ask) -> None:
    for stream in (False, True):
        await ask(store=False, stream=stream)
    assert len(proxy.shelves.responses) == 0
    body = (await ask(store=False)).json()
    assert body["store"] is False
    error = error_of(await ask(previous_response_id=body["id"]))
    assert (error["code"], error["param"]) == ("response_not_found", "previous_response_id")
    assert "Send the conversation itself" in error["message"]


async def test_a_stream_is_kept_as_well(proxy: Proxy, ask: Ask) -> None:
    await ask(stream=True, profile="loud", max_output_tokens=3)
    (entry,) = proxy.shelves.responses._entries
    assert (await proxy.client.get(f"{PATH}/{entry.decode()}")).json()["status"] == "incomplete"


async def test_a_profile_s_key_sees_its_own_only(proxy: Proxy, ask: Ask) -> None:
    keys = {one: key_of(proxy, one) for one in ("loud", "joined", None)}
    ids = {one: (await ask(headers=keys[one])).json()["id"] for one in keys}
    for key, headers in keys.items():
        for owner, response_id in ids.items():
            answer = await proxy.client.get(f"{PATH}/{response_id}", headers=headers)
            assert answer.status_code == (200 if key in (None, owner) else 404), (key, owner)
            going_on = await ask(previous_response_id=response_id, headers=headers)
            assert going_on.status_code == (200 if key == owner else 400 if key is None else 404), (
                key,
                owner,
            )
    item = (await ask(headers=keys["loud"])).json()["output"][0]
    assert (await ask(input=[{"id": item["id"]}], headers=keys["joined"])).status_code == 404
    answer = await proxy.client.delete(f"{PATH}/{ids['loud']}", headers=keys["joined"])
    assert answer.status_code == 404
    assert len(proxy.shelves.responses) >= 3


async def test_a_conversation_goes_on_with_its_profile_only(ask: Ask) -> None:
    without = (await ask()).json()["id"]
    loud = (await ask(profile="loud", previous_response_id=without)).json()["id"]
    assert (await ask(profile="loud", previous_response_id=loud)).status_code == 200
    for other in (None, "joined"):
        error = error_of(await ask(profile=other, previous_response_id=loud))
        assert error["param"] == "previous_response_id"
        assert "another profile" in error["message"]


async def test_they_are_erased_with_the_profile(proxy: Proxy, ask: Ask) -> None:
    loud, joined, none = [(await ask(profile=one)).json()["id"] for one in ("loud", "joined", None)]
    kept = proxy.app.state.parts.responses
    await proxy.client.patch("/v1/profiles/loud", json={"name": "Lotte"})
    assert len(proxy.shelves.responses) == 3
    await proxy.client.delete("/v1/profiles/loud")
    assert [kept.get(one) is not None for one in (loud, joined, none)] == [False, True, True]
    # By another process, before it is swept, and with another person of the same id.
    proxy.store.profiles.delete("joined")
    proxy.store.profiles.put(ProfileDocument(Profile("joined", "Somebody else")))
    assert (await proxy.client.get(f"{PATH}/{joined}")).status_code == 404
    assert (await ask(profile="joined", previous_response_id=joined)).status_code == 404


async def test_what_is_not_of_this_proxy_is_asked_of_the_remote(proxy: Proxy) -> None:
    proxy.remote.answer = FakeAnswer(b'{"id": "resp_1"}')
    for method, path in (
        ("GET", "resp_1"),
        ("DELETE", "resp_1"),
        ("GET", "resp_1/input_items"),
        ("POST", "resp_1/cancel"),
        ("POST", "input_tokens"),
    ):
        answer = await proxy.client.request(method, f"{PATH}/{path}?order=asc")
        assert answer.json() == {"id": "resp_1"}
        assert answer.headers["x-costeer-steered"] == "false"
        forward = proxy.remote.forwarded[-1]
        assert (forward.method, forward.path, forward.query) == (method, f"responses/{path}", "order=asc")
    proxy.remote.passes_on = False
    answer = await proxy.client.get(f"{PATH}/resp_1")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "response_not_found")


# The store by itself


def test_the_least_used_are_dropped_first() -> None:
    kept = StoredResponses(MemoryShelf(Bounds(3)))
    for name in "abc":
        kept.keep(stored(name))
    kept.get("a")
    kept.keep(stored("d"))
    assert [kept.get(name) is not None for name in "abcd"] == [True, False, True, True]
    assert [kept.id_of(f"msg_{name}") for name in "bd"] == [None, "d"]


def test_bytes_are_bounded() -> None:
    shelf = MemoryShelf(Bounds(50, 1000))
    kept = StoredResponses(shelf)
    for number in range(50):
        kept.keep(stored(str(number), size=100 + number))
        assert 0 < shelf.size <= 1000
    assert 1 < len(shelf) < 10
    before = len(shelf)
    kept.keep(stored("large", size=2000))
    assert (len(shelf), kept.get("large")) == (before, None)
    for number in range(50):
        kept.delete(str(number))
    assert (len(shelf), shelf.size, shelf._names) == (0, 0, {})


@pytest.mark.parametrize("left", [set(), {"one"}, {"one", "two"}])
def test_only_what_belongs_to_profiles_that_there_are_is_left(left: Any) -> None:
    shelf = MemoryShelf(RESPONSES)
    kept = StoredResponses(shelf)
    for name, uid in (("a", "one"), ("b", "two"), ("c", "")):
        kept.keep(stored(name, uid=uid))
    assert shelf.owners() == {"one", "two"}
    shelf.keep_only(left)
    assert shelf.owners() == left
    assert kept.get("c") is not None


def test_what_is_kept_is_a_copy() -> None:
    kept, one = StoredResponses(), stored("a")
    kept.keep(one)
    one.response["output"].clear()
    again = kept.get("a")
    assert again is not None
    assert again.response["output"]
    assert "xxx" not in repr(again)


async def test_pages_of_items_that_were_sent_back_come_to_an_end(proxy: Proxy, ask: Ask) -> None:
    first = (await ask(input="One?")).json()
    again = {"previous_response_id": first["id"], "input": [*first["output"], *first["output"]]}
    answered = (await ask(**again)).json()
    seen: list[str] = []
    after: dict[str, str] = {}
    while len(seen) < 20:
        page = await proxy.client.get(
            f"{PATH}/{answered['id']}/input_items", params={"limit": 1, "order": "asc", **after}
        )
        seen += [one["id"] for one in page.json()["data"]]
        after = {"after": page.json()["last_id"]}
        if not page.json()["has_more"]:
            break
    assert len(seen) == len(set(seen)) == 4


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_output_tokens": 2**64}, "max_output_tokens"),
        ({"max_tool_calls": 2**64}, "max_tool_calls"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
    ],
)
async def test_what_could_not_be_answered_is_refused(ask: Ask, body: dict[str, Any], param: str) -> None:
    response = await ask(**body)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


async def test_an_item_is_referred_to_once(ask: Ask) -> None:
    item = (await ask(input="One?")).json()["output"][0]
    reference = {"type": "item_reference", "id": item["id"]}
    response = await ask(input=[reference, {"role": "user", "content": "Two?"}, reference])
    assert response.status_code == 400
    assert error_of(response)["param"] == "input[2]"


async def test_a_kept_reply_goes_back_as_it_was_told_though_the_name_is_another(
    proxy: Proxy, ask: Ask
) -> None:
    proxy.remote.text = "warmly, [Your name]"
    first = (await ask(profile="loud", strength=0.01)).json()
    assert LOUD.name in first["output"][0]["content"][0]["text"]
    await proxy.client.patch("/v1/profiles/loud", json={"name": "Will Ek"})
    generator: Any = proxy.app.state.parts.generator
    generator._conversations = type(generator._conversations)()  # as after thousands of other replies
    for body in (
        {"previous_response_id": first["id"]},
        {
            "input": [
                {"type": "item_reference", "id": first["output"][0]["id"]},
                {"role": "user", "content": "?"},
            ]
        },
    ):
        proxy.remote.handed.clear()
        await ask(profile="loud", **body)
        assert "[Your name]" in proxy.remote.everything()
        assert "Lotte" not in proxy.remote.everything()
        generator._conversations = type(generator._conversations)()


async def test_a_reply_behind_a_thought_is_known_without_it(
    proxy: Proxy, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    spelled = {254: "<think>", 255: "</think>"}
    token_bytes, decode = FakeTokenizer.token_bytes, FakeTokenizer.decode

    def bytes_of(self: FakeTokenizer, token_id: int) -> bytes | None:
        return spelled[token_id].encode() if token_id in spelled else token_bytes(self, token_id)

    def text_of(self: FakeTokenizer, ids: list[int]) -> str:
        return "".join(spelled.get(one) or decode(self, [one]) for one in ids)

    monkeypatch.setattr(FakeTokenizer, "think_ids", (254, 255))
    monkeypatch.setattr(FakeTokenizer, "token_bytes", bytes_of)
    monkeypatch.setattr(FakeTokenizer, "decode", text_of)
    await proxy.client.patch("/v1/profiles/loud", json={"name": "Will Ek"})
    proxy.remote.text = b"\xfehmm\xffWarmly, [Your first name]"
    first = (await ask(profile="loud", strength=0.01)).json()
    thought, said = first["output"]
    assert (thought["type"], said["content"][0]["text"]) == ("reasoning", "Warmly, Will")
    proxy.remote.handed.clear()
    await ask(profile="loud", previous_response_id=first["id"])
    assert "Warmly, Will" not in proxy.remote.everything()
