"""Token ids of public texts as a vLLM tells them: at /tokenize, or behind a gateway by its answers.

A one-token answer tells the ids of its prompt (vLLM 0.10.2 and later), so that a gateway which shows /v1
alone is no hindrance, unless it takes out the fields of a request that it does not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from app.errors import ModelNotFound, RemoteError
from app.remote.errors import refusal
from app.remote.wire import answered, understood

# What is answered where nothing is, by vLLM and by gateways: those without the right to go there, and
# redirects to a page to sign in.
ABSENT = {301, 302, 303, 307, 308, 401, 403, 404, 405, 410, 501}
ONE = {"max_tokens": 1, "temperature": 0.0, "return_token_ids": True}
# Status, body and headers of a response.
Response = tuple[int, bytes, Mapping[str, str]]
Post = Callable[[str, Mapping[str, Any]], Awaitable[Response]]


def untold(what: str) -> RemoteError:
    """`what` the remote does not do."""
    return RemoteError(
        f"The remote {what}. Set COSTEER_REMOTE_TOKENIZER to the hub id or folder of its model, or ask who "
        "runs the gateway before it to let /tokenize or the field return_token_ids through.",
        code="tokens_untold",
    )


class TokenIds:
    """Asks one server, and remembers where it answers. `post` sends a JSON body to a URL."""

    def __init__(self, root: str, base_url: str) -> None:
        """`base_url` is where /completions is; vLLM has its tokenizer at the `root`, some gateways there."""
        self._base_url = base_url
        self._places = tuple(dict.fromkeys([root, base_url]))
        self._place: str | None = None
        self._answers_tell = False

    async def of(self, body: Mapping[str, Any], post: Post) -> list[int]:
        """The ids of a text or conversation, as /tokenize takes it. Raises RemoteError, with the code
        "tokens_untold" where the server tells none."""
        if not self._answers_tell:
            said = await self._asked("tokenize", body, post)
            if said is not None:
                with understood():
                    tokens: list[int] = orjson.loads(said)["tokens"]
                return tokens
        answer = await self._one_token(body, post)
        with understood():
            # Of a chat beside its choices, of a text in each of them.
            choices = answer.get("choices") or [{}]
            told = answer.get("prompt_token_ids") or choices[0].get("prompt_token_ids")
            ids = None if told is None else [int(one) for one in told]
        if ids is None:
            raise untold("tells no token ids: it has no /tokenize, and no prompt_token_ids in its answers")
        self._answers_tell = True
        return ids

    async def count(self, body: Mapping[str, Any], post: Post) -> int | None:
        """How many tokens a text or conversation has, by the usage that an answer reports; None if none."""
        answer = await self._one_token(body, post)
        with understood():
            told = (answer.get("usage") or {}).get("prompt_tokens")
            return None if told is None else int(told)

    async def ask(self, path: str, body: Mapping[str, Any], post: Post) -> bytes:
        """The answer of /tokenize or /detokenize itself. Raises as `of` does."""
        said = await self._asked(path, body, post)
        if said is None:
            raise untold(f"has no /{path}")
        return said

    async def _asked(self, path: str, body: Mapping[str, Any], post: Post) -> bytes | None:
        """The answer of the first place that has one; None if none has."""
        for place in self._places if self._place is None else (self._place,):
            status, said, headers = await post(f"{place}/{path}", body)
            if status == 200 and _answers(said):
                self._place = place
                return said
            error = refusal(status, said, headers)
            if status != 200 and (status not in ABSENT or isinstance(error, ModelNotFound)):
                raise error
        return None

    async def _one_token(self, body: Mapping[str, Any], post: Post) -> dict[str, Any]:
        chat = "messages" in body
        asked = {**body, **ONE, **({"tool_choice": "none"} if body.get("tools") else {})}
        url = f"{self._base_url}/{'chat/completions' if chat else 'completions'}"
        status, said, headers = await post(url, asked)
        if status != 200:
            raise refusal(status, said, headers)
        return answered(said)


def _answers(said: bytes) -> bool:
    """Whether it is an answer, and neither a page to sign in nor an error with the status of a success."""
    try:
        answer = orjson.loads(said)
    except orjson.JSONDecodeError:
        return False
    return not (isinstance(answer, dict) and answer.get("error"))
