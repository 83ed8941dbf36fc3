"""The remote's answer to a request that is passed on, sent to the client as it comes."""

from __future__ import annotations

import anyio
import orjson
from fastapi import Response
from starlette.types import Receive, Scope, Send

from app.api.disconnect import disconnected
from app.api.error_handlers import shutting_down
from app.errors import CoSteerError
from app.remote.interface import Forward, Forwarded, RemoteModel

# A page of the remote's must not run in a browser as one of this server's: it could read the profiles.
SANDBOX = {
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
REASON_LENGTH = 200


class Relay(Response):
    """Asks the remote once the answer is sent, and stops asking when the client has gone.

    Server-sent events and other streams go out byte for byte as they come, JSON in one piece. What the remote
    refuses is raised, for error_handlers.py to answer.
    """

    def __init__(self, remote: RemoteModel, request: Forward, reason: str) -> None:
        super().__init__()
        self._remote = remote
        self._request = request
        shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in reason)
        self._marks = {"X-CoSteer-Steered": "false", "X-CoSteer-Reason": shown[:REASON_LENGTH], **SANDBOX}
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failure: Exception | None = None
        # anyio's cancellation, not the task's own: httpx shields its clean-up from the former only.
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, receive, group.cancel_scope)
            try:
                await self._relay(send)
            except Exception as error:  # raised below, since the group would wrap it in another
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _watch(self, receive: Receive, work: anyio.CancelScope) -> None:
        await disconnected(receive)
        self._gone = True
        work.cancel()

    async def _relay(self, send: Send) -> None:
        answer = await self._remote.forward(self._request)
        try:
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type == "application/json":
                body = b"".join([chunk async for chunk in answer.body()])
                await self._start(answer, send, {"Content-Length": str(len(body))})
                await send({"type": "http.response.body", "body": body})
            else:
                await self._stream(answer, send, events=media_type == "text/event-stream")
        finally:
            await answer.aclose()

    async def _stream(self, answer: Forwarded, send: Send, *, events: bool) -> None:
        await self._start(answer, send, {"Cache-Control": "no-store"} if events else {})
        held = b""
        try:
            async for chunk in answer.body():
                ready = chunk
                if events:  # whole lines, so that an error never follows half of one
                    *lines, held = (held + chunk).split(b"\n")
                    ready = b"\n".join([*lines, b""])
                if ready:
                    await send({"type": "http.response.body", "body": ready, "more_body": True})
        except CoSteerError as error:
            if not events:
                return  # the server cuts the connection, which is all that can be said
            held = _event(error)
        except anyio.get_cancelled_exc_class():
            if events and not self._gone:
                with anyio.CancelScope(shield=True):
                    await send({"type": "http.response.body", "body": _event(shutting_down())})
            raise
        await send({"type": "http.response.body", "body": held})

    async def _start(self, answer: Forwarded, send: Send, more: dict[str, str]) -> None:
        headers = {**answer.headers, **self._marks, **more}
        encoded = [
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})


def _event(error: CoSteerError) -> bytes:
    """An event of its own, whatever line it follows; with it the stream ends, and without [DONE]."""
    return b"\ndata: " + orjson.dumps(error.body()) + b"\n\n"
