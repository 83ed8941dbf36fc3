"""Lets openai-python's own tests of responses ask a server that has models and ids: pytest -p own_tests.

They are made for a mock: they name no model and no input, ids that nobody has given, and in one request all
fields that there are. So each request gets a model and an input, each id is that of a response that was just
written, and fields that mean nothing without OpenAI's own storage are left out.
"""

from __future__ import annotations

import functools
import json
import os
import urllib.request
from collections.abc import Callable
from typing import Any

from openai.resources.responses import AsyncResponses, Responses
from openai.resources.responses.input_items import AsyncInputItems, InputItems

URL = os.environ["TEST_API_BASE_URL"]
ASKED = {"model": os.environ["OWN_TESTS_MODEL"], "input": "Say hello."}
# Refused by name: they stand for what OpenAI keeps or does later.
NOT_HERE = ("background", "background_options", "conversation", "previous_response_id", "prompt")


def written() -> str:
    """The id of a new response."""
    request = urllib.request.Request(  # noqa: S310
        f"{URL}/responses", json.dumps(ASKED).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        response_id: str = json.load(answer)["id"]
    return response_id


def asking(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def asks(self: Any, **fields: Any) -> Any:
        kept = {name: value for name, value in fields.items() if name not in NOT_HERE}
        return create(self, **{**kept, **ASKED})

    return asks


def known(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def asks(self: Any, response_id: str, **fields: Any) -> Any:
        # A page of none is no page.
        fields = {name: value for name, value in fields.items() if (name, value) != ("limit", 0)}
        fields.pop("after", None)
        return method(self, written() if response_id else response_id, **fields)

    return asks


for kind in (Responses, AsyncResponses):
    kind.create = asking(kind.create)  # type: ignore[method-assign]
    kind.retrieve = known(kind.retrieve)  # type: ignore[method-assign]
    kind.delete = known(kind.delete)  # type: ignore[method-assign]
for items in (InputItems, AsyncInputItems):
    items.list = known(items.list)  # type: ignore[method-assign]
